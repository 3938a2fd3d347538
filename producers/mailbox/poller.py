"""Reads the mailbox of returned mails: each mail's facts are with the broker before it is moved away (B53)."""

import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from producers.gateway.router import message_of
from producers.mailbox.bounce_attribution import BounceResolver
from producers.mailbox.mailboxes import Box, MailboxFailed
from producers.providers.dsn import NotAReport, notices
from recovery.adapters.kafka import NotDelivered
from recovery.vocabulary import Clock

log = logging.getLogger(__name__)
POLL_SECONDS = 3600.0
"""A poll reads every account, so it is not repeated every minute because one of them cannot be read."""


class Publishes(Protocol):
    """Kafka as it is needed here (recovery.adapters.kafka.Publisher)."""

    def send(self, topic: str, key: bytes, value: bytes) -> None:
        """Queue a message."""

    def flush(self) -> None:
        """Return when the broker has everything; raise NotDelivered."""


class MailboxRound(NamedTuple):
    """The result of one poll of the mailbox, counted in mails; `facts` counts facts."""

    handled: int
    unread: int
    facts: int


def read_all(
    box: Box, resolver: BounceResolver, accounts: Sequence[str], publisher: Publishes, business: Clock, wall: Clock
) -> MailboxRound:
    """Publish the reports of every mail and move it: to Handled, or to Unread when it is not a report or concerns no known customer.

    Raises:
        NotDelivered: the broker did not accept it; the mail stays where it is, and the next poll publishes the same fact again.
        MailboxFailed: the connection to the mailbox broke; likewise.
    """
    handled = unread = published = 0
    for name, raw in box.mails():
        try:
            found = notices(raw)
        except NotAReport as error:
            log.info("set aside mail %s: %s", name, error)
            box.move(name, "Unread")
            unread += 1
            continue
        facts = [fact for notice in found for fact in resolver.facts(notice, accounts, business(), wall())]
        for fact in facts:
            publisher.send(*message_of(fact)[:3])
        publisher.flush()
        known = bool(facts) or not found
        if not known:
            log.warning("set aside mail %s: it concerns no known customer", name)
        box.move(name, "Handled" if known else "Unread")
        handled, unread, published = handled + known, unread + (not known), published + len(facts)
    return MailboxRound(handled, unread, published)


def poll(
    open_box: Callable[[], Box], resolver: BounceResolver, accounts: Sequence[str], publisher: Publishes, business: Clock, wall: Clock
) -> MailboxRound:
    """One poll of the mailbox, whose connection is closed in any case. Raises as `read_all` does."""
    box = open_box()
    try:
        done = read_all(box, resolver, accounts, publisher, business, wall)
    finally:
        box.close()
    log.info("returned mails: %d handled, %d set aside, %d facts published", *done)
    return done


def poll_until(poll_once: Callable[[], object], wait: Callable[[float], bool], every: float) -> None:
    """Poll every `every` seconds until `wait`, which waits that long, returns True; a failed poll is repeated within POLL_SECONDS."""
    while True:
        pause = every
        try:
            poll_once()
        except (MailboxFailed, NotDelivered, OSError) as error:
            pause = min(every, POLL_SECONDS)
            log.warning("%s Trying again in %g s.", error, pause)
        if wait(pause):
            return

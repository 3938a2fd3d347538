"""Reads the mailbox of returned mails: each mail's facts are with the broker before it is moved away (B53)."""

import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from producers.intake import message_of
from producers.mail_facts import Whose
from producers.mailboxes import Box, MailboxFailed
from producers.providers.returned_mail import NotAReport, notices
from recovery.adapters.kafka import NotDelivered
from recovery.vocabulary import Clock

log = logging.getLogger(__name__)
AGAIN_SECONDS = 3600.0
"""A look reads every account, so it is not made again each minute because one of them cannot be read."""


class Publishes(Protocol):
    """Kafka as it is needed here (recovery.adapters.kafka.Publisher)."""

    def send(self, topic: str, key: bytes, value: bytes) -> None:
        """Queue a message."""

    def flush(self) -> None:
        """Return when the broker has everything; raise NotDelivered."""


class Round(NamedTuple):
    """What one look at the mailbox came to, in mails; `told` in facts."""

    handled: int
    unread: int
    told: int


def read_all(box: Box, whose: Whose, accounts: Sequence[str], publisher: Publishes, business: Clock, wall: Clock) -> Round:
    """Tell what every mail says and move it: to Handled, or to Unread when it is no report or concerns nobody we know.

    Raises:
        NotDelivered: the broker did not take it; the mail stays where it is and will be told again, as the same fact.
        MailboxFailed: the mailbox broke off; likewise.

    """
    handled = unread = told = 0
    for name, raw in box.mails():
        try:
            found = notices(raw)
        except NotAReport as error:
            log.info("set aside mail %s: %s", name, error)
            box.move(name, "Unread")
            unread += 1
            continue
        facts = [fact for notice in found for fact in whose.facts(notice, accounts, business(), wall())]
        for fact in facts:
            publisher.send(*message_of(fact)[:3])
        publisher.flush()
        known = bool(facts) or not found
        if not known:
            log.warning("set aside mail %s: it concerns nobody we know", name)
        box.move(name, "Handled" if known else "Unread")
        handled, unread, told = handled + known, unread + (not known), told + len(facts)
    return Round(handled, unread, told)


def look(open_box: Callable[[], Box], whose: Whose, accounts: Sequence[str], publisher: Publishes, business: Clock, wall: Clock) -> Round:
    """One look at the mailbox, which is given back in any case. Raises as `read_all` does."""
    box = open_box()
    try:
        done = read_all(box, whose, accounts, publisher, business, wall)
    finally:
        box.close()
    log.info("returned mails: %d handled, %d set aside, %d facts told", *done)
    return done


def look_until(look_once: Callable[[], object], wait: Callable[[float], bool], every: float) -> None:
    """Look every `every` seconds until `wait`, which waits so long, answers True; a look that fails is made again within AGAIN_SECONDS."""
    while True:
        pause = every
        try:
            look_once()
        except (MailboxFailed, NotDelivered, OSError) as error:
            pause = min(every, AGAIN_SECONDS)
            log.warning("%s Trying again in %g s.", error, pause)
        if wait(pause):
            return

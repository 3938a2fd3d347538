"""Dead letters replayed, each in the way of its stage, with a note of it and a fact that records who and why (B93).

- gateway: today's translator reads the body again, and the fact that it should have been goes to `facts`. Its id is
  that of Stripe's event, so a customer whose state has it already records `duplicate_fact_ignored`.
- streams: the same bytes go to `facts` again, on their partition. A fact was dead-lettered whole, before any change, so it is new
  to its customer. The due timers of a customer whose timer failed run again.
- sinks: the dead letter goes to `redrive.sinks`; the sink that wrote it then writes the row, or performs the effect, if it is missing.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

import msgspec

from producers.gateway.stripe_webhook import WebhookAccounts, messages_of, read
from recovery.adapters.dead_letter_reader import HeldMessage, MessagePosition, account_of
from recovery.contracts.dead_letters import DECIDED_ANEW, DeadLetter, DeadLetterReplayed
from recovery.contracts.encoding.codec import Unprocessable, decode_fact, encode
from recovery.contracts.facts import ContactAllowed, ParkedReplayed, PauseSet, ResumeRequested, RetryRequested, WebhookParked
from recovery.contracts.topics import FACTS, PARKED_NOTES, REDRIVE_SINKS, TOPICS
from recovery.ids import stub_key

UNKNOWN_CUSTOMER = "~unknown"
"""The account of a message that names none: an event needs one."""
RESUMPTIONS = (ContactAllowed, ResumeRequested, RetryRequested)
"""Facts that let something happen again whatever was forbidden before they come: late, they would undo a newer prohibition."""


class ReplayRefused(ValueError):
    """A message that must not be replayed, or that would only be dead-lettered again; the text says why and what to do instead."""


class ReplayMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message to write; partition -1 is that of its key."""

    topic: str
    key: bytes
    value: bytes
    partition: int = -1


class ReplayRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Who puts something back, why, and when: by the business's clock and by the wall's."""

    who: str
    why: str
    business: datetime
    wall: datetime


class ReplayProducer(Protocol):
    """Something that writes messages and waits until the broker has them."""

    def send(self, topic: str, key: bytes, value: bytes, partition: int = -1) -> None:
        """Queue a message; partition -1 is that of its key."""

    def flush(self, seconds: float = 30.0) -> None:
        """Return when everything sent so far is acknowledged. Raises NotDelivered."""


_TOPICS = frozenset(topic.name for topic in TOPICS)
"""The topics whose messages are replayed. Records of the changelog are not; only their timers run again."""


class Replay:
    """Puts single messages back. `message_of` finds a parked message by its place."""

    def __init__(
        self, accounts: WebhookAccounts, message_of: Callable[[MessagePosition], tuple[DeadLetter, datetime]], publisher: ReplayProducer
    ) -> None:
        self._accounts, self._message_of, self._publisher = accounts, message_of, publisher

    def plan(self, held: HeldMessage) -> list[ReplayMessage]:
        """What would be written for it. Raises ReplayRefused, and LookupError when it has expired meanwhile."""
        return self._written(held, self._message_of(held.place)[0])

    def redrive(self, held: HeldMessage, request: ReplayRequest) -> None:
        """Write it, and after the broker's acknowledgement the note: a crash in between leaves a message that may be replayed again.

        Raises:
            ReplayRefused: as `plan`.
            NotDelivered: the broker has not acknowledged everything.
        """
        parked, _ = self._message_of(held.place)
        for out in (*self._written(held, parked), _fact(held, parked, request)):
            self._publisher.send(out.topic, out.key, out.value, out.partition)
        self._publisher.flush()
        where = held.place
        note = DeadLetterReplayed(
            stage=where.stage, partition=where.partition, offset=where.offset, who=request.who, why=request.why, at=request.wall
        )
        self._publisher.send(PARKED_NOTES.name, str(where).encode(), encode(note), where.partition)
        self._publisher.flush()

    def _written(self, held: HeldMessage, parked: DeadLetter) -> list[ReplayMessage]:
        if parked.left_out and parked.topic in _TOPICS:
            raise ReplayRefused(
                f"Its {parked.left_out:,} bytes are more than a dead letter holds. They are on {parked.topic}, partition "
                f"{parked.partition}, offset {parked.offset}, as long as that topic keeps them; SHA-256 {parked.sha256}."
            )
        if held.place.stage == "gateway":
            return [_translated(self._accounts, parked)]
        if held.place.stage == "sinks" and parked.topic != FACTS.name:
            return [_for_sinks(parked)]
        return [_for_streams(parked)] if parked.topic == FACTS.name else []  # a row is woken by the fact that tells of this


def _translated(accounts: WebhookAccounts, parked: DeadLetter) -> ReplayMessage:
    account = account_of(parked)
    if not accounts.secrets(account):
        raise ReplayRefused(f"Account {account} is not in the tenants file any more; add it there first.")
    event = read(parked.value)
    fact, messages = messages_of(accounts, account, [account], event, parked.value, parked.at)
    if isinstance(fact, WebhookParked):
        raise ReplayRefused(f"It still cannot be translated: {fact.why}")
    if any(message.everywhere for message in messages):
        raise ReplayRefused(
            f"Stripe said then that our access was taken away, which may be over by now. If it is not: `dunlin pause {account}`."
        )
    return next(
        ReplayMessage(topic=message.topic, key=message.key, value=message.value) for message in messages if message.topic == FACTS.name
    )


def _for_streams(parked: DeadLetter) -> ReplayMessage:
    try:
        fact = decode_fact(parked.value)
    except Unprocessable as error:
        raise ReplayRefused(f"This version cannot read it either: {error}") from error
    if isinstance(fact, PauseSet):
        raise ReplayRefused(
            "It is an old position of the kill switch, which may be another by now. Set it anew: `dunlin pause` or `dunlin resume`."
        )
    if isinstance(fact, RESUMPTIONS):
        raise ReplayRefused(
            f"{fact.who} requested it then, and the customer may have been stopped since. If it is still wanted, "
            "repeat it with `python -m producers command retry` or `resume`."
        )
    return ReplayMessage(topic=FACTS.name, key=parked.key, value=parked.value, partition=parked.partition)


def _for_sinks(parked: DeadLetter) -> ReplayMessage:
    if parked.headers.get(DECIDED_ANEW):
        raise ReplayRefused(
            f"Its case has learned that {parked.headers[DECIDED_ANEW]} was not done, and has decided anew since. "
            "Request another attempt with `python -m producers command retry`."
        )
    return ReplayMessage(topic=REDRIVE_SINKS.name, key=parked.key, value=encode(parked), partition=parked.partition)


def _fact(held: HeldMessage, parked: DeadLetter, request: ReplayRequest) -> ReplayMessage:
    account, name = held.account or UNKNOWN_CUSTOMER, str(held.place)
    of_a_row = held.place.stage == "streams" and parked.topic != FACTS.name
    customer = parked.key.partition(b"/")[2].decode(errors="replace") if of_a_row else ""
    id = f"{account}:replay:{name}:{int(request.wall.timestamp() * 1000)}"
    fact = ParkedReplayed(
        id=id,
        account=account,
        customer=customer,
        occurred_at=request.business,
        received_at=request.wall,
        trace=held.trace or id,
        who=request.who,
        why=request.why,
        message=name,
        topic=held.topic,
    )
    key = parked.key if of_a_row else stub_key(account, "replay")
    return ReplayMessage(topic=FACTS.name, key=key, value=encode(fact), partition=parked.partition if of_a_row else -1)

"""Parked messages put back, each the way that its stage takes it, with a note of it and a fact that says who and why (B93).

- gateway: the body is translated again, by the translator of today, and written to `facts` as the fact that it should have been. Its id is
  that of Stripe's event, so a row that has it already says `fact_repeated`.
- streams: the same bytes go to `facts` again, on their partition. A fact was parked whole, its row untouched, so it is new to its row.
  A row whose timer failed is asked again what is due.
- sinks: the parked message goes to `again.sinks`; the sink that parked it writes the row, or performs the effect, that is not there yet.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

import msgspec

from producers.webhook import Accounts, messages_of, read
from recovery.adapters.parked import Held, Place, account_of
from recovery.contracts.codec import Unprocessable, decode_fact, encode
from recovery.contracts.facts import ContactAllowed, ParkedReplayed, ResumeAsked, RetryAsked, SwitchSet, WebhookParked
from recovery.contracts.parked import DECIDED_ANEW, Parked, Replayed
from recovery.contracts.topics import AGAIN_SINKS, FACTS, PARKED_NOTES, TOPICS
from recovery.ids import stub_key

NOBODY = "~unknown"
"""The account of a message that names none: an event needs one."""
RESUMPTIONS = (ContactAllowed, ResumeAsked, RetryAsked)
"""Facts that let something happen again whatever was forbidden before they come: late, they would undo a newer prohibition."""


class Refused(ValueError):
    """A message that must not be put back, or that would only be parked again; the text says why and what to do instead."""


class Out(msgspec.Struct, frozen=True, kw_only=True):
    """A message to write; partition -1 is that of its key."""

    topic: str
    key: bytes
    value: bytes
    partition: int = -1


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Who puts something back, why, and when: by the business's clock and by the wall's."""

    who: str
    why: str
    business: datetime
    wall: datetime


class Sends(Protocol):
    """Something that writes messages and waits until the broker has them."""

    def send(self, topic: str, key: bytes, value: bytes, partition: int = -1) -> None:
        """Queue a message; partition -1 is that of its key."""

    def flush(self, seconds: float = 30.0) -> None:
        """Return when everything sent so far is acknowledged. Raises NotDelivered."""


_TOPICS = frozenset(topic.name for topic in TOPICS)
"""Those whose messages are put back; the changelog's rows are not, they are only woken."""


class Replay:
    """Puts single messages back. `message_of` finds a parked message by its place."""

    def __init__(self, accounts: Accounts, message_of: Callable[[Place], tuple[Parked, datetime]], publisher: Sends) -> None:
        self._accounts, self._message_of, self._publisher = accounts, message_of, publisher

    def look(self, held: Held) -> list[Out]:
        """What would be written for it. Raises Refused, and LookupError when it has expired meanwhile."""
        return self._written(held, self._message_of(held.place)[0])

    def put_back(self, held: Held, asked: Asked) -> None:
        """Write it, and only when the broker has it the note: a crash between leaves a message that may be put back again.

        Raises:
            Refused: as `look`.
            NotDelivered: the broker does not say that it has everything.

        """
        parked, _ = self._message_of(held.place)
        for out in (*self._written(held, parked), _told(held, parked, asked)):
            self._publisher.send(out.topic, out.key, out.value, out.partition)
        self._publisher.flush()
        where = held.place
        note = Replayed(stage=where.stage, partition=where.partition, offset=where.offset, who=asked.who, why=asked.why, at=asked.wall)
        self._publisher.send(PARKED_NOTES.name, str(where).encode(), encode(note), where.partition)
        self._publisher.flush()

    def _written(self, held: Held, parked: Parked) -> list[Out]:
        if parked.left_out and parked.topic in _TOPICS:
            raise Refused(
                f"Its {parked.left_out:,} bytes are more than a dead letter holds. They are on {parked.topic}, partition "
                f"{parked.partition}, offset {parked.offset}, as long as that topic keeps them; SHA-256 {parked.sha256}."
            )
        if held.place.stage == "gateway":
            return [_translated(self._accounts, parked)]
        if held.place.stage == "sinks" and parked.topic != FACTS.name:
            return [_for_sinks(parked)]
        return [_for_streams(parked)] if parked.topic == FACTS.name else []  # a row is woken by the fact that tells of this


def _translated(accounts: Accounts, parked: Parked) -> Out:
    account = account_of(parked)
    if not accounts.secrets(account):
        raise Refused(f"Account {account} is not in the tenants file any more; put it back there first.")
    event = read(parked.value)
    fact, messages = messages_of(accounts, account, [account], event, parked.value, parked.at)
    if isinstance(fact, WebhookParked):
        raise Refused(f"It still cannot be translated: {fact.why}")
    if any(message.everywhere for message in messages):
        raise Refused(f"Stripe said then that our access was taken away, which may be over by now. If it is not: `dunlin pause {account}`.")
    return next(Out(topic=message.topic, key=message.key, value=message.value) for message in messages if message.topic == FACTS.name)


def _for_streams(parked: Parked) -> Out:
    try:
        fact = decode_fact(parked.value)
    except Unprocessable as error:
        raise Refused(f"This version cannot read it either: {error}") from error
    if isinstance(fact, SwitchSet):
        raise Refused(
            "It is an old position of the kill switch, which may be another by now. Set it anew: `dunlin pause` or `dunlin resume`."
        )
    if isinstance(fact, RESUMPTIONS):
        raise Refused(
            f"{fact.who} asked for it then, and the customer may have been stopped since. Ask anew with "
            "`python -m producers command retry` or `resume`, if it still holds."
        )
    return Out(topic=FACTS.name, key=parked.key, value=parked.value, partition=parked.partition)


def _for_sinks(parked: Parked) -> Out:
    if parked.headers.get(DECIDED_ANEW):
        raise Refused(
            f"Its case was told that {parked.headers[DECIDED_ANEW]} was not done, and has decided anew since. Ask for another attempt with "
            "`python -m producers command retry`."
        )
    return Out(topic=AGAIN_SINKS.name, key=parked.key, value=encode(parked), partition=parked.partition)


def _told(held: Held, parked: Parked, asked: Asked) -> Out:
    account, name = held.account or NOBODY, str(held.place)
    of_a_row = held.place.stage == "streams" and parked.topic != FACTS.name
    customer = parked.key.partition(b"/")[2].decode(errors="replace") if of_a_row else ""
    id = f"{account}:replay:{name}:{int(asked.wall.timestamp() * 1000)}"
    fact = ParkedReplayed(
        id=id,
        account=account,
        customer=customer,
        occurred_at=asked.business,
        received_at=asked.wall,
        trace=held.trace or id,
        who=asked.who,
        why=asked.why,
        message=name,
        topic=held.topic,
    )
    key = parked.key if of_a_row else stub_key(account, "replay")
    return Out(topic=FACTS.name, key=key, value=encode(fact), partition=parked.partition if of_a_row else -1)

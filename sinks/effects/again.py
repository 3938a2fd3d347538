"""Effects that were given up and parked, performed after all when a person wants it: what is written with them, and how they come back."""

import logging

import msgspec

from recovery.contracts.codec import Unprocessable, decode_parked
from recovery.contracts.parked import DECIDED_ANEW
from sinks.effects.ledger import GivenUp, Row

log = logging.getLogger(__name__)
OURS = "effects."
"""What begins so was parked by this sink; the rest of `again.sinks` is the warehouse's."""
MOVES_MONEY: frozenset[str] = frozenset({"charge_requested", "subscription_end_requested"})
"""Kinds that are never performed later: their case was told that they were not done, and has asked for another since."""
EFFECT, RESULT, REOPENED = "effect", "result", "reopened"


class Delivered(msgspec.Struct, frozen=True, kw_only=True):
    """A message as the log delivered it."""

    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes | None
    headers: dict[str, str] = {}

    @property
    def place(self) -> str:
        """Where it stands, as topic-partition-offset."""
        return f"{self.topic}-{self.partition}-{self.offset}"


def given_up_headers(row: Row, in_doubt: bool) -> dict[str, str]:
    """What a parked message says of an effect whose case was told that it was given up."""
    said = {EFFECT: row.id, RESULT: "unknown" if in_doubt else "failed", REOPENED: str(row.reopened)}
    return said | {DECIDED_ANEW: row.kind} if row.kind in MOVES_MONEY else said


def given_up_of(effect: str, headers: dict[str, str]) -> GivenUp | None:
    """What those headers say of an effect; None when it was not given up, or must not be performed any more."""
    if headers.get(EFFECT) != effect or headers.get(DECIDED_ANEW) or not headers.get(REOPENED, "").isdecimal():
        return None
    return GivenUp(id=effect, in_doubt=headers.get(RESULT) == "unknown", reopened=int(headers[REOPENED]))


def unparked(message: Delivered) -> Delivered | None:
    """The message that was parked, as it first came; None when another sink parked it, or it is none."""
    try:
        parked = decode_parked(message.value)
    except Unprocessable as error:
        log.warning("passed by %s: %s", message.place, error)
        return None
    if not parked.topic.startswith(OURS):
        return None
    return Delivered(
        topic=parked.topic,
        partition=parked.partition,
        offset=parked.offset,
        key=parked.key,
        value=parked.value,
        headers=parked.headers,
    )

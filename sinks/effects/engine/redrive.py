"""Effects that were given up and parked, performed after all when a person wants it: what is written with them, and how they come back."""

import logging

import msgspec

from recovery.contracts.dead_letters import DECIDED_ANEW
from recovery.contracts.encoding.codec import Unprocessable, decode_parked
from sinks.effects.engine.ledger import EffectRow, Redrive

log = logging.getLogger(__name__)
OURS = "effects."
"""What begins so was parked by this sink; the rest of `redrive.sinks` is the warehouse's."""
MOVES_MONEY: frozenset[str] = frozenset({"charge_requested", "subscription_end_requested"})
"""Kinds that are never performed later: their case has learned that they were not done, and has requested another effect since."""
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
        """Its position, as topic-partition-offset."""
        return f"{self.topic}-{self.partition}-{self.offset}"


def redrive_headers(row: EffectRow, in_doubt: bool) -> dict[str, str]:
    """The headers of a dead letter whose case has learned that the effect failed."""
    headers = {EFFECT: row.id, RESULT: "unknown" if in_doubt else "failed", REOPENED: str(row.reopened)}
    return headers | {DECIDED_ANEW: row.kind} if row.kind in MOVES_MONEY else headers


def redrive_of(effect: str, headers: dict[str, str]) -> Redrive | None:
    """What those headers say of an effect; None when it was not given up, or must not be performed any more."""
    if headers.get(EFFECT) != effect or headers.get(DECIDED_ANEW) or not headers.get(REOPENED, "").isdecimal():
        return None
    return Redrive(id=effect, in_doubt=headers.get(RESULT) == "unknown", reopened=int(headers[REOPENED]))


def unparked(message: Delivered) -> Delivered | None:
    """The message that was dead-lettered, as it first arrived; None when another sink wrote it, or it is unreadable."""
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

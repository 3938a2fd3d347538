"""A message that could not be processed: its bytes, where it came from, and why; nothing is lost and it can be replayed."""

import msgspec

from recovery.vocabulary import Moment

DECIDED_ANEW = "decided_anew"
"""The header of a parked effect that must never be performed later, with its kind: its case was told so and has asked for another."""


class Parked(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="parked"):
    """Raw bytes with their place and the reason. `stage` is gateway, streams or sinks; `again` is the topic for a replay."""

    stage: str
    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes
    headers: dict[str, str] = {}
    why: str
    error: str = ""
    at: Moment
    trace: str = ""
    again: str
    version: int = 1


class Replayed(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="replayed"):
    """A note about a parked message: it was put back, by whom and why. Stage, partition and offset are its place on its parking topic."""

    stage: str
    partition: int
    offset: int
    who: str
    why: str = ""
    at: Moment
    version: int = 1

"""A message that could not be processed: its bytes, where it came from, and why; nothing is lost and it can be replayed."""

import hashlib
from typing import Final

import msgspec

from recovery.contracts.limit_checks import printable
from recovery.contracts.limits import DERIVED_ID_LENGTH, KEY_BYTES, LARGEST_BYTES, PARKED_BYTES, TEXT_LENGTH
from recovery.vocabulary import Moment

DECIDED_ANEW = "decided_anew"
"""The header of a dead-lettered effect that must never be performed later; its value is the effect's kind. The case has learned of it and
has requested another effect."""


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="parked"):
    """Raw bytes with their place and the reason. `stage` is gateway, streams or sinks; `again` is the topic for a replay.

    Where the bytes are too many for a dead letter, `value` is empty, `left_out` says how many there were and `sha256` is their hash in hex:
    they are still on their topic, at their partition and offset, as long as that keeps them.
    """

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
    replay_topic: str
    left_out: int = 0
    sha256: str = ""
    version: int = 1


_ENVELOPE: Final = 2_048
"""Bytes of a dead letter's field names, numbers and times."""
_HEADERS: Final = 8_192
"""Bytes of headers that a dead letter keeps."""


def fitted(parked: DeadLetter) -> DeadLetter:
    """The dead letter made small enough to be written: long texts and keys are cut, bytes that are too many become a reference."""
    key, headers = parked.key[:KEY_BYTES], _fitted_headers(parked.headers)
    why, error, trace = (
        _cut(text, most) for text, most in ((parked.why, TEXT_LENGTH), (parked.error, TEXT_LENGTH), (parked.trace, DERIVED_ID_LENGTH))
    )
    room = (LARGEST_BYTES - 65_536 if parked.stage == "gateway" else PARKED_BYTES) - _ENVELOPE
    room -= _in_base64(len(key)) + 4 * (len(why) + len(error) + len(trace)) + 4 * _size(headers)
    if _in_base64(len(parked.value)) <= room:
        if (key, why, error, trace, headers) == (parked.key, parked.why, parked.error, parked.trace, parked.headers):
            return parked
        return msgspec.structs.replace(parked, key=key, headers=headers, why=why, error=error, trace=trace)
    return msgspec.structs.replace(
        parked,
        key=key,
        headers=headers,
        why=why,
        error=error,
        trace=trace,
        value=b"",
        left_out=len(parked.value),
        sha256=hashlib.sha256(parked.value).hexdigest(),
    )


def _fitted_headers(headers: dict[str, str]) -> dict[str, str]:
    """The headers as far as there is room for them, in their order; ours are few and short."""
    if _size(headers) <= _HEADERS:
        return headers
    kept: dict[str, str] = {}
    for name, value in headers.items():
        if _size(kept) + len(name) + len(value) <= _HEADERS:
            kept[name] = value
    return kept


def _size(headers: dict[str, str]) -> int:
    return sum(len(name) + len(value) for name, value in headers.items())


def _in_base64(size: int) -> int:
    return -(-size // 3) * 4


def _cut(text: str, most: int) -> str:
    return printable(text if len(text) <= most else f"{text[: most - 1]}…")


class DeadLetterReplayed(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="replayed"):
    """A note that a dead letter was replayed: by which operator and for what reason. Stage, partition and offset are its position on the
    dead-letter topic."""

    stage: str
    partition: int
    offset: int
    who: str
    why: str = ""
    at: Moment
    version: int = 1

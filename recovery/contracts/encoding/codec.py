"""Bytes to contract and back, by type and version, within the limits. JSON, so that any consumer can read it."""

from typing import Any, cast

import msgspec

from recovery.contracts.dead_letters import DeadLetter, DeadLetterReplayed, fitted
from recovery.contracts.effects import AnyEffect, Effect
from recovery.contracts.events import Event
from recovery.contracts.facts import AnyFact, Fact
from recovery.contracts.limit_checks import Unprocessable, check, check_arrival, check_depth
from recovery.contracts.limits import LARGEST_BYTES, MESSAGE_BYTES

__all__ = [
    "CURRENT_VERSION",
    "Unprocessable",
    "decode_effect",
    "decode_event",
    "decode_fact",
    "decode_note",
    "decode_parked",
    "encode",
]

_encoder = msgspec.json.Encoder()
_fact = msgspec.json.Decoder(AnyFact)
_effect = msgspec.json.Decoder(AnyEffect)
_event = msgspec.json.Decoder(Event)
_parked = msgspec.json.Decoder(DeadLetter)
_note = msgspec.json.Decoder(DeadLetterReplayed)
CURRENT_VERSION = 1
"""The version of every contract so far; a new one brings an upcaster for each older version."""


def encode(message: msgspec.Struct) -> bytes:
    """The message as JSON bytes; the same message always gives the same bytes. A dead letter is fitted into what a topic takes."""
    return _encoder.encode(fitted(message) if isinstance(message, DeadLetter) else message)


def decode_fact(value: bytes | None) -> Fact:
    """The fact in a message of `facts`. Raises Unprocessable."""
    fact = cast(Fact, _decode(_fact, value))
    check_arrival(fact)
    return fact


def decode_effect(value: bytes | None) -> Effect:
    """The effect in a message of `effects.*`. Raises Unprocessable."""
    return cast(Effect, _decode(_effect, value))


def decode_event(value: bytes | None) -> Event:
    """The event in a message of `recovery.*`. Raises Unprocessable."""
    return cast(Event, _decode(_event, value))


def decode_parked(value: bytes | None) -> DeadLetter:
    """The parked message in a message of `parked.*`. Raises Unprocessable."""
    return cast(DeadLetter, _decode(_parked, value, LARGEST_BYTES))


def decode_note(value: bytes | None) -> DeadLetterReplayed:
    """The note in a message of `parked.notes`. Raises Unprocessable."""
    return cast(DeadLetterReplayed, _decode(_note, value))


def _decode(decoder: "msgspec.json.Decoder[Any]", value: bytes | None, most: int = MESSAGE_BYTES) -> Any:
    if value is None:
        raise Unprocessable("The message has no body.")
    if len(value) > most:
        raise Unprocessable(f"The message has {len(value):,} bytes; at most {most:,} are read.")
    check_depth(value)
    try:
        message = decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unprocessable(f"The message cannot be read: {error}") from error
    if message.version != CURRENT_VERSION:
        raise Unprocessable(f"Version {message.version} is not known here; this program reads version {CURRENT_VERSION}.")
    if decoder is not _parked and decoder is not _note:
        check(message, value)
    return message

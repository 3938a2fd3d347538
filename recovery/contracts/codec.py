"""Bytes to contract and back, by type and version. JSON, so that any consumer can read it."""

from typing import Any, cast

import msgspec

from recovery.contracts.effects import AnyEffect, Effect
from recovery.contracts.events import Event
from recovery.contracts.facts import AnyFact, Fact
from recovery.contracts.parked import Parked, Replayed

_encoder = msgspec.json.Encoder()
_fact = msgspec.json.Decoder(AnyFact)
_effect = msgspec.json.Decoder(AnyEffect)
_event = msgspec.json.Decoder(Event)
_parked = msgspec.json.Decoder(Parked)
_note = msgspec.json.Decoder(Replayed)
CURRENT_VERSION = 1
"""The version of every contract so far; a new one brings an upcaster for each older version."""


class Unprocessable(ValueError):
    """Bytes that are no message of ours: no JSON, unknown type or version, a field missing or wrong. The text says which."""


def encode(message: msgspec.Struct) -> bytes:
    """The message as JSON bytes; the same message always gives the same bytes."""
    return _encoder.encode(message)


def decode_fact(value: bytes | None) -> Fact:
    """The fact in a message of `facts`. Raises Unprocessable."""
    return cast(Fact, _decode(_fact, value))


def decode_effect(value: bytes | None) -> Effect:
    """The effect in a message of `effects.*`. Raises Unprocessable."""
    return cast(Effect, _decode(_effect, value))


def decode_event(value: bytes | None) -> Event:
    """The event in a message of `recovery.*`. Raises Unprocessable."""
    return cast(Event, _decode(_event, value))


def decode_parked(value: bytes | None) -> Parked:
    """The parked message in a message of `parked.*`. Raises Unprocessable."""
    return cast(Parked, _decode(_parked, value))


def decode_note(value: bytes | None) -> Replayed:
    """The note in a message of `parked.notes`. Raises Unprocessable."""
    return cast(Replayed, _decode(_note, value))


def _decode(decoder: "msgspec.json.Decoder[Any]", value: bytes | None) -> Any:
    if value is None:
        raise Unprocessable("The message has no body.")
    try:
        message = decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unprocessable(f"The message cannot be read: {error}") from error
    if message.version != CURRENT_VERSION:
        raise Unprocessable(f"Version {message.version} is not known here; this program reads version {CURRENT_VERSION}.")
    return message

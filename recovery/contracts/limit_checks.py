"""Whether a message keeps the limits that no type can express: its bytes, its depth, its times and its characters."""

import re
from collections.abc import Callable
from datetime import datetime
from operator import attrgetter
from typing import Any, Final

import msgspec

from recovery.contracts.limits import (
    AHEAD_OF_ARRIVAL,
    DERIVED_ID_LENGTH,
    FIRST_MOMENT,
    HORIZON,
    ID_LENGTH,
    LAST_MOMENT,
    MESSAGE_BYTES,
    NESTING,
)
from recovery.policy import Policy


class Unprocessable(ValueError):
    """Bytes that are no message of ours: no JSON, unknown type or version, a field missing, wrong or beyond a limit. The text says it."""


FREE_TEXTS: Final = frozenset({"why", "who", "proof", "reason", "details", "because", "dispute_reason", "error"})
"""Fields that people and servers fill with sentences: characters that are not printable are replaced there, and refused everywhere else."""

DERIVED_IDS: Final = frozenset({"id", "cause", "trace", "effect", "request", "message", "event"})
"""Fields that hold ids made of others."""

_TOKENS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[{]|[\]}]', re.DOTALL)
_OPENING: Final = frozenset((b"[", b"{"))
_FIRST_YEAR: Final = FIRST_MOMENT.year
_LAST_YEAR: Final = LAST_MOMENT.year
_YEARS: Final = HORIZON.days // 366
"""Whole years that are surely within HORIZON."""


def check_depth(value: bytes) -> None:
    """Raise Unprocessable when the JSON in `value` is nested beyond the limit; linear in its length, and nearly free for ordinary ones."""
    if value.count(b"[") + value.count(b"{") <= NESTING:
        return
    depth = 0
    for token in _TOKENS.finditer(value):
        found = token[0]
        if found in _OPENING:
            depth += 1
            if depth > NESTING:
                raise Unprocessable(f"The JSON is nested more than {NESTING} levels deep.")
        elif found in (b"]", b"}"):
            depth -= 1


def check(message: Any, value: bytes) -> None:
    """Raise Unprocessable when a decoded message has a time or a character beyond the limits; `value` is the message as bytes."""
    received: datetime = message.received_at
    year, happened = received.year, message.occurred_at.year
    shape = _SHAPES.get(type(message)) or _shape(type(message))
    # Whole years first: nearly every message is far from the limits, and their exact comparison costs as much as the decoding.
    if not _FIRST_YEAR <= year < _LAST_YEAR or not _FIRST_YEAR <= happened < _LAST_YEAR or shape.parts:
        check_times(message)
    elif shape.times is not None:
        last = min(year + _YEARS, _LAST_YEAR)
        for at in shape.times(message):
            if at is not None and not _FIRST_YEAR <= at.year < last:
                check_times(message)
                break
    if not (value.isascii() and b"\\" not in value and b"\x7f" not in value):
        check_characters(message)


def check_times(message: Any) -> None:
    """Raise Unprocessable when a time in the message is outside the limits. A requested time may lie long after its cause arrived."""
    for name, at in (("occurred_at", message.occurred_at), ("received_at", message.received_at)):
        if not FIRST_MOMENT <= at <= LAST_MOMENT:
            raise Unprocessable(f"{name} is {at.isoformat()}; {FIRST_MOMENT.year} to {LAST_MOMENT.year} was expected.")
    _check_parts(message, min(max(message.received_at, message.occurred_at) + HORIZON, LAST_MOMENT))


def check_arrival(fact: Any) -> None:
    """Raise Unprocessable when a fact reports what happened long after it arrived."""
    if fact.occurred_at > fact.received_at + AHEAD_OF_ARRIVAL:
        raise Unprocessable(
            f"occurred_at is {fact.occurred_at.isoformat()}, more than a day after the arrival at {fact.received_at.isoformat()}."
        )


def check_arrived(fact: Any, value: bytes) -> None:
    """Raise Unprocessable when the streams would refuse a fact that is about to be written, `value` being its bytes."""
    if len(value) > MESSAGE_BYTES:
        raise Unprocessable(f"The fact has {len(value):,} bytes; at most {MESSAGE_BYTES:,} are read.")
    check(fact, value)
    check_arrival(fact)


def check_characters(message: Any, where: str = "") -> None:
    """Raise Unprocessable when an id or a word holds what is not printable; in texts for people it is replaced, in place."""
    for name in message.__struct_fields__:
        found = getattr(message, name)
        if isinstance(found, str):
            if not found.isprintable():
                if name not in FREE_TEXTS:
                    raise Unprocessable(f"{where}{name} holds a character that is not printable.")
                msgspec.structs.force_setattr(message, name, printable(found))
            elif name not in FREE_TEXTS and len(found.encode(errors="replace")) > (most := most_bytes(name)):
                raise Unprocessable(f"{where}{name} has more than {most:,} bytes in UTF-8.")
        elif isinstance(found, msgspec.Struct) and not isinstance(found, Policy):
            check_characters(found, f"{where}{name}.")
        elif isinstance(found, tuple):
            for one in found:
                if isinstance(one, msgspec.Struct):
                    check_characters(one, f"{where}{name}[].")
                elif isinstance(one, str) and not one.isprintable():
                    raise Unprocessable(f"{where}{name}[] holds a character that is not printable.")


def most_bytes(name: str) -> int:
    """How many bytes an id or word has at most, by the name of its field."""
    return DERIVED_ID_LENGTH if name in DERIVED_IDS else ID_LENGTH + (name == "customer")  # which `~` may mark as unknown


def printable(text: str) -> str:
    """The text with every character that is not printable replaced: line breaks and tabs by a space, all others by U+FFFD."""
    return text if text.isprintable() else "".join(one if one.isprintable() else " " if one.isspace() else "\ufffd" for one in text)


class _Shape(msgspec.Struct, frozen=True):
    """Where a kind of struct holds times: in itself, and in parts that may be missing or many. `times` gets all those of the former and
    of the parts that are always there, at once."""

    moments: tuple[str, ...]
    needed: tuple[str, ...]
    parts: tuple[str, ...]
    times: Callable[[Any], tuple[Any, ...]] | None


_SHAPES: Final[dict[type, _Shape]] = {}
_HEADER: Final = frozenset({"occurred_at", "received_at"})


def _check_parts(part: Any, latest: datetime, where: str = "") -> None:
    shape = _SHAPES.get(type(part)) or _shape(type(part))
    for name in shape.moments:
        at = getattr(part, name)
        if at is not None and not FIRST_MOMENT <= at <= latest:
            raise Unprocessable(f"{where}{name} is {at.isoformat()}; {FIRST_MOMENT.year} to {latest.date().isoformat()} was expected.")
    for name in (*shape.needed, *shape.parts):
        found = getattr(part, name)
        for one in found if isinstance(found, tuple) else (found,):
            if one is not None:
                _check_parts(one, latest, f"{where}{name}.")


def _shape(kind: type) -> _Shape:
    moments: list[str] = []
    needed: list[str] = []
    parts: list[str] = []
    times: list[str] = []
    for field in () if issubclass(kind, Policy) else msgspec.inspect.type_info(kind).fields:  # type: ignore[attr-defined]  # a struct
        kinds = _kinds_in(field.type)
        if field.name not in _HEADER and any(isinstance(inner, msgspec.inspect.DateTimeType) for inner in kinds):
            moments.append(field.name)
            times.append(field.name)
        for inner in kinds:
            if not isinstance(inner, msgspec.inspect.StructType):
                continue
            below = _SHAPES.get(inner.cls) or _shape(inner.cls)
            if isinstance(field.type, msgspec.inspect.StructType) and not below.parts:
                if below.times is not None:
                    needed.append(field.name)
                    times += [f"{field.name}.{name}" for name in (*below.moments, *_nested(inner.cls))]
            elif below.times is not None or below.parts:
                parts.append(field.name)
    getter = attrgetter(*times) if len(times) > 1 else (lambda part, one=attrgetter(times[0]): (one(part),)) if times else None
    found = _SHAPES[kind] = _Shape(tuple(moments), tuple(needed), tuple(parts), getter)
    return found


def _nested(kind: type) -> list[str]:
    """The times within the parts that a kind always has."""
    fields = {field.name: field.type.cls for field in msgspec.inspect.type_info(kind).fields if field.name in _SHAPES[kind].needed}  # type: ignore[attr-defined]  # a struct
    return [f"{name}.{time}" for name, cls in fields.items() for time in (*_SHAPES[cls].moments, *_nested(cls))]


def _kinds_in(kind: Any) -> list[Any]:
    if isinstance(kind, msgspec.inspect.UnionType):
        return [inner for one in kind.types for inner in _kinds_in(one)]
    if isinstance(kind, msgspec.inspect.VarTupleType):
        return _kinds_in(kind.item_type)
    if isinstance(kind, msgspec.inspect.Metadata):
        return _kinds_in(kind.type)
    return [kind]

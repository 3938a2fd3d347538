"""Rebuilds the state from `facts` alone, and compares it byte for byte with what the stream stored and sent.

The replay is a second application in memory: the same processor as the worker's, under a name of its own, from the first fact to the
position of the worker's state. It writes nothing. Compare with the program that decided: another version may decide otherwise.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import blake2b
from itertools import islice
from typing import Literal, NamedTuple, Protocol

import msgspec

from recovery.contracts.encoding.row_codec import decode_row, encode_row
from recovery.contracts.topics import EVENTS
from streams.guard import Guard
from streams.simulation import Output, ShardInMemory
from streams.topology import OUTPUTS
from streams.transactional_shard import POSITION, Record

SHOWN = 20
"""The most differences that are described; all are counted."""


class CannotReplayError(Exception):
    """The state cannot be rebuilt from what is kept; the text says why and what would help."""


class Kept(NamedTuple):
    """What is kept of one partition of a topic, in order; `whole` False when its beginning was deleted."""

    whole: bool
    messages: Iterator[tuple[bytes | None, bytes | None]]


class FactSource(Protocol):
    """One partition of a stream as it is kept."""

    @property
    def number(self) -> int:
        """The partition."""

    def rows(self) -> Mapping[bytes, bytes]:
        """The changelog's rows, positions among them."""

    def facts(self, end: int) -> Iterable[Record]:
        """The facts from the first one up to the offset `end`. Raises CannotReplayError when the first ones were deleted."""

    def kept(self, topic: str) -> Kept:
        """What the stream sent to a topic."""


class StateDifference(msgspec.Struct, frozen=True):
    """One message or row that is not the same. `kept` None: the stream has it not; `replayed` None: the replay has it not."""

    partition: int
    where: str
    kind: Literal["changed", "missing", "extra"]
    kept: str | None
    replayed: str | None


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """The replay of one partition. `digest` is that of its rows: equal states have equal digests."""

    partition: int
    facts: int
    outputs: int
    rows: int
    digest: str
    differences: int
    shown: tuple[StateDifference, ...]


def replay(source: FactSource, app_id: str, topic_of_facts: str, *, verify: bool, report: Callable[[int, int], None]) -> Replayed:
    """Rebuild one partition and, with `verify`, compare. `say(done, end)` is called after every fact with its offset's successor.

    Raises CannotReplayError when facts that the state follows from are gone.
    """
    rows = source.rows()
    end = int(rows.get(POSITION + topic_of_facts.encode(), b"0"))
    shard = ShardInMemory(source.number, f"{app_id}-replay", Guard(_stop))
    comparison = Comparison(source) if verify else None
    facts = outputs = 0
    for record in source.facts(end):
        sent = shard.take(record)
        facts, outputs = facts + 1, outputs + len(sent)
        if comparison is not None:
            comparison.sent(sent)
        report(record.offset + 1, end)
    if facts:
        shard.keep_time()
    if comparison is not None:
        comparison.rest(end)
        comparison.rows({key: row for key, row in rows.items() if not key.startswith(POSITION)}, shard.rows)
    return Replayed(
        partition=source.number,
        facts=facts,
        outputs=outputs,
        rows=len(shard.rows),
        digest=digest(shard.rows),
        differences=comparison.count if comparison is not None else 0,
        shown=tuple(comparison.shown) if comparison is not None else (),
    )


class Comparison:
    """Holds what the replay sends against what was kept, message by message; nothing is collected but the differences."""

    def __init__(self, source: FactSource) -> None:
        self._number = source.number
        self._kept = {topic: source.kept(topic) for topic in OUTPUTS}
        self._first = {topic: next(kept.messages, None) for topic, kept in self._kept.items() if not kept.whole}
        self.count = 0
        self.shown: list[StateDifference] = []

    def sent(self, outputs: list[Output]) -> None:
        """The next outputs of the replay."""
        for output in outputs:
            message = (output.key, output.value)
            if output.topic in self._first:
                if self._first[output.topic] == message:
                    del self._first[output.topic]  # from here on everything is kept
                continue
            kept = next(self._kept[output.topic].messages, None)
            if kept != message:
                self._differ(output.topic, kept and kept[1], output.value)

    def rest(self, end: int) -> None:
        """What was kept beyond the replay: events of facts that were replayed would be too many; later ones belong to later facts."""
        for topic, first in self._first.items():
            if first is not None:
                self._differ(f"{topic}, the first message kept", first[1], None)
        for _, value in self._kept[EVENTS.name].messages:
            if not _is_of_a_later_fact(value, end):
                self._differ(EVENTS.name, value, None)

    def rows(self, kept: Mapping[bytes, bytes], replayed: Mapping[bytes, bytes]) -> None:
        """Both states, row by row."""
        for key in sorted(kept.keys() | replayed.keys()):
            if (was := _present(key, kept.get(key))) != replayed.get(key):
                self._differ(f"row {key.decode(errors='replace')!r}", _legible(key, was), _legible(key, replayed.get(key)))

    def _differ(self, where: str, kept: bytes | None, replayed: bytes | None) -> None:
        self.count += 1
        if len(self.shown) < SHOWN:
            kind: Literal["changed", "missing", "extra"] = "missing" if kept is None else "extra" if replayed is None else "changed"
            self.shown.append(StateDifference(self._number, where, kind, _text(kept), _text(replayed)))


def digest(rows: Mapping[bytes, bytes]) -> str:
    """A short name of the state: 32 hexadecimal digits, the same for the same rows."""
    total = blake2b(digest_size=16)
    for key in sorted(rows):
        total.update(len(key).to_bytes(4) + key + len(rows[key]).to_bytes(4) + rows[key])
    return total.hexdigest()


def apart(kept: str, replayed: str, around: int = 60) -> tuple[str, str]:
    """Both texts from a little before the first character in which they differ."""
    same = next((place for place, (a, b) in enumerate(zip(kept, replayed, strict=False)) if a != b), min(len(kept), len(replayed)))
    start = max(same - around // 2, 0)
    first, second = ("".join(islice(text, start, start + 2 * around)) for text in (kept, replayed))
    return ("…" if start else "") + first, ("…" if start else "") + second


def _is_of_a_later_fact(value: bytes | None, end: int) -> bool:
    try:
        place = str(msgspec.json.decode(value or b"", type=_Place).id).rsplit("-", 2)
        return int(place[1]) >= end
    except (msgspec.DecodeError, ValueError, IndexError):
        return False


def _present(key: bytes, row: bytes | None) -> bytes | None:
    """A kept row as this program writes it: one of an older version lies on the changelog until something happens to it."""
    return row if row is None or row[:1] != b"{" or key.startswith(b"\0") else encode_row(decode_row(row))


def _legible(key: bytes, row: bytes | None) -> bytes | None:
    try:
        return row if row is None or key.startswith(b"\0") else msgspec.json.encode(decode_row(row))
    except msgspec.DecodeError:
        return row  # damaged


class _Place(msgspec.Struct):
    id: str


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode(errors="replace")


def _stop(_code: int, reason: str) -> None:
    raise CannotReplayError(reason)

"""Business time in steps: what the end of a step waits for, from the report of every program. Pure; the keeper polls and waits."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from recovery.adapters.progress import ProgressReport
from recovery.contracts.topics import EFFECTS, EVENTS

STEP_SECONDS = 1800.0
"""Business time of a step, and so how far the clock is ahead of the oldest unfinished thing at the most, rows excepted."""
ROWS_STEPS = 4
"""So many further steps may pass before the rows of a step are written: no decision reads them, and few large inserts are cheap."""
STREAMS, TICKER, EXPIRING, EFFECTS_SINK, WAREHOUSE = "streams", "ticker", "expiring", "effects", "warehouse"
_TAKEN = tuple(topic.name for topic in EFFECTS)

Ends = Mapping[str, int]
"""Next offsets by "topic/partition"."""


@dataclass(frozen=True)
class StepWait:
    """Something unfinished: how many, of what."""

    count: int
    what: str

    def __str__(self) -> str:
        return f"waiting for {self.count:,} {self.what}"


def times(start: float, end: float, step: float = STEP_SECONDS) -> Iterator[float]:
    """The business times to which the clock is moved, one after the other; the last is the end."""
    number = 1
    while start + number * step < end:
        yield start + number * step
        number += 1
    yield end


def unticked(reports: Mapping[str, ProgressReport], now: float) -> StepWait | None:
    """The tick of a step that is not on every partition."""
    ticker = reports.get(TICKER)
    return None if ticker is not None and ticker.at >= now - 1e-3 else StepWait(1, "tick of the clock")


def unpolled(reports: Mapping[str, ProgressReport], now: float) -> StepWait | None:
    """The daily scan for cards that expire, when it is due."""
    looker = reports.get(EXPIRING)
    return None if looker is not None and looker.next > now else StepWait(1, "scan for cards that expire")


def unread(reports: Mapping[str, ProgressReport], facts: Ends) -> StepWait | None:
    """Facts that no stream worker has finished with."""
    return _behind(_of(reports, STREAMS), facts, "unread facts")


def unsettled(reports: Mapping[str, ProgressReport]) -> StepWait | None:
    """Effects that the stream requested and that are not in the ledger."""
    return _behind(_of(reports, EFFECTS_SINK), _written(reports, _TAKEN), "effects that were not taken")


def unwritten(reports: Mapping[str, ProgressReport], until: Ends) -> StepWait | None:
    """Events before `until` that are no rows."""
    return _behind(_of(reports, WAREHOUSE), until, "rows to be written")


def events_end(reports: Mapping[str, ProgressReport]) -> Ends:
    """Where the events end that streams have written."""
    return _written(reports, (EVENTS.name,))


def processes(reports: Mapping[str, ProgressReport]) -> frozenset[str]:
    """The runs of stream workers that have reported: a new one does not know what the one before it wrote."""
    return frozenset(report.process for report in _of(reports, STREAMS))


def _of(reports: Mapping[str, ProgressReport], program: str) -> list[ProgressReport]:
    """The reports of a program, of which there may be several at work."""
    return [report for name, report in reports.items() if name.split("-")[0] == program]


def _written(reports: Mapping[str, ProgressReport], topics: tuple[str, ...]) -> Ends:
    ends: dict[str, int] = {}
    for report in _of(reports, STREAMS):
        for where, end in report.written.items():
            if where.rpartition("/")[0] in topics:
                ends[where] = max(end, ends.get(where, 0))
    return ends


def _behind(readers: list[ProgressReport], ends: Ends, what: str) -> StepWait | None:
    """How far the readers are behind these ends; an unread partition counts whole."""
    left = 0
    for where, end in ends.items():
        left += max(0, end - max((reader.read.get(where, 0) for reader in readers), default=0))
    return StepWait(left, what) if left else None

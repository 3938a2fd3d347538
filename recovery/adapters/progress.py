"""How far each program of a sandbox run has come, so that business time need not run ahead of it: small files beside the clock's.

Nothing is written where business time is wall time. A report is replaced whole, so a reader sees the former or the present one.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

FOLDER = "progress"


class ProgressReport(msgspec.Struct, frozen=True, kw_only=True):
    """A program's report of its own progress.

    `process` identifies one run of the program. Positions are next offsets, by "topic/partition": `read` is the end of what it has
    finished, and `written` the end of its own committed messages, as far as this process wrote them. `at` is the business time (Unix
    seconds) up to which its timers have run, and `next` the time at which they run next.
    """

    process: str
    read: Mapping[str, int] = {}
    written: Mapping[str, int] = {}
    at: float = 0.0
    next: float = 0.0


ReportProgress = Callable[[ProgressReport], None]
"""Keeps a report."""


class ReadProgress:
    """Reports how far a program has read. A new run continues from the last report of the run before it."""

    def __init__(self, clock_file: Path | None, name: str, process: str) -> None:
        self._report, self._process = progress_reporter(clock_file, name), process
        former = reports(clock_file).get(name) if clock_file is not None else None
        self._read = dict(former.read) if former is not None else {}

    def __call__(self, ends: Mapping[str, int]) -> None:
        """Everything before these offsets is done; earlier reports of other partitions stay valid."""
        if self._report is not None:
            self._read.update(ends)
            self._report(ProgressReport(process=self._process, read=self._read))


def progress_reporter(clock_file: Path | None, name: str) -> ReportProgress | None:
    """The reports of the program `name`; None where there is no clock file."""
    if clock_file is None:
        return None
    folder = clock_file.parent / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    file, fresh = folder / f"{name}.json", folder / f"{name}.{os.getpid()}.tmp"

    def report(report: ProgressReport) -> None:
        fresh.write_bytes(msgspec.json.encode(report))
        os.replace(fresh, file)

    return report


def reports(clock_file: Path) -> dict[str, ProgressReport]:
    """The last report of each program that made one, by name."""
    found = {}
    for file in (clock_file.parent / FOLDER).glob("*.json"):
        found[file.stem] = msgspec.json.decode(file.read_bytes(), type=ProgressReport)
    return found


def place(topic: str, partition: int) -> str:
    """A partition's name in a report."""
    return f"{topic}/{partition}"

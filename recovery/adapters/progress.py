"""How far each program of a sandbox run has come, so that business time need not run ahead of it: small files beside the clock's.

Nothing is written where business time is wall time. A report is replaced whole, so a reader sees the former or the present one.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

FOLDER = "progress"


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a program says of itself.

    `process` tells one run of it from the next. Positions are next offsets, by "topic/partition": `read` is what it has finished with, and
    `written` where its own committed messages end, as far as this process wrote them. `at` is the business time (Unix seconds) up to which
    it has acted by the clock, and `next` the one at which it will do so again by itself.
    """

    process: str
    read: Mapping[str, int] = {}
    written: Mapping[str, int] = {}
    at: float = 0.0
    next: float = 0.0


Tell = Callable[[Report], None]
"""Keeps a report."""


class Reader:
    """Tells how far a program has read whose reading outlives it: a run that begins anew goes on from the last report of the one before."""

    def __init__(self, clock_file: Path | None, name: str, process: str) -> None:
        self._tell, self._process = teller(clock_file, name), process
        former = reports(clock_file).get(name) if clock_file is not None else None
        self._read = dict(former.read) if former is not None else {}

    def __call__(self, ends: Mapping[str, int]) -> None:
        """Everything before these offsets is done; what was told of other partitions holds on."""
        if self._tell is not None:
            self._read.update(ends)
            self._tell(Report(process=self._process, read=self._read))


def teller(clock_file: Path | None, name: str) -> Tell | None:
    """What keeps the reports of the program `name`; None where there is no clock file."""
    if clock_file is None:
        return None
    folder = clock_file.parent / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    file, fresh = folder / f"{name}.json", folder / f"{name}.{os.getpid()}.tmp"

    def tell(report: Report) -> None:
        fresh.write_bytes(msgspec.json.encode(report))
        os.replace(fresh, file)

    return tell


def reports(clock_file: Path) -> dict[str, Report]:
    """The last report of each program that made one, by name."""
    found = {}
    for file in (clock_file.parent / FOLDER).glob("*.json"):
        found[file.stem] = msgspec.json.decode(file.read_bytes(), type=Report)
    return found


def place(topic: str, partition: int) -> str:
    """A partition's name in a report."""
    return f"{topic}/{partition}"

"""The only call of the system clock. Wall time is real; business time may come from a sandbox's clock file."""

import os
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from recovery.vocabulary import Clock


class ClockFile(msgspec.Struct, frozen=True):
    """Business time as the sandbox keeps it: at wall second `wall0` it was `business0`, and it runs `speed` times as fast (0: held).

    A `stepped` clock does not move between two steps, so that everything of one step has the same time on every machine.
    """

    wall0: float
    business0: float
    speed: float
    stepped: bool = False


def wall() -> datetime:
    """The wall time: signatures, timeouts, leases, latency."""
    return datetime.now(UTC)


def business_seconds(file: ClockFile, wall_seconds: float) -> float:
    """Business time in unix seconds at a wall time; never ahead of the wall, so a fast clock catches up and then keeps pace."""
    return min(wall_seconds, file.business0 + (wall_seconds - file.wall0) * file.speed)


def business_clock(path: Path | None) -> Clock:
    """The business clock: wall time without a file, else the time that the sandbox's clock file says, re-read when it changes."""
    if path is None:
        return wall
    return ScaledClock(path)


def is_stepped(path: Path | None) -> bool:
    """Whether business time waits for what each of its steps causes: then nothing that comes is held back to come together with more."""
    return path is not None and path.exists() and ScaledClock(path).stepped


class ScaledClock:
    """Reads business time from a clock file; notices at once when the sandbox holds or releases the clock, and never goes back."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] = (0, 0)
        self._file = ClockFile(wall0=0.0, business0=0.0, speed=0.0)
        self._latest = 0.0
        self._load()

    def __call__(self) -> datetime:
        """Business time now. Raises FileNotFoundError when the sandbox never wrote its clock."""
        self._load()
        # A hold takes effect when the file is written, a moment after the instant that it names.
        self._latest = max(self._latest, business_seconds(self._file, time.time()))
        return datetime.fromtimestamp(self._latest, UTC)

    @property
    def speed(self) -> float:
        """How many business seconds pass in a wall second at present; 1 once the fast clock has caught up."""
        self._load()
        now = time.time()
        return 1.0 if business_seconds(self._file, now) >= now else self._file.speed

    @property
    def stepped(self) -> bool:
        """Whether business time passes in steps at present."""
        self._load()
        return self._file.stepped

    def _load(self) -> None:
        stat = os.stat(self._path)
        seen = (stat.st_mtime_ns, stat.st_ino)
        if seen != self._seen:
            self._file = msgspec.json.decode(self._path.read_bytes(), type=ClockFile)
            self._seen = seen

"""The keeper of business time: one small file that every part of the system reads. Wall time never bends."""

import json
import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

DAY = 86_400.0
_CAUGHT_UP_S = 0.002


class SandboxClock:
    """Business time = min(wall, business0 + (wall - wall0) * speed), in Unix seconds; held means speed 0.

    Begins `days` before the wall and held (reason "start") until `start()`. The file is replaced atomically at every change of speed. Once
    business has caught up with the wall a hold changes nothing any more.

    The time in the file is never before what a reader computed up to the instant of the change. Between that instant and the replaced file
    (measured on a busy machine: median 0.1 ms, 99 % below 1.5 ms) a reader still extrapolates at the old speed and may be ahead of a hold
    by that time multiplied by `speed`: 2 s of business at 21,600, rarely 30 s. A program that compares two readings must tolerate that
    much, or never let its own time go backwards.

    A stepped clock does not move until `step`, until `run_on` lets it pass as fast as the wall's. A second file beside the first, `later`,
    follows a step only when `follow` is called: for programs that act by the clock and must not act at the same time as the ticker.
    """

    def __init__(
        self,
        path: Path,
        *,
        speed: float,
        days: float,
        wall: Callable[[], float] = time.time,
        start: float | None = None,
        stepped: bool = False,
    ) -> None:
        self.path = path
        self.later = path.with_name(f"{path.stem}-later{path.suffix}")
        self.speed = speed
        self.wall = wall
        self.stepped = stepped
        self._holds: Counter[str] = Counter({"start": 1})
        self._wall0 = wall()
        self._business0 = self._wall0 - days * DAY if start is None else start
        self._running = 0.0
        self.began = self._business0
        self._write()
        self.follow()

    def now(self) -> float:
        """Business time, Unix seconds."""
        return self._at(self.wall())

    @property
    def caught_up(self) -> bool:
        """Whether the month is over and business time is wall time."""
        return self.wall() - self.now() <= _CAUGHT_UP_S

    @property
    def started(self) -> bool:
        """Whether `start()` was called."""
        return "start" not in self._holds

    def start(self) -> None:
        """Let business time run; a second call changes nothing."""
        self._holds.pop("start", None)
        self._apply()

    def run_at(self, speed: float) -> None:
        """Business seconds per wall second from now on, unless held; what is held runs so when it is released."""
        self.speed = speed
        self._apply()

    def step(self, to: float) -> None:
        """Move a stepped clock to this business time; never back, nor ahead of the wall. Raises ValueError when it is not stepped."""
        if not self.stepped:
            raise ValueError("This clock runs by itself; only a stepped one can be moved.")
        self._wall0 = self.wall()
        self._business0 = min(max(to, self._business0), self._wall0)
        self._write()

    def follow(self) -> None:
        """Let those who read the later file see the time of the last step, too."""
        self._write_to(self.later)

    def run_on(self) -> None:
        """A stepped clock passes as fast as the wall's from now on."""
        self._business0, self._wall0 = self.now(), self.wall()
        self.stepped, self.speed = False, 1.0
        self._apply()

    def hold(self, reason: str) -> None:
        """Stop business time; the same reason may hold several times and must release as often."""
        self._holds[reason] += 1
        self._apply()

    def release(self, reason: str) -> None:
        """Take back one hold of this reason; without one nothing happens."""
        if self._holds[reason] <= 1:
            self._holds.pop(reason, None)
        else:
            self._holds[reason] -= 1
        self._apply()

    def holders(self) -> list[str]:
        """The reasons for which business time is held now, each once."""
        return list(self._holds)

    def state(self) -> dict[str, object]:
        """What `GET /_clock` answers."""
        return {
            "now": self.now(),
            "wall": self.wall(),
            "speed": self._running,
            "full_speed": self.speed,
            "holds": dict(self._holds),
            "held": bool(self._holds) if self.stepped else self._running == 0.0,
            "stepped": self.stepped,
            "caught_up": self.caught_up,
            "file": str(self.path),
        }

    def _apply(self) -> None:
        wanted = 0.0 if self._holds or self.stepped else self.speed
        if wanted == self._running or (self._running > 0 and self.caught_up):
            return
        wall = self.wall()  # the last reading before the file is written: nobody may have computed a later time by then
        self._business0, self._wall0 = self._at(wall), wall
        self._running = wanted
        self._write()
        self.follow()

    def _at(self, wall: float) -> float:
        return min(wall, self._business0 + (wall - self._wall0) * self._running)

    def _write(self) -> None:
        self._write_to(self.path)

    def _write_to(self, path: Path) -> None:
        text = json.dumps({"wall0": self._wall0, "business0": self._business0, "speed": self._running, "stepped": self.stepped})
        fresh = path.with_suffix(".tmp")
        fresh.write_text(text)
        os.replace(fresh, path)

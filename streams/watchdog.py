"""Ends a worker that makes no progress although the broker is reachable, so that its supervisor starts a new one.

No progress alone proves nothing (there may be nothing to do, or no broker). A worker is stuck when one thing has not moved for `patience`
seconds *and* the broker, read over a connection of our own, shows that it should have moved.
"""

import logging
import threading
import time
from collections.abc import Callable, Hashable, Iterable
from typing import NamedTuple

log = logging.getLogger(__name__)

CHECK_EVERY = 1.0


class Sign(NamedTuple):
    """One thing that moves while the worker lives, and the question that shows whether it ought to have moved.

    `overdue` blocks for some seconds at most and answers why the worker is stuck, or None (nothing to do, no broker).
    """

    name: Hashable
    value: Hashable
    overdue: Callable[[], str | None]


class Watchdog:
    """Remembers since when each sign has not moved. `leave` is called with the reason and is not expected to return."""

    def __init__(
        self,
        signs: Callable[[], Iterable[Sign]],
        leave: Callable[[str], object],
        patience: float,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._signs, self._leave, self._patience, self._now = signs, leave, patience, now
        self._since: dict[Hashable, tuple[Hashable, float]] = {}

    def check(self) -> None:
        """Compare all signs with the last check; query the broker about those that have not moved for too long."""
        signs = list(self._signs())
        self._since = {sign.name: self._since[sign.name] for sign in signs if sign.name in self._since}
        for sign in signs:
            value, since = self._since.get(sign.name, (None, 0.0))
            if sign.name not in self._since or value != sign.value:
                self._since[sign.name] = (sign.value, self._now())
            elif self._now() - since >= self._patience:
                if reason := sign.overdue():
                    self._leave(f"{sign.name}: {reason}; nothing has moved for {self._patience:.0f} s")
                self._since[sign.name] = (sign.value, self._now())

    def start(self) -> None:
        """Check every second, in a thread that ends with the process and does not depend on the event loop."""
        threading.Thread(target=self._run, name="watchdog", daemon=True).start()

    def _run(self) -> None:
        pause = threading.Event()
        while not pause.wait(CHECK_EVERY):
            try:
                self.check()
            except Exception:
                log.warning("the watchdog's check failed, trying again", exc_info=True)

"""The time as a fact: TimePassed on every partition of `facts`, the only clock of the stream. Two tickers at once are harmless."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from recovery.adapters.kafka import NotDelivered
from recovery.contracts.facts import Fact, TimePassed
from recovery.vocabulary import Clock

log = logging.getLogger(__name__)
KEY = b"time"
CHECK_SECONDS = 0.1
"""How often a scaled clock is read, and so the shortest time between two ticks."""
STEPPED_CHECK_SECONDS = 0.004
"""How often a clock is read that moves in steps: each step waits for its tick."""
LONGEST_STEP = timedelta(minutes=30)
"""Business time after which the next check makes a tick: with checks every 100 ms and a month in 100 s, ticks stay within an hour."""


class WritesEverywhere(Protocol):
    """Something that writes a fact to every partition."""

    def write(self, key: bytes, fact_for: Callable[[int], Fact]) -> None:
        """Write `fact_for(partition)` to each; raise NotDelivered when the broker has not all."""


class Ticker:
    """Ticks when `tick_seconds` of wall time have passed, or LONGEST_STEP of business time; never backwards.

    `business` and `wall` are the two clocks, `seconds` a monotonic one. While `stepped` returns True, it ticks at every step of business
    time. `report` gets each tick that the broker has acknowledged.
    """

    def __init__(
        self,
        everywhere: WritesEverywhere,
        business: Clock,
        wall: Clock,
        tick_seconds: float,
        seconds: Callable[[], float],
        stepped: Callable[[], bool] = lambda: False,
        report: Callable[[datetime], object] = lambda _: None,
    ) -> None:
        self._everywhere, self._business, self._wall = everywhere, business, wall
        self._tick_seconds, self._seconds = tick_seconds, seconds
        self._stepped, self._report = stepped, report
        self._last: datetime | None = None
        self._last_at = 0.0
        self._failing = False

    def check(self) -> bool:
        """Tick if it is time to. Returns whether it did. A tick that the broker did not take is dropped: the next one says more."""
        now, at = self._business(), self._seconds()
        if not self._due(now, at):
            return False
        try:
            self._everywhere.write(KEY, lambda partition: time_passed(partition, now, self._wall()))
        except NotDelivered as error:
            if not self._failing:
                log.warning("the time cannot be published: %s Ticks are skipped until the broker is back.", error)
            self._failing = True
            return False
        if self._failing:
            log.info("the time is published again")
        self._failing, self._last, self._last_at = False, now, at
        self._report(now)
        return True

    def _due(self, now: datetime, at: float) -> bool:
        if self._last is None:
            return True
        if now <= self._last:  # a held clock, or one that was set back
            return False
        return self._stepped() or at - self._last_at >= self._tick_seconds or now - self._last >= LONGEST_STEP


def time_passed(partition: int, now: datetime, wall: datetime) -> TimePassed:
    """The tick of one partition at a business time; its id is that of its moment, so the same tick twice is one fact."""
    id = f"time:{partition}:{int(now.timestamp() * 1000)}"
    return TimePassed(id=id, account="", occurred_at=now, received_at=wall, trace=id)


def run(ticker: Ticker, wait: Callable[[float], bool], every: Callable[[], float]) -> None:
    """Check every `every()` seconds until `wait`, which waits that long, returns True."""
    while True:
        ticker.check()
        if wait(every()):
            return

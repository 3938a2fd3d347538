"""How fast business time may run: towards a wanted rate, slower while the pipeline is behind. Pure."""

from math import inf

SEARCH_S, HELD_S = 3.0, 4.0
"""Seconds of backlog that are too much: while the highest rate is looked for, and while a rate is held.
The first is more than the second in which rows wait for company, which is no backlog.

An effect is valid for 24 business hours, which pass in some seconds here; with a larger backlog effects would expire and cost less.
"""
SLOWER, FASTER = 0.75, 1.15
REST_LOOKS = 4
"""Looks without a change after running slower: the backlog needs a while to go."""
SMOOTH, SMOOTH_SPEED = 0.3, 0.1


class Pace:
    """A speed in business seconds per wall second, adapted at every look."""

    def __init__(self, wanted: float, speed_of_one: float) -> None:
        """`speed_of_one` is the speed that gives one webhook a second, as known so far."""
        self._wanted, self.speed_of_one = wanted, speed_of_one
        self._bound = SEARCH_S if wanted == inf else HELD_S
        self._rate = self._reached = min(wanted, 100.0)
        self._rest = 0

    @property
    def speed(self) -> float:
        """Business seconds per wall second."""
        return self._rate * self.speed_of_one

    def adapt(self, rate: float, behind_s: float, waiting: float) -> bool:
        """Take in what was reached since the last look (webhooks a second), seconds that rows are behind, and what is open."""
        before = self.speed
        self._reached += SMOOTH * (rate - self._reached)
        if rate > 0:
            self.speed_of_one += SMOOTH_SPEED * (min(2 * self.speed_of_one, before / rate) - self.speed_of_one)
        late = max(behind_s, waiting / max(20.0, self._reached)) / self._bound
        self._rest -= 1
        if self._rest > 0:
            return self.speed != before
        if late > 1:
            self._rate, self._rest = max(10.0, min(self._rate, self._reached) * SLOWER), REST_LOOKS
        elif late < 0.6:
            self._rate = min(self._wanted, self._rate * FASTER)
        return self.speed != before

"""The order in which Stripe's events are searched for one of ours: windows of time, the oldest first, each wider than the one before. Pure.

Stripe lists events newest first, and a busy merchant has thousands a day. The event was mostly written within seconds of the call, so the
first window nearly always has it; the rest is searched to its end all the same, in as many calls as it takes.
"""

import msgspec

BEFORE = 60
"""Seconds before the claim at which the search begins: Stripe's clock and ours differ."""
AFTER = 25 * 3600
"""Seconds after the claim at which it ends: a key is used for 23 hours (charges.py), and events are written within an hour."""
FIRST_WIDTH = 90
"""Seconds of the first window; each further one is twice as wide."""


class Search(msgspec.Struct, frozen=True):
    """A search at a window of creation times (Unix seconds, both included), after an event of it (empty: at its beginning). `end` is the
    last second that is searched."""

    low: int
    high: int
    end: int
    after: str = ""

    @property
    def over(self) -> bool:
        """Whether everything has been searched."""
        return self.low > self.end

    def parameters(self) -> dict[str, object]:
        """The parameters of the next list call."""
        window: dict[str, object] = {"limit": 100, "created": {"gte": self.low, "lte": self.high}}
        return window | ({"starting_after": self.after} if self.after else {})

    def beyond(self, last: str, *, has_more: bool) -> "Search":
        """The search after a page whose last event was `last`."""
        if has_more and last:
            return Search(self.low, self.high, self.end, last)
        width = 2 * (self.high - self.low + 1)
        return Search(self.high + 1, min(self.high + width, self.end), self.end)


def search_from(since: float) -> Search:
    """The search for an event of a call that was claimed at `since`."""
    low = int(since) - BEFORE
    return Search(low, low + FIRST_WIDTH - 1, int(since) + AFTER)

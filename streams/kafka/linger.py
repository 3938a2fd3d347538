"""When a busy worker takes its next records: every batch is a transaction, and few larger ones cost less. Pure."""

from typing import Final

ENOUGH: Final = 400
"""Records at once that show a backlog: the next ones are taken without a pause."""


class Linger:
    """At least `seconds` lie between two batches; what comes after a longer pause is taken at once."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._not_before = 0.0

    def rest(self, now: float) -> float:
        """Seconds to wait before the next records are taken; 0 or less for none."""
        return self._not_before - now

    def taken(self, now: float, records: int) -> None:
        """Note that so many records were taken; none changes nothing."""
        if records:
            self._not_before = now + (self.seconds if records < ENOUGH else 0.0)

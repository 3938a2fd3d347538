"""The wait between two scans: in business time, but never without a rest in wall time."""

from collections.abc import Callable
from datetime import datetime, timedelta

from recovery.vocabulary import Clock

Wait = Callable[[float], bool]
"""Waits this many seconds, and returns True as soon as a stop is requested."""
REST_SECONDS = 20.0
"""The least wall seconds between two scans, however fast business time runs: a scan may read every subscription."""
STEP_SECONDS = 5.0
"""Wall seconds after which business time is read again."""
STEPPED_SECONDS = 0.02
"""The same while business time passes in steps, each of which waits for the scan that is due in it."""


def in_business_time(
    business: Clock,
    wait: Wait,
    stepped: Callable[[], bool] = lambda: False,
    report: Callable[[datetime, datetime], object] = lambda _at, _next: None,
) -> Wait:
    """The same wait by the business clock; `wait` waits in wall time.

    `stepped` is whether business time passes in steps. `report` gets, before each wait, the business time up to which everything due was
    done, and the time when something is due again.
    """

    def waited(seconds: float) -> bool:
        at = business()
        due = at + timedelta(seconds=seconds)
        report(at, due)
        stopped = False
        while not stopped and stepped() and business() < due:
            stopped = wait(STEPPED_SECONDS)
        if stopped or business() >= due:
            return stopped
        stopped = wait(min(REST_SECONDS, seconds))
        while not stopped and business() < due:
            stopped = wait(STEP_SECONDS)
        return stopped

    return waited

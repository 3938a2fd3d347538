"""Waiting between two looks: in business time, but never without a rest in wall time."""

from collections.abc import Callable
from datetime import datetime, timedelta

from recovery.vocabulary import Clock

Wait = Callable[[float], bool]
"""Waits so many seconds, and answers True as soon as it is asked to stop."""
REST_SECONDS = 20.0
"""Wall seconds between two looks at the least, however fast business time runs: a look may read every subscription."""
STEP_SECONDS = 5.0
"""Wall seconds after which business time is asked for again."""
STEPPED_SECONDS = 0.02
"""The same while business time passes in steps, each of which waits for the look that falls due in it."""


def in_business_time(
    business: Clock,
    wait: Wait,
    stepped: Callable[[], bool] = lambda: False,
    told: Callable[[datetime, datetime], object] = lambda _at, _next: None,
) -> Wait:
    """The same wait by the business clock; `wait` waits in wall time.

    `stepped` says whether business time passes in steps; `told` hears, before each wait, at which business time everything due was done,
    and when something is due again.
    """

    def waited(seconds: float) -> bool:
        at = business()
        due = at + timedelta(seconds=seconds)
        told(at, due)
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

"""Waiting between two looks: in business time, but never without a rest in wall time."""

from collections.abc import Callable
from datetime import timedelta

from recovery.vocabulary import Clock

Wait = Callable[[float], bool]
"""Waits so many seconds, and answers True as soon as it is asked to stop."""
REST_SECONDS = 20.0
"""Wall seconds between two looks at the least, however fast business time runs: a look may read every subscription."""
STEP_SECONDS = 5.0
"""Wall seconds after which business time is asked for again."""


def in_business_time(business: Clock, wait: Wait) -> Wait:
    """The same wait by the business clock; `wait` waits in wall time."""

    def waited(seconds: float) -> bool:
        due = business() + timedelta(seconds=seconds)
        stopped = wait(min(REST_SECONDS, seconds))
        while not stopped and business() < due:
            stopped = wait(STEP_SECONDS)
        return stopped

    return waited

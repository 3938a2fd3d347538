"""When a failed delivery is tried again, and when an endpoint counts as dead. Pure; derived, so that a restart changes nothing.

Standard Webhooks ("Retries") recommends backoff over days with some jitter; a delivery is tried for three days.
"""

import zlib
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

PAUSES = (5.0, 300.0, 1800.0, 7200.0, 18_000.0)
LONGEST = 36_000.0
"""Wall seconds after the first tries that failed, and after every further one."""
JITTER = 0.2
"""By how much at most a pause is longer, so that what failed together is not tried together."""
PATIENCE = LONGEST
"""How long at most an endpoint's own Retry-After is obeyed, in wall seconds."""
LAST_CALL = timedelta(minutes=10)
"""The last try is made so long before a delivery's end."""
DEAD_AFTER = timedelta(hours=71)
"""An endpoint is dead when all has failed for so long (business time): the three days of a delivery, less what its last try comes early."""
DEAD_FAILURES = 6
"""And so many tries in a row, so that a process that was away for days does not take one failure before and one after for three days."""
OPEN_AFTER = 5
"""Failures in a row after which only one probe at a time is sent."""
FIRST_PROBE, LONGEST_PROBE = 15.0, 600.0
"""Wall seconds between two probes: doubling with each that failed."""


def pause_after(message: str, tries: int, retry_after: float = 0.0) -> float:
    """Wall seconds until the next attempt of a delivery that failed `tries` times (1 or more); never less than the endpoint's
    Retry-After."""
    pause = PAUSES[tries - 1] if tries <= len(PAUSES) else LONGEST
    drawn = zlib.crc32(f"{message}/{tries}".encode()) / 0xFFFFFFFF
    return max(pause * (1 + JITTER * drawn), min(retry_after, PATIENCE))


def in_time(pause: float, now: datetime, not_after: datetime) -> float | None:
    """The pause, shortened for a last try just before the delivery's end; None when there is no time for one."""
    left = (not_after - LAST_CALL - now).total_seconds()
    return min(pause, left) if left > 0 else None


def probe_pause(failures: int) -> float:
    """Wall seconds until the next probe of an endpoint that has failed `failures` times in a row; 0 while it may be used freely."""
    if failures < OPEN_AFTER:
        return 0.0
    return min(LONGEST_PROBE, FIRST_PROBE * 2.0 ** min(failures - OPEN_AFTER, 10))


def is_dead(failures: int, failing_since: datetime, now: datetime) -> bool:
    """Whether an endpoint that fails since then (business time), so many times in a row, is to be disabled."""
    return failures >= DEAD_FAILURES and now - failing_since >= DEAD_AFTER


def retry_after(header: str, now: datetime) -> float:
    """Wall seconds of a Retry-After header, given as seconds or as a date (RFC 9110, 10.2.3); 0 for an unusable value."""
    text = header.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    return max(0.0, (at - now).total_seconds()) if at.tzinfo is not None else 0.0

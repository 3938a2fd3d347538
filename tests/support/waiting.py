"""Waiting for a condition with a deadline: the only way a test waits."""

import asyncio
import time
from collections.abc import Callable

LEAST = 120.0
"""Seconds that are waited at least: what comes for certain comes late on a slow machine, and only a failure waits so long."""


def until(condition: Callable[[], object], seconds: float = 10.0, what: str = "the condition") -> None:
    """Return once `condition()` is true; fail after `seconds`, or LEAST, saying what was awaited and how it last looked."""
    seconds = max(seconds, LEAST)
    deadline = time.monotonic() + seconds
    while not (seen := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:g} s for {what}; last seen: {seen!r}")
        time.sleep(0.02)


async def until_async(condition: Callable[[], object], seconds: float = 10.0, what: str = "the condition") -> None:
    """The same within an event loop, which goes on meanwhile."""
    seconds = max(seconds, LEAST)
    deadline = time.monotonic() + seconds
    while not (seen := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:g} s for {what}; last seen: {seen!r}")
        await asyncio.sleep(0.005)

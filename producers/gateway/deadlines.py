"""One deadline for many short waits: what `asyncio.timeout` does, for a fraction of its price, on a path that every webhook takes."""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Deadlines:
    """Ends waits that last longer than `seconds`. One check of all of them, four times within that time, replaces a timer for each."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._waiting: dict[asyncio.Task[Any], float] = {}
        self._late: set[asyncio.Task[Any]] = set()
        self._checking = False

    async def within(self, wait: Coroutine[Any, Any, T]) -> T:
        """What the wait gives. Raises TimeoutError when it takes more than the seconds, by up to a quarter."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("A deadline needs a task to end.")
        self._waiting[task] = time.monotonic() + self._seconds
        if not self._checking:
            self._checking = True
            asyncio.get_running_loop().call_later(self._seconds / 4, self._check)
        try:
            return await wait
        except asyncio.CancelledError:
            if task in self._late and task.uncancel() == 0:
                raise TimeoutError from None
            raise
        finally:
            self._late.discard(task)
            del self._waiting[task]

    def _check(self) -> None:
        now = time.monotonic()
        for task, until in self._waiting.items():
            if until < now and task not in self._late:
                self._late.add(task)
                task.cancel()
        self._checking = bool(self._waiting)
        if self._waiting:
            asyncio.get_running_loop().call_later(self._seconds / 4, self._check)

"""Threads for one kind of look-up, shared fairly: each owner has one look-up under way, and few that wait.

Every kind has threads of its own, so that reports of returned mail never keep an answer to a text waiting.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
THREADS = 2
MOST_WAITING = 8
"""Look-ups of one owner that may wait for their turn."""


class Busy(Exception):
    """The owner has as many look-ups waiting as it may have."""


class Lane:
    """Runs look-ups in its threads. Owners take turns: whoever has much to look up waits for itself."""

    def __init__(self, name: str, threads: int = THREADS) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._turns: dict[str, asyncio.Lock] = {}
        self._waiting: dict[str, int] = {}

    async def run(self, owner: str, look_up: Callable[[], T]) -> T:
        """What the look-up answers, once it is the owner's turn. Raises Busy when too many of the owner's wait already."""
        waiting = self._waiting.get(owner, 0)
        if waiting > MOST_WAITING:
            raise Busy(owner)
        self._waiting[owner] = waiting + 1
        try:
            async with self._turns.setdefault(owner, asyncio.Lock()):
                return await asyncio.get_running_loop().run_in_executor(self._threads, look_up)
        finally:
            self._waiting[owner] -= 1
            if not self._waiting[owner]:
                del self._waiting[owner], self._turns[owner]

"""Threads for one kind of lookup, shared fairly: each owner has one lookup in progress and a few in the queue.

Every kind has threads of its own, so that reports of returned mail never delay an answer to a text.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
THREADS = 2
MOST_WAITING = 8
"""Lookups of one owner that may wait in the queue."""


class PoolBusy(Exception):
    """The owner's queue of lookups is full."""


class LookupPool:
    """Runs lookups in its threads. Owners take turns: one with many lookups delays only itself."""

    def __init__(self, name: str, threads: int = THREADS) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._turns: dict[str, asyncio.Lock] = {}
        self._waiting: dict[str, int] = {}

    async def run(self, owner: str, lookup: Callable[[], T]) -> T:
        """The result of the lookup, once it is the owner's turn. Raises PoolBusy when the owner's queue is full."""
        waiting = self._waiting.get(owner, 0)
        if waiting > MOST_WAITING:
            raise PoolBusy(owner)
        self._waiting[owner] = waiting + 1
        try:
            async with self._turns.setdefault(owner, asyncio.Lock()):
                return await asyncio.get_running_loop().run_in_executor(self._threads, lookup)
        finally:
            self._waiting[owner] -= 1
            if not self._waiting[owner]:
                del self._waiting[owner], self._turns[owner]

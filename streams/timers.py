"""The timers of one partition's customers: rebuilt when the shard is loaded, read at every tick. The customer's own state decides.

A time is eight bytes that sort as times do (recovery/contracts/encoding/row_codec.py). An entry is one bytes object, the time and then the
key, because a shard holds a million of them: bytes compare faster than tuples, and the garbage collector skips them.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from heapq import heapify, heappop, heappush
from typing import Final

from recovery.contracts.encoding.row_codec import NEVER, stamp

STAMP: Final = len(NEVER)


class Timers:
    """A heap of stamps and row keys. A row that was moved leaves a stale entry behind, which `due` drops by asking the row."""

    def __init__(self, wake_of: Callable[[bytes], bytes]) -> None:
        """`wake_of` answers the present stamp of a row by its key, NEVER where there is none."""
        self._wake_of = wake_of
        self._heap: list[bytes] = []

    def load(self, wakes: Iterable[tuple[bytes, bytes]]) -> None:
        """Replace everything by these stamps and keys; linear in their number."""
        self._heap = [wake + key for wake, key in wakes]
        heapify(self._heap)

    def set(self, key: bytes, wake: bytes) -> None:
        """Set the timer of the customer `key` to `wake`; earlier entries that are still valid remain."""
        heappush(self._heap, wake + key)

    def due(self, now: datetime, limit: int) -> list[bytes]:
        """Up to `limit` keys whose row is due at `now`, the longest due first, each once; the rest stay for the next tick."""
        keys: dict[bytes, None] = {}
        present = stamp(now)
        while self._heap and self._heap[0][:STAMP] <= present and len(keys) < limit:
            entry = heappop(self._heap)
            key = entry[STAMP:]
            if key not in keys and self._wake_of(key) == entry[:STAMP]:
                keys[key] = None
        return list(keys)

    def __len__(self) -> int:
        return len(self._heap)

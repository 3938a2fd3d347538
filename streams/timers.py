"""The due times of one partition's rows: rebuilt when the shard is loaded, asked by every tick. A row's own wake decides."""

from collections.abc import Callable, Iterable
from datetime import datetime
from heapq import heapify, heappop, heappush


class Timers:
    """A heap of (due time, row key). A row that was moved leaves a stale entry behind, which `due` drops by asking the row."""

    def __init__(self, wake_of: Callable[[bytes], datetime | None]) -> None:
        """`wake_of` answers the present wake of a row by its key, or None."""
        self._wake_of = wake_of
        self._heap: list[tuple[datetime, bytes]] = []

    def load(self, wakes: Iterable[tuple[datetime, bytes]]) -> None:
        """Replace everything by these; linear in their number."""
        self._heap = list(wakes)
        heapify(self._heap)

    def set(self, key: bytes, wake: datetime) -> None:
        """The row `key` shall be asked at `wake`, besides earlier settings that are still true of it."""
        heappush(self._heap, (wake, key))

    def due(self, now: datetime, limit: int) -> list[bytes]:
        """Up to `limit` keys whose row is due at `now`, the longest due first, each once; the rest stay for the next tick."""
        keys: dict[bytes, None] = {}
        while self._heap and self._heap[0][0] <= now and len(keys) < limit:
            wake, key = heappop(self._heap)
            if key not in keys and self._wake_of(key) == wake:
                keys[key] = None
        return list(keys)

    def __len__(self) -> int:
        return len(self._heap)

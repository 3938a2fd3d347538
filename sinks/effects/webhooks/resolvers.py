"""Resolves the names of merchants' hosts, so that a name server that never answers delays only its own merchant.

The system's resolver cannot be interrupted: an abandoned lookup continues for up to a minute. Each runs in a thread of its own, requests
for the same name share one, and an account may have few in progress, the abandoned ones included.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future

from sinks.effects.webhooks.ssrf_guard import Resolve

PER_ACCOUNT, IN_ALL = 4, 256
"""Lookups that may be in progress for one account, and in all."""


class NotResolved(Exception):
    """The name server took too long: that is the endpoint's failure."""


class NoResolver(Exception):
    """The lookup was not begun: too many others are in progress. Nothing is known of the endpoint."""


class Resolvers:
    """Resolves names for accounts. Safe for several threads; after `close` no lookup begins."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._changed = threading.Condition()
        self._under_way: dict[tuple[str, str, int], Future[list[str]]] = {}
        self._busy: Counter[str] = Counter()
        self._closed = False

    def resolve(self, account: str, host: str, port: int, lookup: Resolve, patience: float) -> list[str]:
        """The addresses of a host, within `patience` wall seconds.

        Raises:
            NotResolved: the name server did not answer in time.
            NoResolver: the lookup could not be begun in time.
            OSError: the name has no address.
        """
        deadline = self._monotonic() + patience
        found = self._begun(account, host, port, lookup, deadline)
        try:
            return found.result(max(0.0, deadline - self._monotonic()))
        except TimeoutError as error:
            if found.done():  # it is the look-up's own error
                raise
            raise NotResolved(f"the host's name was not resolved within {patience:g} s") from error

    def close(self) -> None:
        """Begin nothing more. Threads that hang end with the process."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _begun(self, account: str, host: str, port: int, lookup: Resolve, deadline: float) -> Future[list[str]]:
        what = (account, host, port)
        with self._changed:
            while what not in self._under_way and (self._busy[account] >= PER_ACCOUNT or self._busy.total() >= IN_ALL):
                if self._closed or not self._changed.wait(max(0.0, deadline - self._monotonic())):
                    raise NoResolver("too many names are being resolved; this one must wait")
            found = self._under_way.get(what)
            if found is None:
                found = self._under_way[what] = Future()
                self._busy[account] += 1
                threading.Thread(target=self._lookup, args=(what, lookup, found), name=f"resolve {host}"[:60], daemon=True).start()
            return found

    def _lookup(self, what: tuple[str, str, int], lookup: Resolve, found: Future[list[str]]) -> None:
        account, host, port = what
        addresses: list[str] = []
        trouble: Exception | None = None
        try:
            addresses = lookup(host, port)
        except Exception as error:  # noqa: BLE001 - whatever the resolver raises is told to those who wait
            trouble = error
        with self._changed:
            del self._under_way[what]
            self._busy[account] -= 1
            if not self._busy[account]:
                del self._busy[account]
            self._changed.notify_all()
        if trouble is not None:
            found.set_exception(trouble)
        else:
            found.set_result(addresses)

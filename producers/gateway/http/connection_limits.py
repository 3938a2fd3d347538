"""What senders may take of the gateway's server before anybody knows who they are: connections, bytes and time."""

import asyncio
import ipaddress
import math
from collections import Counter
from functools import lru_cache
from typing import Protocol

import msgspec

from producers.gateway.signature import LONGEST_BODY
from recovery.config import PRIVATE_NETWORKS

SWEEP_SECONDS = 0.5
"""How often connections are checked for their deadlines."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much the server takes (docs/operations.md). `proxies` are networks whose connections are not counted by address."""

    head_bytes: int = 16 << 10
    """Request line and headers of one request, trailers too."""
    head_seconds: float = 10.0
    """From accepting a connection, or the first byte of a further request, to the end of the head."""
    body_bytes: int = LONGEST_BODY
    """One body."""
    body_seconds: float = 10.0
    """From the end of the head to the end of the body."""
    bodies_bytes: int = 16 << 20
    """All bodies that are arriving or not answered yet."""
    idle_seconds: float = 30.0
    """Between an answer and the next request."""
    close_seconds: float = 2.0
    """For a refused sender to read why, and for any to read its last answer."""
    connections: int = 2048
    """Connections at once."""
    per_address: int = 256
    """Connections at once from one address (IPv6: one /64) that does not belong to a proxy."""
    proxies: tuple[str, ...] = PRIVATE_NETWORKS


class Bounded(Protocol):
    """A connection as the bounds see it."""

    deadline: float

    @property
    def idle(self) -> bool:
        """Whether nothing is under way on it."""

    def expire(self) -> None:
        """Its deadline has passed."""

    def evict(self) -> None:
        """Others need its place: close it."""


class HttpLimits:
    """What all connections of a server hold together. When there is no room, those go first that have waited longest without a whole
    request; only when there is none, the newcomer is refused."""

    def __init__(self, limits: Limits, loop: asyncio.AbstractEventLoop) -> None:
        self._limits, self._loop = limits, loop
        self._proxies = tuple(ipaddress.ip_network(each) for each in limits.proxies)
        self._connections: dict[Bounded, str] = {}
        self._per_address: Counter[str] = Counter()
        self._silent: dict[Bounded, None] = {}
        self._unfinished: dict[Bounded, None] = {}
        self._held = 0
        self._sweeping = False
        self._address = lru_cache(4096)(self._counted_as)

    @property
    def held(self) -> int:
        """Bytes of bodies that are held now."""
        return self._held

    def admit(self, connection: Bounded, host: str) -> bool:
        """Whether a new connection from `host` may stay."""
        address = self._address(host)
        if address and self._per_address[address] >= self._limits.per_address:
            return False
        if len(self._connections) >= self._limits.connections:
            oldest = next(iter(self._silent), None) or next((each for each in self._connections if each.idle), None)
            if oldest is None:
                return False
            self.forget(oldest)
            oldest.evict()
        self._connections[connection] = address
        self._silent[connection] = None
        if address:
            self._per_address[address] += 1
        if not self._sweeping:
            self._sweeping = True
            self._loop.call_later(SWEEP_SECONDS, self._sweep)
        return True

    def forget(self, connection: Bounded) -> None:
        """The connection is gone; no error when it never was admitted."""
        address = self._connections.pop(connection, "")
        self._silent.pop(connection, None)
        self._unfinished.pop(connection, None)
        if address:
            self._per_address[address] -= 1
            if not self._per_address[address]:
                del self._per_address[address]

    def spoke(self, connection: Bounded) -> None:
        """The connection has sent the head of a request."""
        self._silent.pop(connection, None)

    def hold(self, connection: Bounded, size: int) -> bool:
        """Count so many more bytes of the connection's body, and answer whether there is room for them."""
        self._unfinished.setdefault(connection)
        while self._held + size > self._limits.bodies_bytes:
            oldest = next(iter(self._unfinished))
            if oldest is connection:
                return False
            self._unfinished.pop(oldest)
            oldest.evict()
        self._held += size
        return True

    def finished(self, connection: Bounded) -> None:
        """The connection's body is whole: it is no longer in the way of others."""
        self._unfinished.pop(connection, None)

    def release(self, size: int) -> None:
        """So many bytes of bodies are no longer held."""
        self._held -= size

    def _counted_as(self, host: str) -> str:
        """The address that a host's connections are counted under; empty when they are not counted."""
        try:
            address = ipaddress.ip_address(host.partition("%")[0])
        except ValueError:  # a Unix socket
            return ""
        if isinstance(address, ipaddress.IPv6Address):
            if address.ipv4_mapped is None:
                return "" if self._trusted(address) else str(ipaddress.ip_network((address, 64), strict=False))
            address = address.ipv4_mapped
        return "" if self._trusted(address) else str(address)

    def _trusted(self, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
        return any(address in network for network in self._proxies)

    def _sweep(self) -> None:
        now = self._loop.time()
        for late in [connection for connection in self._connections if connection.deadline < now]:
            late.deadline = math.inf  # it is told once; what it does next sets a new one
            late.expire()
        self._sweeping = bool(self._connections)
        if self._sweeping:
            self._loop.call_later(SWEEP_SECONDS, self._sweep)

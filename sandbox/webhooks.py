"""Deliveries as Stripe does them: signed, at least once, sometimes twice, late or out of order, until accepted."""

import asyncio
import hashlib
import hmac
import logging
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp

from sandbox.clock import SandboxClock
from sandbox.endpoints import Endpoint, Endpoints
from sandbox.events import Event
from sandbox.luck import Luck
from sandbox.records import Json

log = logging.getLogger(__name__)

IN_FLIGHT = 32
TIMEOUT_S = 10.0
_DUPLICATED = 0.02
_DELAYED = 0.05
_LATEST_S = 0.4
_FIRST_RETRY_S, _LAST_RETRY_S = 0.2, 3.0
HOLD_AFTER_S = 0.5
_LOOK_EVERY_S = 0.05


def signature(secret: str, wall: float, body: bytes) -> str:
    """The Stripe-Signature header: HMAC-SHA256 over "<t>.<body>", t in wall seconds."""
    stamp = str(int(wall))
    digest = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"t={stamp},v1={digest}"


@dataclass(slots=True, eq=False)
class _Delivery:
    event: Event
    endpoint: Endpoint
    body: bytes
    since: float = 0.0
    retry_s: float = _FIRST_RETRY_S


class Courier:
    """Delivers events to all endpoints that want them, and holds business time while one waits unanswered.

    `send` is called from the event loop; deliveries run until `close`. Nothing is ever given up while its endpoint
    exists. At most 32 requests are in flight; a request counts as failed after 10 s.
    """

    def __init__(self, endpoints: Endpoints, clock: SandboxClock, luck: Luck, account: str) -> None:
        self._endpoints = endpoints
        self._clock = clock
        self._luck = luck
        self._account = account
        self._ready: asyncio.Queue[_Delivery] = asyncio.Queue()
        self._waiting: dict[_Delivery, None] = {}
        self._later = 0
        self._in_flight = 0
        self._holding = False
        self._tasks: list[asyncio.Task[None]] = []
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Start delivering."""
        connector = aiohttp.TCPConnector(limit=IN_FLIGHT, keepalive_timeout=3)
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        self._session = aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False)
        self._tasks = [asyncio.create_task(self._work(self._session)) for _ in range(IN_FLIGHT)]
        self._tasks.append(asyncio.create_task(self._watch()))

    async def close(self) -> None:
        """Stop; what was not accepted stays undelivered."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def send(self, events: list[Event]) -> None:
        """Deliver these, in order but for luck: some twice, some late."""
        for event in events:
            for endpoint in self._endpoints.known.values():
                if endpoint.wants(event.type):
                    self._send_one(event, endpoint)

    def waiting(self) -> Json:
        """How much is on its way: `GET /_truth` "deliveries"."""
        return {
            "pending": len(self._waiting) + self._later,
            "in_flight": self._in_flight,
            "oldest_wait_s": self._oldest_wait(),
        }

    def _send_one(self, event: Event, endpoint: Endpoint) -> None:
        event.subscribed = True
        body = event.body(endpoint.api_version, self._account if endpoint.connect else None)
        delivery = _Delivery(event, endpoint, body)
        if self._luck.chance(_DELAYED, event.id, endpoint.id, "late"):
            self._put_later(delivery, self._luck.between(0, _LATEST_S, event.id, endpoint.id, "how late"))
        else:
            self._put(delivery)
        if self._luck.chance(_DUPLICATED, event.id, endpoint.id, "twice"):
            again = _Delivery(event, endpoint, body)
            self._put_later(again, self._luck.between(0, _LATEST_S, event.id, endpoint.id, "second"))

    def _put_later(self, delivery: _Delivery, seconds: float) -> None:
        self._later += 1
        asyncio.get_running_loop().call_later(seconds, self._due, delivery)

    def _due(self, delivery: _Delivery) -> None:
        self._later -= 1
        self._put(delivery)

    def _put(self, delivery: _Delivery) -> None:
        delivery.since = self._clock.wall()
        self._waiting[delivery] = None
        self._ready.put_nowait(delivery)

    async def _work(self, session: aiohttp.ClientSession) -> None:
        while True:
            delivery = await self._ready.get()
            if delivery.endpoint.id not in self._endpoints.known:
                self._waiting.pop(delivery, None)
                continue
            self._in_flight += 1
            try:
                accepted = await self._attempt(session, delivery)
            finally:
                self._in_flight -= 1
            if accepted:
                self._waiting.pop(delivery, None)
            else:
                asyncio.get_running_loop().call_later(delivery.retry_s, self._ready.put_nowait, delivery)
                delivery.retry_s = min(delivery.retry_s * 2, _LAST_RETRY_S)

    async def _attempt(self, session: aiohttp.ClientSession, delivery: _Delivery) -> bool:
        event, wall = delivery.event, self._clock.wall()
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": signature(delivery.endpoint.secret, wall, delivery.body),
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        }
        event.attempts += 1
        url = delivery.endpoint.url
        try:
            async with session.post(url, data=delivery.body, headers=headers, allow_redirects=False) as answer:
                await answer.read()
                accepted = 200 <= answer.status < 300
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.debug("delivery of %s failed: %s", event.id, error)
            return False
        if accepted:
            event.accepted += 1
            event.first_accepted_wall = event.first_accepted_wall or self._clock.wall()
        return accepted

    def _oldest_wait(self) -> float:
        oldest = next(iter(self._waiting), None)
        return 0.0 if oldest is None else max(self._clock.wall() - oldest.since, 0.0)

    async def _watch(self) -> None:
        """An outage of the receiver costs wall time and not days of business."""
        while True:
            late = self._oldest_wait() > HOLD_AFTER_S
            if late != self._holding:
                self._holding = late
                change: Callable[[str], None] = self._clock.hold if late else self._clock.release
                change("delivery")
            await asyncio.sleep(_LOOK_EVERY_S)

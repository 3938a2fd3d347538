"""Deliveries as Stripe does them: signed, at least once, sometimes twice, late or out of order, until accepted."""

import asyncio
import hashlib
import heapq
import hmac
import logging
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp

from sandbox.api.endpoints import Endpoint, Endpoints
from sandbox.clock import SandboxClock
from sandbox.simulation.events import Event
from sandbox.simulation.records import Json
from sandbox.simulation.seeded_random import Luck

log = logging.getLogger(__name__)

IN_FLIGHT = 32
TIMEOUT_S = 10.0
_DUPLICATED = 0.02
_DELAYED = 0.05
_LATEST_S = 0.4
_LATEST_BUSINESS_S = 2.4 * 3600
_FIRST_RETRY_S, _LAST_RETRY_S = 0.2, 3.0
HOLD_AFTER_S = 0.5
_CHECK_EVERY_S = 0.05


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

    While the clock is stepped, nothing leaves before `deliver`. What is late is late in business time, and what concerns one customer is
    delivered one after the other, so that its order depends on the seed alone; calls of the API and mails wait meanwhile
    (`begun_are_done`), so that no answer overtakes a webhook.
    """

    def __init__(self, endpoints: Endpoints, clock: SandboxClock, luck: Luck, account: str) -> None:
        self._endpoints = endpoints
        self._clock = clock
        self._luck = luck
        self._account = account
        self._ready: asyncio.Queue[_Delivery] = asyncio.Queue()
        self._waiting: dict[_Delivery, None] = {}
        self._later = 0
        self._kept: list[tuple[float, int, _Delivery]] = []
        self._count = 0
        self._lanes: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(IN_FLIGHT)
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
        for task in (*self._tasks, *self._lanes):
            task.cancel()
        await asyncio.gather(*self._tasks, *self._lanes, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def send(self, events: list[Event]) -> None:
        """Deliver these, in order but for luck: some twice, some late."""
        for event in events:
            for endpoint in self._endpoints.known.values():
                if endpoint.wants(event.type):
                    self._send_one(event, endpoint)

    async def deliver(self, seconds: float) -> Json:
        """While the clock is stepped: send what is due and wait up to `seconds` until it is accepted; answers what was begun and left."""
        begun = 0 if self._lanes else self._begin_due()  # what a delivery causes follows all that were begun with it
        if self._lanes:
            await asyncio.wait(self._lanes, timeout=seconds)
        return {"begun": begun, "left": len(self._waiting)}

    async def begun_are_done(self) -> None:
        """Return when no delivery of `deliver` is on its way."""
        while self._lanes:
            await asyncio.wait(self._lanes)

    def due(self) -> int:
        """How many deliveries wait for `deliver` although their time has come."""
        now = self._clock.now()
        return sum(at <= now for at, _, _ in self._kept)

    def run_on(self) -> None:
        """The clock is not stepped any more: what was kept leaves now."""
        for _, _, delivery in sorted(self._kept):
            self._put(delivery)
        self._kept.clear()

    def waiting(self) -> Json:
        """How much is on its way: `GET /_truth` "deliveries"."""
        return {
            "pending": len(self._waiting) + self._later + self.due(),
            "in_flight": self._in_flight,
            "oldest_wait_s": self._oldest_wait(),
        }

    def _send_one(self, event: Event, endpoint: Endpoint) -> None:
        event.subscribed = True
        body = event.body(endpoint.api_version, self._account if endpoint.connect else None)
        delivery = _Delivery(event, endpoint, body)
        late = self._luck.unit(event.id, endpoint.id, "how late") if self._luck.chance(_DELAYED, event.id, endpoint.id, "late") else 0.0
        self._schedule(delivery, late)
        if self._luck.chance(_DUPLICATED, event.id, endpoint.id, "twice"):
            self._schedule(_Delivery(event, endpoint, body), self._luck.unit(event.id, endpoint.id, "second"))

    def _schedule(self, delivery: _Delivery, late: float) -> None:
        """`late` is a share of the longest delay; 0 for what is on time."""
        if self._clock.stepped:
            self._count += 1
            heapq.heappush(self._kept, (self._clock.now() + late * _LATEST_BUSINESS_S, self._count, delivery))
        elif late:
            self._put_later(delivery, late * _LATEST_S)
        else:
            self._put(delivery)

    def _begin_due(self) -> int:
        """Start what is due, a lane for each customer."""
        now, lanes, begun = self._clock.now(), dict[str, list[_Delivery]](), 0
        while self._kept and self._kept[0][0] <= now:
            delivery = heapq.heappop(self._kept)[2]
            delivery.since = self._clock.wall()
            self._waiting[delivery] = None
            lanes.setdefault(delivery.event.customer or delivery.event.id, []).append(delivery)
            begun += 1
        for lane in lanes.values():
            task = asyncio.get_running_loop().create_task(self._one_by_one(lane))
            self._lanes.add(task)
            task.add_done_callback(self._lanes.discard)
        return begun

    async def _one_by_one(self, lane: list[_Delivery]) -> None:
        for delivery in lane:
            while self._session is not None and delivery.endpoint.id in self._endpoints.known:
                async with self._room:
                    accepted = await self._attempt(self._session, delivery)
                if accepted:
                    break
                await asyncio.sleep(delivery.retry_s)
                delivery.retry_s = min(delivery.retry_s * 2, _LAST_RETRY_S)
            self._waiting.pop(delivery, None)

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
            late = not self._clock.stepped and self._oldest_wait() > HOLD_AFTER_S
            if late != self._holding:
                self._holding = late
                change: Callable[[str], None] = self._clock.hold if late else self._clock.release
                change("delivery")
            await asyncio.sleep(_CHECK_EVERY_S)

"""The world around a stack under load: the sandbox's merchant behind the leanest servers there can be, in a process of its own.

It lives as the sandbox does (same customers, banks, payers, mix and API), and is told from outside how fast business time runs:
`POST /_speed?value=SECONDS` (business seconds per wall second), `GET /_counts`, `POST /_facts?rate=R&seconds=S` (payments that went well,
of customers who never failed, at an even rate). Arguments: HOME PORT SMTP_PORT GATEWAY CUSTOMERS DAYS SEED.
"""

import asyncio
import gc
import hashlib
import hmac
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import uvloop

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))

from bench.support.whole_lean import HOST, HttpServer, MailServer, Pool, read_by_its_payer  # noqa: E402 - the path is set above
from dunlin.demo.world import ACCOUNT, API_KEY, API_VERSION, SUBSCRIBED  # noqa: E402
from sandbox.api import forms, operations  # noqa: E402
from sandbox.api.endpoints import Endpoints  # noqa: E402
from sandbox.api.errors import Refusal  # noqa: E402
from sandbox.api.idempotency import Answer, Keys  # noqa: E402
from sandbox.api.objects import Objects  # noqa: E402
from sandbox.api.operations import Call, Operation  # noqa: E402
from sandbox.faults import Faults  # noqa: E402
from sandbox.runtime import Runtime  # noqa: E402
from sandbox.simulation.events import Event  # noqa: E402
from sandbox.simulation.seeded_random import Luck  # noqa: E402
from sandbox.simulation.world import Setting, World  # noqa: E402

SECRET = "whsec_ZHVubGluLWJlbmNoLWR1bmxpbi1iZW5jaC1kdW5saW4x"
"""Known to everybody, as all of this world is."""
DAY = 86_400.0
PUMP_SECONDS = 0.01
TWICE_EVERY = 50
"""One webhook in so many is delivered twice, as the sandbox does."""
WANTED = frozenset(SUBSCRIBED)
_encode = msgspec.json.Encoder().encode
OPERATIONS: dict[tuple[str, str, bool, str], Operation] = {
    ("GET", "invoices", True, ""): operations.retrieve_invoice,
    ("POST", "invoices", True, ""): operations.modify_invoice,
    ("POST", "invoices", True, "pay"): operations.pay_invoice,
    ("POST", "invoices", True, "void"): operations.void_invoice,
    ("POST", "invoices", True, "mark_uncollectible"): operations.mark_uncollectible,
    ("GET", "invoice_payments", False, ""): operations.list_invoice_payments,
    ("GET", "charges", True, ""): operations.retrieve("charge"),
    ("GET", "charges", False, ""): operations.list_charges,
    ("GET", "customers", True, ""): operations.retrieve("customer"),
    ("GET", "payment_methods", True, ""): operations.retrieve("payment_method"),
    ("GET", "subscriptions", True, ""): operations.retrieve("subscription"),
    ("GET", "subscriptions", False, ""): operations.list_subscriptions,
    ("DELETE", "subscriptions", True, ""): operations.cancel_subscription,
    ("GET", "payment_intents", True, ""): operations.retrieve("payment_intent"),
}
"""By method, collection, whether an id follows, and the verb behind it."""


class Clock:
    """Business time in the file that all parts read; its speed changes on demand."""

    def __init__(self, path: Path, days: float) -> None:
        self.path = path
        self._wall0 = time.time()
        self._business0 = self.began = self._wall0 - days * DAY
        self._speed = 0.0
        self.run_at(0.0)

    def wall(self) -> float:
        return time.time()

    def now(self) -> float:
        wall = time.time()
        return min(wall, self._business0 + (wall - self._wall0) * self._speed)

    def run_at(self, speed: float) -> None:
        self._business0, self._wall0 = self.now(), time.time()
        self._speed = speed
        fresh = self.path.with_suffix(".tmp")
        fresh.write_text(json.dumps({"wall0": self._wall0, "business0": self._business0, "speed": speed}))
        os.replace(fresh, self.path)


class Courier:
    """Signs and sends what the endpoint subscribes to."""

    def __init__(self, gateway: str) -> None:
        self.pool = Pool(gateway)
        self._head = f"POST /api/stripe/webhook/{ACCOUNT} HTTP/1.1\r\nHost: {gateway}\r\nContent-Type: application/json\r\n"
        self.sent = self.accepted = self.refused = 0

    def send(self, events: list[Event]) -> None:
        for event in events:
            if event.type in WANTED:
                self.put(event.body(API_VERSION))

    def put(self, body: bytes) -> None:
        self.sent += 1
        self.pool.put(self._request(body), lambda status: self._answered(body, status))
        if self.sent % TWICE_EVERY == 0:
            asyncio.get_running_loop().call_later(0.2, lambda: self.pool.put(self._request(body), lambda _status: None))

    def _request(self, body: bytes) -> bytes:
        stamp = str(int(time.time()))
        signed = hmac.new(SECRET.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        return f"{self._head}Content-Length: {len(body)}\r\nStripe-Signature: t={stamp},v1={signed}\r\n\r\n".encode() + body

    def _answered(self, body: bytes, status: int) -> None:
        if 200 <= status < 300:
            self.accepted += 1
            return
        self.refused += 1
        again = lambda: self.pool.put(self._request(body), lambda status: self._answered(body, status))  # noqa: E731
        asyncio.get_running_loop().call_later(0.5, again)


class Generator:
    """The world, its API, its inbox and its own small controls."""

    def __init__(self, arguments: list[str]) -> None:
        home, port, smtp_port, gateway, customers, days, seed = arguments
        self._port, self._smtp_port, self._seed = int(port), int(smtp_port), int(seed)
        self._clock = Clock(Path(home) / "clock.json", float(days))
        self._courier = Courier(gateway)
        self._gateway, self._customers = gateway, int(customers)
        self._world = World(self._setting(self._seed))
        self._world.behaviour.fetch = self._fetch
        luck = Luck(self._seed)
        made: Any = (self._clock, Endpoints(luck), self._courier)  # they do what the machine asks of its own
        self._machine = Runtime(self._world, *made, Faults(), luck, API_KEY)
        self._objects, self._keys = Objects(self._world), Keys()
        self._calls = self._mails = self._heard = 0

    def _setting(self, seed: int) -> Setting:
        return Setting(seed=seed, start=self._clock.began, customers=self._customers, account=ACCOUNT, base=f"http://{HOST}:{self._port}")

    async def run(self) -> None:
        """Serve until SIGTERM."""
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        loop.add_signal_handler(signal.SIGTERM, stop.set)
        await loop.create_server(lambda: HttpServer(self._handle), HOST, self._port, backlog=256)
        await loop.create_server(lambda: MailServer(self._mail), HOST, self._smtp_port, backlog=256)
        self._courier.pool.open()
        gc.freeze()
        Path(os.environ["DUNLIN_READY_FILE"]).touch()
        while not stop.is_set():
            self._machine.catch_up()
            await asyncio.sleep(PUMP_SECONDS)

    def _handle(self, method: str, target: str, head: bytes, body: bytes) -> tuple[int, bytes]:
        if target.startswith("/v1/"):
            return self._api(method, target, head, body)
        if target.startswith("/_"):
            return self._control(target)
        self._heard += 1  # the merchant's own system, and the pages that payers visit
        return 204, b""

    def _api(self, method: str, target: str, head: bytes, body: bytes) -> tuple[int, bytes]:
        self._calls += 1
        at = self._machine.catch_up()
        parts = urlsplit(target)
        names = parts.path.split("/")[2:]
        operation = OPERATIONS.get((method, names[0], len(names) > 1, names[2] if len(names) > 2 else ""))
        if operation is None:
            return 404, b'{"error":{"message":"not played here: %s"}}' % target.encode()
        key = _header(head, b"idempotency-key") if method == "POST" else None
        first = self._keys.begin(key, target + body.decode(), at) if key else None
        if first is not None:
            return first.status, first.body
        call = Call(
            self._machine,
            self._objects,
            {"id": names[1] if len(names) > 1 else ""},
            forms.decode(parts.query, body.decode()),
            at,
            self._machine.request(key),
            parts.path,
        )
        answer = self._performed(operation, call)
        if key:
            self._keys.end(key, at, answer)
        return answer.status, answer.body

    def _performed(self, operation: Operation, call: Call) -> Answer:
        try:
            return Answer(200, _encode(self._objects.expand(operation(call), call.params.get("expand"))))
        except Refusal as refusal:
            return Answer(refusal.status, _encode({"error": refusal.error}))
        finally:
            self._machine.flush()

    def _mail(self, raw: bytes) -> None:
        self._mails += 1
        read_by_its_payer(self._world, raw, self._clock.wall(), self._machine.catch_up())

    def _fetch(self, address: str) -> None:
        parts = urlsplit(address)
        if parts.netloc == self._gateway:
            target = f"{parts.path}?{parts.query}" if parts.query else parts.path
            self._courier.pool.put(f"GET {target} HTTP/1.1\r\nHost: {self._gateway}\r\n\r\n".encode(), lambda _status: None)

    def _control(self, target: str) -> tuple[int, bytes]:
        asked = parse_qs(urlsplit(target).query)
        if target.startswith("/_speed"):
            self._clock.run_at(float(asked["value"][0]))
        elif target.startswith("/_facts"):
            rate, seconds = float(asked["rate"][0]), float(asked["seconds"][0])
            task = asyncio.get_running_loop().create_task(self._facts(rate, int(rate * seconds)))
            self._facts_task = task
        return 200, _encode(self._counts())

    def _counts(self) -> dict[str, float]:
        bills = [bill for bill in self._world.books.invoices.values() if bill.created >= self._clock.began]
        failed = {bill.customer for bill in bills if bill.first_failed_at is not None}
        return {
            "sent": self._courier.sent,
            "accepted": self._courier.accepted,
            "refused": self._courier.refused,
            "waiting": len(self._courier.pool.queue),
            "days": (self._clock.now() - self._clock.began) / DAY,
            "billed": len({bill.customer for bill in bills}),
            "failed_customers": len(failed),
            "cases": sum(bill.first_failed_at is not None for bill in bills),
            "calls": self._calls,
            "mails": self._mails,
            "heard": self._heard,
        }

    async def _facts(self, rate: float, count: int) -> None:
        """Payments of another world's customers, at an even rate."""
        made = calm(self._setting(self._seed + 1), count)
        began = time.perf_counter()
        for number, body in enumerate(made):
            if (pause := began + number / rate - time.perf_counter()) > 0:
                await asyncio.sleep(pause)
            self._courier.put(body)


def calm(setting: Setting, count: int) -> list[bytes]:
    """At least the wanted number of webhooks of payments that went well at once."""
    found: list[bytes] = []
    while len(found) < count:
        world = World(Setting(seed=setting.seed + len(found), start=setting.start, customers=2_000, account=ACCOUNT, base=setting.base))
        paid = [event for event in world.advance(world.month_end) if event.type in ("invoice.paid", "invoice.payment_succeeded")]
        calmly = {bill.id for bill in world.books.invoices.values() if bill.first_failed_at is None}
        found += [event.body(API_VERSION) for event in paid if event.invoice in calmly]
    return found[:count]


def _header(head: bytes, name: bytes) -> str | None:
    for line in head.split(b"\r\n"):
        if line[: len(name)].lower() == name:
            return line.partition(b":")[2].strip().decode()
    return None


if __name__ == "__main__":
    uvloop.run(Generator(sys.argv[1:]).run())

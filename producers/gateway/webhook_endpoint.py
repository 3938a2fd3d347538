"""The webhook endpoint: verify, translate, publish, and answer 200 only when the broker has both the raw body and its fact.

One plain ASGI callable without a framework (a framework on this path costs about 40 % more for each request).
An accepted webhook becomes one fact, whatever the event means.
"""

import asyncio
import logging
import re
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import NamedTuple

from uvicorn.config import HTTP_PROTOCOLS

from producers.gateway.asgi import ClientGone, Headers, Receive, Scope, Send, answer, body_of, headers_of
from producers.gateway.deadlines import Deadlines
from producers.gateway.http.exchange import ACCEPTED, Exchange
from producers.gateway.kafka_delivery import Delivers
from producers.gateway.metrics import GatewayMetrics
from producers.gateway.router import Router
from producers.gateway.signature import LONGEST_BODY, Rejected, read_header
from producers.gateway.signers import Signers, signers
from producers.gateway.stripe_webhook import WebhookAccounts, messages_of, read
from recovery.adapters.kafka import NotDelivered
from recovery.contracts.facts import Fact
from recovery.vocabulary import Clock

log = logging.getLogger(__name__)
# Nobody serves this application without bounds: asked for httptools by its name, uvicorn takes our protocol in this process.
HTTP_PROTOCOLS["httptools"] = "producers.gateway.http.protocol:HttpConnection"
PATH = "/api/stripe/webhook"
_PATH = PATH.encode()
_PLAIN_PATH = re.compile(rb"/[A-Za-z0-9_-]*").fullmatch
BODY_LIMIT = LONGEST_BODY
"""Bytes; Stripe's events are far smaller."""
BODY_SECONDS = 10.0
"""How long a body may take to arrive."""
IN_FLIGHT_LIMIT = 1024
"""Requests that may wait for the broker at once; more get a 503."""
ACCOUNT_SHARE = 4
"""An account may have the fourth part of them, so that one that sends too much leaves room for the others."""
HASHED_INLINE = 64 << 10
"""Bytes hashed on the event loop for one request; more are hashed in a thread of their own."""


class WebhookResult(NamedTuple):
    """The response to the sender: a status, and one word for logs and metrics."""

    status: int
    reason: str


_ACCEPTED = WebhookResult(200, "accepted")


class Gateway:
    """The ASGI application, with all its dependencies as arguments. `wall` is wall time; `intake` answers every request that is not a
    webhook of Stripe."""

    def __init__(
        self, accounts: WebhookAccounts, delivery: Delivers, wall: Clock, metrics: GatewayMetrics, intake: Router | None = None
    ) -> None:
        self._accounts, self._delivery, self._wall, self._metrics = accounts, delivery, wall, metrics
        self._intake = intake
        self._in_flight = 0
        self._of_account: Counter[str] = Counter()
        self._signers = Signers(accounts)
        self._hashing = ThreadPoolExecutor(1, thread_name_prefix="hashing")
        metrics.in_flight = lambda: self._in_flight
        self._reading = Deadlines(BODY_SECONDS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        if scope["type"] != "http":
            raise RuntimeError(f"The gateway speaks HTTP only, not {scope['type']}.")
        method, path = scope["method"], scope["path"]
        if path == PATH or path.startswith(PATH + "/"):
            if method != "POST":
                return await answer(send, 405, b"Webhooks are sent with POST.\n")
            return await self._webhook(path[len(PATH) + 1 :], scope["headers"], receive, send)
        if self._intake is not None and (route := self._intake.route_of(path)) is not None:
            return await self._intake.answer(route, scope, receive, send)
        if method not in {"GET", "HEAD"}:
            return await answer(send, 404, b"There is nothing here. Webhooks go to /api/stripe/webhook.\n")
        if path == "/health":
            healthy = self._delivery.healthy
            return await answer(send, 200 if healthy else 503, _HEALTHY if healthy else _UNHEALTHY, content_type=b"application/json")
        if path == "/metrics" and not _forwarded(scope["headers"]):
            return await answer(send, 200, self._metrics.exposition(), content_type=b"text/plain; version=0.0.4; charset=utf-8")
        return await answer(send, 404, b"There is nothing here. Webhooks go to /api/stripe/webhook.\n")

    def taken(self, method: bytes, url: bytes) -> str | None:
        """The account in a webhook's address, for `post`; None for another request, or an address written in an unusual way."""
        if method != b"POST" or not url.startswith(_PATH):
            return None
        rest = url[len(_PATH) :]
        if not rest:
            return ""
        return rest[1:].decode("latin-1") if rest.startswith(b"/") and _PLAIN_PATH(rest) else None

    def post(self, account: str, exchange: Exchange, body: bytes) -> None:
        """Answer a webhook whose body is whole, without a task of its own: what ASGI does, for half of its price."""
        signature, _, traceparent = _known_headers(exchange.headers)

        def done(result: WebhookResult) -> None:
            if result.status == 200:
                self._metrics.answered(200, "accepted")
                exchange.answer(200, ACCEPTED, b"")
            else:
                text = self._record(account, result)
                exchange.answer(result.status, headers_of(result.status, text), text)

        self._take(account, signature, body, traceparent, done)

    def refused(self, status: int, reason: str) -> None:
        """Count a request that the server refused before it was one."""
        self._metrics.answered(status, reason)

    async def _webhook(self, account: str, headers: Headers, receive: Receive, send: Send) -> None:
        signature, length, traceparent = _known_headers(headers)
        try:
            body = await self._reading.within(body_of(receive, length, BODY_LIMIT))
        except ClientGone:
            return None
        except TimeoutError:
            result = WebhookResult(408, "slow")
        else:
            if body is None:
                result = WebhookResult(413, "too_large")
            else:
                future: asyncio.Future[WebhookResult] = asyncio.get_running_loop().create_future()
                self._take(account, signature, body, traceparent, lambda result: None if future.done() else future.set_result(result))
                result = await future
        text = self._record(account, result)
        return await answer(send, result.status, text, closing=result.status in {408, 413})

    def _record(self, account: str, result: WebhookResult) -> bytes:
        """Count and log an answer; its text."""
        self._metrics.answered(result.status, result.reason)
        if result.status != 200:
            known = account if self._accounts.secrets(account) else "an unknown account" if account else "the platform's endpoint"
            log.info("answered %d to %s: %s", result.status, known, result.reason)
        return _TEXTS[result.reason]

    def _take(self, account: str, signature: bytes | None, body: bytes, traceparent: bytes, done: "Done") -> None:
        """Verify, translate and publish; `done` is called once with what to answer, in this call or later."""
        if self._in_flight >= IN_FLIGHT_LIMIT:
            return done(WebhookResult(503, "too_many_in_flight"))
        arrived = _Arrived(account, body, traceparent, self._wall(), time.monotonic())
        read_as = read_header(signature, arrived.at.timestamp())
        if isinstance(read_as, Rejected):
            return done(WebhookResult(400, read_as.reason))
        candidates = self._signers.candidates(account, body, arrived.started)
        if candidates.work(len(body)) <= HASHED_INLINE:
            return self._publish(arrived, signers(read_as, body, candidates), done)
        hashed = asyncio.get_running_loop().run_in_executor(self._hashing, signers, read_as, body, candidates)
        hashed.add_done_callback(partial(self._hashed, arrived, done))
        return None

    def _hashed(self, arrived: "_Arrived", done: "Done", hashed: "asyncio.Future[list[str]]") -> None:
        try:
            self._publish(arrived, hashed.result(), done)
        except Exception:
            log.exception("a webhook could not be taken")
            done(WebhookResult(500, "fault"))

    def _publish(self, arrived: "_Arrived", signed_by: list[str], done: "Done") -> None:
        if not signed_by:
            return done(WebhookResult(400, "forged"))
        try:
            event = read(arrived.body)
        except (ValueError, RecursionError):
            return done(WebhookResult(400, "unreadable"))
        fact, messages = messages_of(self._accounts, arrived.path, signed_by, event, arrived.body, arrived.at, arrived.traceparent)
        account = fact.account
        if self._of_account[account] >= max(1, IN_FLIGHT_LIMIT // ACCOUNT_SHARE):
            return done(WebhookResult(503, "too_many_of_account"))
        try:
            future = self._delivery.deliver(messages)
        except NotDelivered as error:
            log.warning("not accepted: %s", error)
            return done(WebhookResult(503, "broker"))
        self._in_flight += 1
        self._of_account[account] += 1
        future.add_done_callback(partial(self._settled, fact, arrived.started, done))
        return None

    def _settled(self, fact: Fact, started: float, done: "Done", future: "asyncio.Future[None]") -> None:
        self._in_flight -= 1
        self._of_account[fact.account] -= 1
        error = None if future.cancelled() else future.exception()
        if error is not None or future.cancelled():
            log.warning("not accepted: %s", error or "given up")
            return done(WebhookResult(503, "broker"))
        self._metrics.accepted(type(fact), time.monotonic() - started)
        log.debug("accepted %s", fact.id)
        return done(_ACCEPTED)


class _Arrived(NamedTuple):
    """A webhook and when it arrived: `at` by the wall, `started` by a steady clock. `path` is the account in the address."""

    path: str
    body: bytes
    traceparent: bytes
    at: datetime
    started: float


Done = Callable[[WebhookResult], None]


def _known_headers(headers: Headers) -> tuple[bytes | None, int, bytes]:
    signature, length, traceparent = None, 0, b""
    for name, value in headers:
        if name == b"stripe-signature":
            signature = value
        elif name == b"content-length" and value.isdigit():
            length = int(value[:20])
        elif name == b"traceparent":
            traceparent = value
    return signature, length, traceparent


def _forwarded(headers: Headers) -> bool:
    """Whether a proxy passed the request on: it comes from outside, and outsiders must not see our figures."""
    return any(name in {b"x-forwarded-for", b"forwarded", b"x-real-ip", b"via"} for name, _ in headers)


_HEALTHY = b'{"status":"ok","broker":"ok"}\n'
_UNHEALTHY = b'{"status":"unavailable","broker":"no answer"}\n'
_TEXTS = {
    "accepted": b"",
    "fault": b"It could not be taken. Please send it again.\n",
    "no_signature": b"The header Stripe-Signature is missing.\n",
    "malformed": b"The header Stripe-Signature cannot be read.\n",
    "forged": b"No signature matches this endpoint's secrets. Compare the signing secret with the one in Stripe's Dashboard.\n",
    "stale": b"The signed time is more than 300 s old.\n",
    "future": b"The signed time is more than 300 s ahead. Is this machine's clock right?\n",
    "unreadable": b"The body is not JSON in UTF-8.\n",
    "slow": b"The body did not arrive within 10 s.\n",
    "too_large": b"The body is larger than 512 KiB.\n",
    "too_many_of_account": b"Too many requests of this account at once. Please send it again.\n",
    "too_many_in_flight": b"Too many requests at once. Please send it again.\n",
    "broker": b"It could not be stored. Please send it again.\n",
}

"""The webhook endpoint: verify, translate, publish, and answer 200 only when the broker has both the raw body and its fact.

One plain ASGI callable without a framework (a framework on this path costs about 40 % more for each request).
Accepted = one fact, whatever the event means: product decisions 26 and 38.
"""

import asyncio
import logging
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from producers.asgi import Gone, Receive, Scope, Send, answer, body_of
from producers.deadlines import Deadlines
from producers.delivery import Delivers
from producers.gateway_metrics import GatewayMetrics
from producers.intake import Intake
from producers.signature import LONGEST_BODY, Rejected, Signature, read_header
from producers.signers import Signers, signers
from producers.webhook import Accounts, messages_of, read
from recovery.adapters.kafka import NotDelivered
from recovery.vocabulary import Clock

log = logging.getLogger(__name__)
PATH = "/api/stripe/webhook"
BODY_LIMIT = LONGEST_BODY
"""Bytes; Stripe's events are far smaller."""
BODY_SECONDS = 10.0
"""How long a body may take to arrive."""
IN_FLIGHT_LIMIT = 1024
"""Requests that may wait for the broker at once; more are told to come back."""
ACCOUNT_SHARE = 4
"""An account may have the fourth part of them, so that one that sends too much leaves room for the others."""
HASHED_INLINE = 64 << 10
"""Bytes hashed on the event loop for one request; more are hashed in a thread of their own."""


class Answer(NamedTuple):
    """What the sender is told: a status, and one word for logs and metrics."""

    status: int
    reason: str


_ACCEPTED = Answer(200, "accepted")


class Gateway:
    """The ASGI application. All it needs is handed in; `wall` is wall time, `intake` answers what is no webhook of Stripe's."""

    def __init__(self, accounts: Accounts, delivery: Delivers, wall: Clock, metrics: GatewayMetrics, intake: Intake | None = None) -> None:
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
        if self._intake is not None and (door := self._intake.door(path)) is not None:
            return await self._intake.answer(door, scope, receive, send)
        if method not in {"GET", "HEAD"}:
            return await answer(send, 404, b"There is nothing here. Webhooks go to /api/stripe/webhook.\n")
        if path == "/health":
            return await answer(send, 200, b'{"status":"ok","broker":"%s"}\n' % (b"ok" if self._delivery.healthy else b"no answer"))
        if path == "/metrics":
            return await answer(send, 200, self._metrics.exposition(), content_type=b"text/plain; version=0.0.4; charset=utf-8")
        return await answer(send, 404, b"There is nothing here. Webhooks go to /api/stripe/webhook.\n")

    async def _webhook(self, account: str, headers: list[tuple[bytes, bytes]], receive: Receive, send: Send) -> None:
        signature, length, traceparent = _known_headers(headers)
        try:
            body = await self._reading.within(body_of(receive, length, BODY_LIMIT))
        except Gone:
            return None
        except TimeoutError:
            told = Answer(408, "slow")
        else:
            told = Answer(413, "too_large") if body is None else await self._take(account, signature, body, traceparent)
        self._metrics.answered(told.status, told.reason)
        if told.status == 200:
            return await _accepted(send)
        known = account if self._accounts.secrets(account) else "an unknown account" if account else "the platform's endpoint"
        log.info("answered %d to %s: %s", told.status, known, told.reason)
        return await answer(send, told.status, _TEXTS[told.reason], closing=told.status in {408, 413})

    async def _take(self, account: str, signature: bytes | None, body: bytes, traceparent: bytes) -> Answer:
        if self._in_flight >= IN_FLIGHT_LIMIT:
            return Answer(503, "too_many_in_flight")
        received_at, started = self._wall(), time.monotonic()
        read_as = read_header(signature, received_at.timestamp())
        if isinstance(read_as, Rejected):
            return Answer(400, read_as.reason)
        signed_by = await self._signed_by(account, read_as, body)
        if not signed_by:
            return Answer(400, "forged")
        try:
            event = read(body)
        except (ValueError, RecursionError):
            return Answer(400, "unreadable")
        fact, messages = messages_of(self._accounts, account, signed_by, event, body, received_at, traceparent)
        whose = fact.account
        if self._of_account[whose] >= max(1, IN_FLIGHT_LIMIT // ACCOUNT_SHARE):
            return Answer(503, "too_many_of_account")
        self._in_flight += 1
        self._of_account[whose] += 1
        try:
            await self._delivery.deliver(messages)
        except NotDelivered as error:
            log.warning("not accepted: %s", error)
            return Answer(503, "broker")
        finally:
            self._in_flight -= 1
            self._of_account[whose] -= 1
        self._metrics.accepted(type(fact), time.monotonic() - started)
        log.debug("accepted %s", fact.id)
        return _ACCEPTED

    async def _signed_by(self, account: str, signature: Signature, body: bytes) -> list[str]:
        """The accounts that may have sent these bytes: the one in the path, or those whose secret matches; none when it is forged."""
        candidates = self._signers.candidates(account, body, time.monotonic())
        if candidates.work(len(body)) <= HASHED_INLINE:
            return signers(signature, body, candidates)
        return await asyncio.get_running_loop().run_in_executor(self._hashing, signers, signature, body, candidates)


def _known_headers(headers: list[tuple[bytes, bytes]]) -> tuple[bytes | None, int, bytes]:
    signature, length, traceparent = None, 0, b""
    for name, value in headers:
        if name == b"stripe-signature":
            signature = value
        elif name == b"content-length" and value.isdigit():
            length = int(value[:20])
        elif name == b"traceparent":
            traceparent = value
    return signature, length, traceparent


_OK_START = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]}
_OK_BODY = {"type": "http.response.body", "body": b""}
_TEXTS = {
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


async def _accepted(send: Send) -> None:
    await send(dict(_OK_START))
    await send(dict(_OK_BODY))

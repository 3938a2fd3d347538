"""The gateway's other doors: what payers and providers send back. Each door takes a request and says what to answer and what to tell.

Facts are told before the answer where losing them would matter (an unsubscription), and beside it where an answer matters more (an image).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus

import msgspec

from producers.asgi import Gone, Headers, Receive, Scope, Send, answer, body_of
from producers.deadlines import Deadlines
from producers.delivery import Delivers, Message
from producers.gateway_metrics import GatewayMetrics
from recovery.adapters.kafka import NotDelivered
from recovery.contracts.codec import encode
from recovery.contracts.facts import Fact
from recovery.contracts.topics import FACTS
from recovery.ids import stream_key, stub_key

log = logging.getLogger(__name__)
BODY_LIMIT = 256 << 10
"""Bytes; providers' notices are far smaller."""
BODY_SECONDS = 10.0
IN_FLIGHT_LIMIT = 256
"""Facts told beside an answer that may wait for the broker at once; more are dropped, so that a flood of openings cannot grow."""


class Request(msgspec.Struct, frozen=True):
    """One HTTP request. `rest` is the path behind the door's prefix; header names are lower case."""

    method: str
    path: str
    rest: str
    query: str
    headers: dict[str, str]
    body: bytes


class Reply(msgspec.Struct, frozen=True):
    """What to answer. `facts` are told before it when `surely`, and the answer is 503 when the broker has not got them; else beside it.

    `reason` is one word for logs and metrics. `when_told` is called once the broker has facts that were to be told surely.
    """

    status: int
    reason: str
    body: bytes = b""
    content_type: bytes = b"text/plain; charset=utf-8"
    headers: Headers = ()
    facts: Sequence[Fact] = ()
    surely: bool = True
    when_told: Callable[[], object] | None = None


class Door(msgspec.Struct, frozen=True):
    """A prefix of paths, the methods it takes, and what answers there; `name` for metrics. An answer may look something up in a thread."""

    name: str
    prefix: str
    methods: frozenset[str]
    reply: Callable[[Request], Awaitable[Reply]]


class Intake:
    """Finds the door of a path, and answers there."""

    def __init__(self, doors: Sequence[Door], delivery: Delivers, metrics: GatewayMetrics, *, surely: bool = False) -> None:
        """`surely` tells every fact before its answer: in a sandbox run, time waits for answers and not for what goes on beside them."""
        self._doors, self._delivery, self._metrics, self._surely = tuple(doors), delivery, metrics, surely
        self._reading = Deadlines(BODY_SECONDS)
        self._beside: set[asyncio.Future[None]] = set()

    def door(self, path: str) -> Door | None:
        """The door of a path, or None when there is none."""
        return next((door for door in self._doors if path.startswith(door.prefix)), None)

    async def answer(self, door: Door, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request at a door."""
        try:
            reply = await self._reply(door, scope, receive)
        except Gone:
            return
        if reply.facts and not await self._told(reply):
            reply = Reply(503, "broker", b"It could not be stored. Please try again.\n")
        self._metrics.answered_at(door.name, reply.status, reply.reason)
        if reply.status >= 400:
            log.info("answered %d at %s: %s", reply.status, door.name, reply.reason)
        body = b"" if scope["method"] == "HEAD" else reply.body
        await answer(send, reply.status, body, reply.content_type, reply.status in {408, 413}, reply.headers)

    async def _reply(self, door: Door, scope: Scope, receive: Receive) -> Reply:
        if scope["method"] not in door.methods:
            allowed = ", ".join(sorted(door.methods)).encode()
            return Reply(405, "method", b"This is not how it is asked here.\n", headers=((b"allow", allowed),))
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        length = headers.get("content-length", "0")
        try:
            body = await self._reading.within(body_of(receive, int(length[:20]) if length.isdigit() else 0, BODY_LIMIT))
        except TimeoutError:
            return Reply(408, "slow", b"The body did not arrive within 10 s.\n")
        if body is None:
            return Reply(413, "too_large", b"The body is too large.\n")
        path, query = scope["path"], scope.get("query_string", b"").decode("latin-1")
        return await door.reply(Request(scope["method"], path, path[len(door.prefix) :], query, headers, body))

    async def _told(self, reply: Reply) -> bool:
        """Whether the facts are with the broker, or need not be for sure."""
        messages = [message_of(fact) for fact in reply.facts]
        surely = reply.surely or self._surely
        if not surely and len(self._beside) >= IN_FLIGHT_LIMIT:
            return True
        try:
            future = self._delivery.deliver(messages)
            if surely:
                await future
                if reply.when_told is not None:
                    reply.when_told()
        except NotDelivered as error:
            log.warning("not told: %s", error)
            return not reply.surely
        if not surely:
            self._beside.add(future)
            future.add_done_callback(self._forgotten)
        return True

    def _forgotten(self, future: "asyncio.Future[None]") -> None:
        self._beside.discard(future)
        if not future.cancelled() and (error := future.exception()) is not None:
            log.warning("not told: %s", error)


def message_of(fact: Fact) -> Message:
    """The fact as a message: keyed by its customer, or by what it is about where nobody knows whose it is."""
    key = stream_key(fact.account, fact.customer) if fact.customer else stub_key(fact.account, fact.cause or fact.id)
    return Message(FACTS.name, key, encode(fact))


def plainly(status: HTTPStatus, reason: str) -> Reply:
    """A refusal in one line that tells nothing about what is here."""
    return Reply(status, reason, f"{status.phrase}.\n".encode())

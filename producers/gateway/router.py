"""The gateway's other routes: what customers and providers send back. A route takes a request and returns a response and facts to publish.

Facts are published before the response where losing them would matter (an unsubscribe), and in the background where the response matters
more (an image).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus

import msgspec

from producers.gateway.asgi import ClientGone, Headers, Receive, Scope, Send, answer, body_of
from producers.gateway.deadlines import Deadlines
from producers.gateway.kafka_delivery import Delivers, OutgoingMessage
from producers.gateway.metrics import GatewayMetrics
from recovery.adapters.kafka import NotDelivered
from recovery.contracts.encoding.codec import encode
from recovery.contracts.facts import Fact
from recovery.contracts.topics import FACTS
from recovery.ids import stream_key, stub_key

log = logging.getLogger(__name__)
BODY_LIMIT = 256 << 10
"""Bytes; providers' notices are far smaller."""
BODY_SECONDS = 10.0
IN_FLIGHT_LIMIT = 256
"""Facts that may wait for the broker in the background at once; more are dropped, so that a flood of openings cannot exhaust the memory."""


class Request(msgspec.Struct, frozen=True):
    """One HTTP request. `rest` is the path behind the route's prefix; header names are lower case."""

    method: str
    path: str
    rest: str
    query: str
    headers: dict[str, str]
    body: bytes


class Response(msgspec.Struct, frozen=True):
    """A response. `facts` are published: `durable=True` publishes first and answers 503 if the broker does not acknowledge; otherwise they
    are published in the background.

    `reason` is one word for logs and metrics. `on_published` is called once the broker has acknowledged durable facts.
    """

    status: int
    reason: str
    body: bytes = b""
    content_type: bytes = b"text/plain; charset=utf-8"
    headers: Headers = ()
    facts: Sequence[Fact] = ()
    durable: bool = True
    on_published: Callable[[], object] | None = None


class Route(msgspec.Struct, frozen=True):
    """A prefix of paths, its methods, and its handler; `name` is for metrics. A handler may run a lookup in a thread."""

    name: str
    prefix: str
    methods: frozenset[str]
    reply: Callable[[Request], Awaitable[Response]]


class Router:
    """Finds the route of a path, and calls its handler."""

    def __init__(self, routes: Sequence[Route], delivery: Delivers, metrics: GatewayMetrics, *, durable: bool = False) -> None:
        """`durable` publishes every fact before its response: in a sandbox run, time waits for responses and not for background work."""
        self._routes, self._delivery, self._metrics, self._durable = tuple(routes), delivery, metrics, durable
        self._reading = Deadlines(BODY_SECONDS)
        self._beside: set[asyncio.Future[None]] = set()

    def route_of(self, path: str) -> Route | None:
        """The route of a path, or None."""
        return next((route for route in self._routes if path.startswith(route.prefix)), None)

    async def answer(self, route: Route, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request of a route."""
        try:
            reply = await self._reply(route, scope, receive)
        except ClientGone:
            return
        if reply.facts and not await self._published(reply):
            reply = Response(503, "broker", b"It could not be stored. Please try again.\n")
        self._metrics.answered_at(route.name, reply.status, reply.reason)
        if reply.status >= 400:
            log.info("answered %d at %s: %s", reply.status, route.name, reply.reason)
        body = b"" if scope["method"] == "HEAD" else reply.body
        await answer(send, reply.status, body, reply.content_type, reply.status in {408, 413}, reply.headers)

    async def _reply(self, route: Route, scope: Scope, receive: Receive) -> Response:
        if scope["method"] not in route.methods:
            allowed = ", ".join(sorted(route.methods)).encode()
            return Response(405, "method", b"This is not how it is asked here.\n", headers=((b"allow", allowed),))
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        length = headers.get("content-length", "0")
        try:
            body = await self._reading.within(body_of(receive, int(length[:20]) if length.isdigit() else 0, BODY_LIMIT))
        except TimeoutError:
            return Response(408, "slow", b"The body did not arrive within 10 s.\n")
        if body is None:
            return Response(413, "too_large", b"The body is too large.\n")
        path, query = scope["path"], scope.get("query_string", b"").decode("latin-1")
        return await route.reply(Request(scope["method"], path, path[len(route.prefix) :], query, headers, body))

    async def _published(self, reply: Response) -> bool:
        """Whether the facts are with the broker, or need not be for sure."""
        messages = [message_of(fact) for fact in reply.facts]
        surely = reply.durable or self._durable
        if not surely and len(self._beside) >= IN_FLIGHT_LIMIT:
            return True
        try:
            future = self._delivery.deliver(messages)
            if surely:
                await future
                if reply.on_published is not None:
                    reply.on_published()
        except NotDelivered as error:
            log.warning("not published: %s", error)
            return not reply.durable
        if not surely:
            self._beside.add(future)
            future.add_done_callback(self._forgotten)
        return True

    def _forgotten(self, future: "asyncio.Future[None]") -> None:
        self._beside.discard(future)
        if not future.cancelled() and (error := future.exception()) is not None:
            log.warning("not published: %s", error)


def message_of(fact: Fact) -> OutgoingMessage:
    """The fact as a message. Its key is the customer, or the object that it is about where the customer is unknown."""
    key = stream_key(fact.account, fact.customer) if fact.customer else stub_key(fact.account, fact.cause or fact.id)
    return OutgoingMessage(FACTS.name, key, encode(fact))


def plainly(status: HTTPStatus, reason: str) -> Response:
    """A refusal in one line that reveals nothing about this server."""
    return Response(status, reason, f"{status.phrase}.\n".encode())

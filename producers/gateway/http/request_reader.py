"""Reading requests off one connection, and counting what they take, before anybody knows who sends them."""

import asyncio
import math
from abc import abstractmethod
from collections import deque
from typing import ClassVar, Protocol

import httptools

from producers.gateway.http.connection_limits import HttpLimits, Limits
from producers.gateway.http.exchange import Answers, Exchange

_CHUNKED_WASTE = 4
"""How many bytes may travel for one byte of a body in chunks."""
_PIPELINED = 16
"""Requests of one connection that may wait for the answers of those before them."""


class Posts(Protocol):
    """An application that takes some requests without ASGI."""

    def taken(self, method: bytes, url: bytes) -> str | None:
        """What `post` is to be given for such a request; None when it is for ASGI."""

    def post(self, rest: str, exchange: Exchange, body: bytes) -> None:
        """Answer a request whose body is whole, now or later, with `exchange.answer`."""

    def refused(self, status: int, reason: str) -> None:
        """A request was refused before it was one."""


class _Refused(Exception):
    """Stops the parser: what follows is not read."""


class Reading(asyncio.Protocol, Answers):
    """The half of a connection that reads. `deadline` is when what it waits for must have come.

    `_arriving` is the request read last, `_queue` holds those without an answer. A deaf connection reads no more, one at its last
    request closes after the answer, a leaving one is being closed, a stuck one waits until the sender reads answers.
    """

    limits: ClassVar[Limits] = Limits()
    _transport: asyncio.Transport

    def __init__(self, loop: asyncio.AbstractEventLoop, bounds: HttpLimits, posts: Posts | None) -> None:
        self._loop, self._bounds, self._posts = loop, bounds, posts
        self._parser = httptools.HttpRequestParser(self)
        self._queue: deque[Exchange] = deque()
        self._arriving: Exchange | None = None
        self._in_head = self._in_message = self._deaf = self._last = self._leaving = self._stuck = self._paused = False
        self._expects = False
        self._wire = self._head = 0
        self.deadline = math.inf

    @abstractmethod
    def _begin(self, exchange: Exchange) -> None:
        """Give a request whose turn it is to the application."""

    @abstractmethod
    def _post(self, exchange: Exchange) -> None:
        """Give a whole request to an application that takes it without ASGI."""

    @abstractmethod
    def _refuse(self, status: int, reason: str) -> None:
        """Answer why the request is not taken, and read no more."""

    @abstractmethod
    def expire(self) -> None:
        """Its deadline has passed."""

    @abstractmethod
    def evict(self) -> None:
        """Others need its place."""

    @property
    def idle(self) -> bool:
        """Whether nothing is under way on it."""
        return not (self._queue or self._in_message or self._leaving)

    def data_received(self, data: bytes) -> None:
        """Read on, unless the connection is being closed."""
        if self._deaf:
            return
        between = not self._in_message or self._in_head
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._deaf = self._last = True
            return
        except httptools.HttpParserError:
            if not self._deaf:
                self._refuse(400, "no_http")
            return
        if not self._in_message:
            return
        self._wire += len(data)
        if self._in_head:
            if between and self._wire > self.limits.head_bytes:
                self._refuse(431, "head_too_large")
        elif self._wire > self.limits.head_bytes + _CHUNKED_WASTE * self.limits.body_bytes:
            self._refuse(413, "too_large")

    def on_message_begin(self) -> None:
        """A request begins."""
        if self._deaf:
            raise _Refused
        self._in_head = self._in_message = True
        self._wire = self._head = 0
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._expects = False
        if not self._leaving and self._arriving is not None:  # the first one's time runs since the connection was accepted
            self.deadline = self._loop.time() + self.limits.head_seconds

    def on_url(self, url: bytes) -> None:
        """A piece of the address."""
        self._url += url
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; after the body, a trailer."""
        self._count(len(name) + len(value) + 4)
        if not self._in_head:  # a trailer
            return
        name = name.lower()
        if name == b"content-length" and value.isdigit() and int(value[:20]) > self.limits.body_bytes:
            self._stop(413, "too_large")
        elif name == b"expect":
            self._expects = True
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is whole: the request gets in line."""
        self._in_head = False
        parser, first = self._parser, self._arriving is None
        keep = parser.should_keep_alive() and parser.get_http_version() != "1.0"
        method = parser.get_method()
        if not self._url.startswith(b"/"):  # an absolute address
            parsed = httptools.parse_url(self._url)
            self._url = (parsed.path or b"/") + (b"?" + parsed.query if parsed.query else b"")
        exchange = self._arriving = Exchange(self, method, self._url, self._headers, keep)
        if self._posts is not None:
            exchange.rest = self._posts.taken(method, self._url)
        if first:
            self._bounds.spoke(self)
        self.deadline = self._loop.time() + self.limits.body_seconds
        self._queue.append(exchange)
        if len(self._queue) == 1:
            self._begin(exchange)
        elif len(self._queue) > _PIPELINED:
            self._queue.pop()
            self._stop(503, "too_many_at_once")
        else:
            self._paused = True
            self._transport.pause_reading()

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        exchange = self._arriving
        if exchange is None or exchange.answered:
            return
        if exchange.size + len(body) > self.limits.body_bytes:
            self._stop(413, "too_large")
        if not self._bounds.hold(self, len(body)):
            self._stop(503, "too_many_bytes")
        exchange.size += len(body)
        exchange.body.append(body)
        exchange.wake()

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._in_message = False
        self.deadline = math.inf
        self._bounds.finished(self)
        if (exchange := self._arriving) is None:
            return
        exchange.complete = True
        exchange.wake()
        if exchange.answered:  # before its body was whole: nothing is left to wait for
            self.deadline = self._loop.time() + self.limits.idle_seconds
        elif exchange.rest is not None and self._queue[0] is exchange:
            self._post(exchange)

    def _count(self, size: int) -> None:
        self._head += size
        if self._head > self.limits.head_bytes:
            self._stop(431, "head_too_large")

    def _stop(self, status: int, reason: str) -> None:
        self._refuse(status, reason)
        raise _Refused

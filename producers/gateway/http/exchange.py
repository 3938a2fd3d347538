"""One HTTP request and its answer, as an ASGI application sees them."""

import asyncio
import logging
from collections.abc import Iterable, MutableMapping
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import unquote

from producers.gateway.asgi import Headers, Receive, Scope, Send

log = logging.getLogger(__name__)
_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
_CONTROL = frozenset(b"\r\n\0")
PLAIN = (b"content-type", b"text/plain")
ACCEPTED: Headers = ((b"content-length", b"0"),)
"""The headers of nearly every answer: with these, and no body, it is built once a second."""
_REFUSALS = {
    400: b"This is no HTTP request.\n",
    408: b"The request did not arrive in time.\n",
    413: b"The body is too large.\n",
    431: b"The headers are too large.\n",
    503: b"Too many at once. Please try again.\n",
}


class Application(Protocol):
    """An ASGI application."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""


class Answers(Protocol):
    """The connection that an answer goes to."""

    def answered(self, exchange: "Exchange", status: int, headers: Headers, body: bytes) -> None:
        """Send a whole answer."""


class Exchange:
    """A request as it arrives.

    `body` holds what the application has not taken yet, `size` counts all of the body that arrived, `rest` is what `taken` said of it.
    """

    __slots__ = (
        "_connection",
        "_headers",
        "_parts",
        "_status",
        "_taken_whole",
        "_waiter",
        "answered",
        "body",
        "complete",
        "headers",
        "keep_alive",
        "lost",
        "method",
        "rest",
        "size",
        "url",
    )

    def __init__(self, connection: Answers, method: bytes, url: bytes, headers: Headers, keep_alive: bool) -> None:
        self._connection, self.method, self.url, self.headers, self.keep_alive = connection, method, url, headers, keep_alive
        self.body: list[bytes] = []
        self.size = 0
        self.rest: str | None = None
        self.complete = self.answered = self.lost = self._taken_whole = False
        self._waiter: asyncio.Future[None] | None = None
        self._status = 0
        self._headers: Headers = ()
        self._parts: list[bytes] = []

    def answer(self, status: int, headers: Headers, body: bytes) -> None:
        """Send the whole answer; nothing happens when the sender has left."""
        self._connection.answered(self, status, headers, body)

    def wake(self) -> None:
        """Something has changed: more of the body, its end, or the sender has left."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def run(self, app: Application, scope: Scope) -> None:
        """Let the application answer; whatever it does, there is an answer."""
        try:
            await app(scope, self._receive, self._send)
        except Exception:
            log.exception("the application failed")
        if not self.answered and not self.lost:
            self.keep_alive = False
            self._connection.answered(self, 500, [(b"content-type", b"text/plain")], b"Internal Server Error\n")

    async def _receive(self) -> dict[str, Any]:
        while not (self.lost or self.answered) and (self._taken_whole or not (self.body or self.complete)):
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        if self.lost or self.answered:
            return {"type": "http.disconnect"}
        body, self.body = b"".join(self.body), []
        self._taken_whole = self.complete
        return {"type": "http.request", "body": body, "more_body": not self.complete}

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self._status, self._headers = message["status"], list(message.get("headers", ()))
            return
        self._parts.append(message.get("body", b""))
        if message.get("more_body") or self.lost or self.answered:
            return
        self._connection.answered(self, self._status, self._headers, b"".join(self._parts))


def head(status: int, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Status line and headers, with the empty line. Raises ValueError for a value that would end its line."""
    parts = [_LINES[status]]
    for name, value in headers:
        if not _CONTROL.isdisjoint(value) or not _CONTROL.isdisjoint(name):
            raise ValueError(f"The header {name!r} has a line break in it.")
        parts += (name, b": ", value, b"\r\n")
    parts.append(b"\r\n")
    return b"".join(parts)


def refusal(status: int) -> bytes:
    """The whole answer to what is refused before it is a request."""
    text = _REFUSALS[status]
    return head(status, [PLAIN, (b"content-length", str(len(text)).encode()), (b"connection", b"close")]) + text


def scope_of(exchange: Exchange, peer: tuple[str, int], state: dict[str, Any]) -> dict[str, Any]:
    """The request as ASGI describes it."""
    path, _, query = exchange.url.partition(b"?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": exchange.method.decode("ascii"),
        "scheme": "http",
        "path": unquote(path.decode("latin-1")),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": exchange.headers,
        "client": peer,
        "server": None,
        "state": state,
    }


class _Accepted:
    """The head of the usual answer, as long as the server's own headers are the same list: it makes a new one every second."""

    def __init__(self) -> None:
        self._defaults: object = None
        self._head = b""

    def __call__(self, defaults: list[tuple[bytes, bytes]]) -> bytes:
        if self._defaults is not defaults:
            self._defaults, self._head = defaults, head(200, [*defaults, *ACCEPTED])
        return self._head


accepted = _Accepted()

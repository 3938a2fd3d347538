"""HTTP/1.1 over one connection, within bounds, for the gateway under uvicorn.

uvicorn's own protocol bounds neither the head of a request nor the time until there is one, and builds an ASGI task for every request.
This one takes its place in `uvicorn.Config(http=...)`. Webhooks go to the application's `post` when they are whole; all else is ASGI.
"""

import asyncio
import contextlib
import logging
from typing import Any, cast
from weakref import WeakKeyDictionary

import msgspec
import uvicorn
from uvicorn.server import ServerState

from producers.gateway.asgi import Headers
from producers.gateway.http.connection_limits import HttpLimits, Limits
from producers.gateway.http.exchange import ACCEPTED, PLAIN, Application, Exchange, accepted, head, refusal, scope_of
from producers.gateway.http.request_reader import Posts, Reading

log = logging.getLogger(__name__)
_bounds: WeakKeyDictionary[ServerState, HttpLimits] = WeakKeyDictionary()


_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class HttpConnection(Reading):
    """One connection: it answers requests in their order, and closes when it must."""

    def __init__(self, config: uvicorn.Config, server_state: ServerState, app_state: dict[str, Any], _loop: Any = None) -> None:
        if not config.loaded:
            config.load()
        loop: asyncio.AbstractEventLoop = _loop or asyncio.get_running_loop()
        if (bounds := _bounds.get(server_state)) is None:
            connections = config.limit_concurrency or self.limits.connections
            bounds = _bounds[server_state] = HttpLimits(msgspec.structs.replace(self.limits, connections=connections), loop)
        app = config.loaded_app
        super().__init__(loop, bounds, cast(Posts, app) if hasattr(app, "taken") else None)
        self._state, self._app_state, self._app = server_state, app_state, cast(Application, app)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, or refuse it where there are too many."""
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self._peer = (str(peer[0]), int(peer[1])) if isinstance(peer, tuple) else ("", 0)
        if not self._bounds.admit(self, self._peer[0]):
            self._refuse(503, "too_many_connections")
            self._transport.close()
            return
        self._state.connections.add(cast(Any, self))
        self.deadline = self._loop.time() + self.limits.head_seconds

    def connection_lost(self, _error: Exception | None) -> None:
        """Let go of all that it held."""
        self._bounds.forget(self)
        self._state.connections.discard(cast(Any, self))
        self._drop()

    def answered(self, exchange: Exchange, status: int, headers: Headers, body: bytes) -> None:
        """Send the answer to the oldest request, and go on to the next; nothing when the sender has left."""
        if exchange.lost or exchange.answered:
            return
        leaving = (self._last and len(self._queue) == 1) or not exchange.keep_alive
        if headers is ACCEPTED and not leaving:
            answer = accepted(self._state.default_headers)
        else:
            closing = (b"connection", b"close") in headers
            more = [(b"connection", b"close")] if leaving and not closing else []
            answer, leaving = head(status, [*self._state.default_headers, *headers, *more]), leaving or closing
        exchange.answered = True
        self._transport.write(answer + body if body and exchange.method != b"HEAD" else answer)
        self._state.total_requests += 1
        self._queue.popleft()
        self._bounds.release(exchange.size)
        exchange.body = []
        if leaving:
            self._leave(whole=exchange.complete)
            return
        if not self._in_message:
            self.deadline = self._loop.time() + self.limits.idle_seconds
        if (self._queue or self._paused) and not self._stuck:
            self._next()

    def _next(self) -> None:
        """Go on with the requests that came meanwhile."""
        if self._queue:
            self._begin(self._queue[0])
        if self._paused and len(self._queue) <= 1 and not self._stuck:
            self._paused = False
            self._transport.resume_reading()

    def _begin(self, exchange: Exchange) -> None:
        """It is this request's turn: give it to the application."""
        if self._expects and exchange is self._arriving and not exchange.complete:
            self._transport.write(_CONTINUE)
        if exchange.rest is not None:
            if exchange.complete:
                self._post(exchange)
            return
        task = self._loop.create_task(exchange.run(self._app, scope_of(exchange, self._peer, self._app_state.copy())))
        self._state.tasks.add(task)
        task.add_done_callback(self._state.tasks.discard)

    def _post(self, exchange: Exchange) -> None:
        body, posts, rest = exchange.body, self._posts, exchange.rest
        if posts is None or rest is None:
            return
        try:
            posts.post(rest, exchange, body[0] if len(body) == 1 else b"".join(body))
        except Exception:
            log.exception("the application failed")
            exchange.keep_alive = False
            self.answered(exchange, 500, [PLAIN, (b"content-length", b"22")], b"Internal Server Error\n")

    def _refuse(self, status: int, reason: str) -> None:
        """Send the reason, unless a response is pending on this connection, and read nothing more of it."""
        self._deaf = True
        if self._posts is not None:
            self._posts.refused(status, reason)
        log.debug("refused a request: %s", reason)
        if self._queue and self._queue[0].complete:
            self._last = True  # those before it are still answered
            if not self._queue[-1].complete:
                self._lose(self._queue.pop())
            return
        if self._in_head or self._arriving is None or not self._arriving.answered:  # else it has its answer, and only its body was awaited
            self._transport.write(refusal(status))
        self._drop()
        self._leave(whole=False)

    def _leave(self, whole: bool) -> None:
        """Close the connection. A sender that is still sending is read for a moment, to no purpose but this: closing a socket with unread
        bytes would take the answer back."""
        self._deaf = self._leaving = True
        self.deadline = self._loop.time() + self.limits.close_seconds
        if whole or not self._transport.can_write_eof():
            self._transport.close()
        elif not self._transport.is_closing():
            with contextlib.suppress(OSError, RuntimeError):
                self._transport.write_eof()
            self._transport.resume_reading()

    def _drop(self) -> None:
        """Forget the requests: their responses can no longer be sent."""
        while self._queue:
            self._lose(self._queue.popleft())

    def _lose(self, exchange: Exchange) -> None:
        exchange.lost = True
        self._bounds.release(exchange.size)
        exchange.body = []
        exchange.wake()

    def expire(self) -> None:
        """The time for what it waits for is over."""
        if self._leaving or self._stuck:
            self._transport.abort()
        elif self._in_message:
            self._refuse(408, "slow")
        else:
            self._leave(whole=True)

    def evict(self) -> None:
        """Make room for others, at once."""
        self._refuse(503, "evicted")
        self._transport.close()

    def pause_writing(self) -> None:
        """The sender does not read its answers: nothing more is taken, and it has no longer than for closing."""
        self._stuck = self._paused = True
        self._transport.pause_reading()
        self.deadline = self._loop.time() + self.limits.close_seconds

    def resume_writing(self) -> None:
        """The sender reads again."""
        self._stuck = False
        if not self._leaving:
            self.deadline = self._loop.time() + self.limits.idle_seconds
            self._next()

    def shutdown(self) -> None:
        """The server stops: answer what is under way, and close."""
        self._last = True
        if not self._queue:
            self._leave(whole=True)


def bounded(limits: Limits) -> type[HttpConnection]:
    """The protocol with these limits, for `uvicorn.Config(http=...)`."""
    return type("BoundedHttpConnection", (HttpConnection,), {"limits": limits})

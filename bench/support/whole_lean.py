"""The least of HTTP and SMTP that a load generator needs, so that its own cost stays small."""

import asyncio
import contextlib
import email
import quopri
import re
from collections import deque
from collections.abc import Callable
from email.message import Message
from typing import Any

from sandbox.mail.mail_page import seen
from sandbox.simulation.world import World

HOST = "127.0.0.1"
CONNECTIONS = 32
"""As many as Stripe's own deliveries of the sandbox have in flight."""
RETRY_SECONDS = 0.2
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_TOKEN = re.compile(r"(?:/|%2F)i(?:/|%2F)([0-9A-Za-z]{32})")

Answered = Callable[[int], None]
"""Called with the status of an answer."""
Handler = Callable[[str, str, bytes, bytes], tuple[int, bytes]]
"""Method, target, head and body of a request to status and body of its answer."""


class HttpServer(asyncio.Protocol):
    """Answers requests of a kept-alive connection one after the other."""

    def __init__(self, handler: Handler) -> None:
        self._handler, self._buffer = handler, b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while True:
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            length = _LENGTH.search(head)
            needed = int(length.group(1)) if length else 0
            if not found or len(rest) < needed:
                return
            self._buffer = rest[needed:]
            method, target, _ = head.split(b" ", 2)
            status, body = self._handler(method.decode(), target.decode(), head, rest[:needed])
            start = b"HTTP/1.1 %d .\r\ncontent-type: application/json\r\nrequest-id: req_bench\r\n" % status
            self._transport.write(start + b"content-length: %d\r\n\r\n" % len(body) + body)


class _Connection(asyncio.Protocol):
    """One request at a time; hands its answer's status back to the pool."""

    def __init__(self, pool: "Pool") -> None:
        self._pool, self._buffer = pool, b""
        self.now: tuple[bytes, Answered] | None = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._pool.idle(self)

    def send(self, request: bytes, answered: Answered) -> None:
        self.now = (request, answered)
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not found or len(body) < (int(length.group(1)) if length else 0):
            return
        status, self._buffer = int(head[9:12]), b""
        done, self.now = self.now, None
        self._pool.idle(self)
        if done is not None:
            done[1](status)

    def connection_lost(self, _error: Exception | None) -> None:
        self._pool.lost(self)


class Pool:
    """Sends requests to one address over a fixed number of connections, in order; what gets no answer is sent again."""

    def __init__(self, address: str) -> None:
        self._host, _, port = address.partition(":")
        self._port = int(port)
        self._idle: list[_Connection] = []
        self.queue: deque[tuple[bytes, Answered]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self) -> None:
        """Connect; from within the event loop."""
        for _ in range(CONNECTIONS):
            self._connect()

    def put(self, request: bytes, answered: Answered) -> None:
        """Send a request when its turn comes."""
        self.queue.append((request, answered))
        self._next()

    def idle(self, connection: _Connection) -> None:
        """A connection has nothing to do."""
        self._idle.append(connection)
        self._next()

    def lost(self, connection: _Connection) -> None:
        """A connection has ended: its request goes to another one, and a new one is made."""
        if connection in self._idle:
            self._idle.remove(connection)
        if connection.now is not None:
            self.queue.appendleft(connection.now)
        asyncio.get_running_loop().call_later(RETRY_SECONDS, self._connect)

    def _next(self) -> None:
        while self.queue and self._idle:
            self._idle.pop().send(*self.queue.popleft())

    def _connect(self) -> None:
        task = asyncio.get_running_loop().create_task(self._connected())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connected(self) -> None:
        try:
            await asyncio.get_running_loop().create_connection(lambda: _Connection(self), self._host, self._port)
        except OSError:
            asyncio.get_running_loop().call_later(RETRY_SECONDS, self._connect)


class MailServer(asyncio.Protocol):
    """Takes every mail and hands its bytes over."""

    def __init__(self, deliver: Callable[[bytes], None]) -> None:
        self._deliver, self._buffer, self._in_data = deliver, b"", False

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        transport.write(b"220 bench\r\n")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n.\r\n" if self._in_data else b"\r\n")) >= 0:
            if self._in_data:
                mail, self._buffer, self._in_data = self._buffer[:end], self._buffer[end + 5 :], False
                self._deliver(mail)
                self._transport.write(b"250 taken\r\n")
                continue
            line, self._buffer = self._buffer[:end], self._buffer[end + 2 :]
            verb = line[:4].upper()
            self._in_data = verb == b"DATA"
            self._transport.write({b"DATA": b"354 go on\r\n", b"QUIT": b"221 bye\r\n"}.get(verb, b"250 yes\r\n"))
            if verb == b"QUIT":
                self._transport.close()


def read_by_its_payer(world: World, raw: bytes, wall: float, at: float) -> None:
    """A mail arrives in the world: its reader may act on it, as the sandbox's inbox lets them."""
    parsed = email.message_from_bytes(raw)
    parts = {part.get_content_type(): part for part in parsed.walk() if not part.is_multipart()}
    html, text = (_text(parts.get(kind)) for kind in ("text/html", "text/plain"))
    link = _TOKEN.search(html) or _TOKEN.search(text)
    world.behaviour.receive(
        str(parsed["Message-ID"]).strip(),
        to=email.utils.parseaddr(str(parsed["To"]))[1],
        token=link.group(1) if link else None,
        subject=str(parsed["Subject"]),
        wall=wall,
        at=at,
        seen=seen(html),
    )


def _text(part: Message | None) -> str:
    if part is None:
        return ""
    with contextlib.suppress(LookupError, ValueError):
        payload = part.get_payload(decode=True)
        return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""
    return quopri.decodestring(str(part.get_payload())).decode("utf-8", "replace")

"""Merchants' endpoints of every kind: one that takes and verifies, and ones that hang, refuse, redirect, drip or never end."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
from standardwebhooks import Webhook, WebhookVerificationError

Answer = Callable[["_Request"], None]


@dataclass
class Receiver:
    """A receiver on a free port of this machine, from `with` to its end.

    Counts requests by webhook-id; what is signed well stands in `bodies`, what is not in `forged`. `answers` are given one after the
    other, then `answer` for ever; the default takes everything.
    """

    secret: str = "whsec_" + "c2VjcmV0LXNlY3JldC1zZWNyZXQ="
    answer: Answer = field(default_factory=lambda: status(204))
    answers: list[Answer] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)
    bodies: dict[str, dict[str, Any]] = field(default_factory=dict)
    forged: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    most_at_once: int = 0
    path: str = "/api/webhooks/recovery-event"

    def __enter__(self) -> "Receiver":
        self.lock, self.at_once, self.closing = threading.Lock(), 0, threading.Event()
        handler = type("Handler", (_Request,), {"receiver": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.path}"

    def take(self, headers: dict[str, str], body: bytes) -> Answer:
        """Count a request, verify it, and say how it is answered."""
        with self.lock:
            message = headers.get("webhook-id", "")
            self.seen[message] += 1
            self.headers.append(headers)
            try:
                Webhook(self.secret).verify(body, headers)
            except (WebhookVerificationError, ValueError) as error:
                self.forged.append(f"{message}: {error}")
            else:
                self.bodies[message] = msgspec.json.decode(body)
            return self.answers.pop(0) if self.answers else self.answer


class _Request(BaseHTTPRequestHandler):
    receiver: Receiver

    def do_POST(self) -> None:
        here = self.receiver
        with here.lock:
            here.at_once += 1
            here.most_at_once = max(here.most_at_once, here.at_once)
        try:
            length = int(self.headers.get("content-length", 0))
            body = self.rfile.read(length)
            if len(body) < length:  # the sender died in the middle: no request
                self.close_connection = True
                return
            here.take({name.lower(): value for name, value in self.headers.items()}, body)(self)
        except (BrokenPipeError, ConnectionResetError):
            pass
        finally:
            with here.lock:
                here.at_once -= 1

    def do_GET(self) -> None:
        with self.receiver.lock:
            self.receiver.seen["GET"] += 1
        status(200)(self)

    def log_message(self, format: str, *args: object) -> None:
        pass


def status(code: int, body: bytes = b"", **headers: str) -> Answer:
    """Answer with a status at once."""

    def answer(request: _Request) -> None:
        request.send_response(code)
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.send_header("content-length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    return answer


def hang(request: _Request) -> None:
    """Never answer."""
    request.receiver.closing.wait(60)


def hang_up(request: _Request) -> None:
    """Close the connection without a word."""
    request.close_connection = True


def slow(seconds: float) -> Answer:
    """Take it after a while."""

    def answer(request: _Request) -> None:
        request.receiver.closing.wait(seconds)
        status(200)(request)

    return answer


def drip(request: _Request) -> None:
    """Send the head of an answer byte by byte, for ever, each in time for every timeout between two bytes."""
    request.wfile.write(b"HTTP/1.1 200 OK\r\nx-slow: ")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not request.receiver.closing.wait(0.05):
        request.wfile.write(b"a")
        request.wfile.flush()


def flood(request: _Request) -> None:
    """Say 200 and send more than anybody wants to read."""
    request.send_response(200)
    request.end_headers()
    for _ in range(1000):
        request.wfile.write(b"x" * 65536)

"""Servers that speak Twilio's and Slack's protocol on the loopback, remember what they took, and can be told to misbehave."""

import base64
import json
import re
import socket
import threading
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar
from urllib.parse import parse_qs

TWILIO_ACCOUNT = "AC" + "0123456789abcdef" * 2
TWILIO_TOKEN = "a-token-for-tests"


@dataclass(frozen=True)
class Answer:
    """What a listener says instead of yes. `taken`: it keeps the message nevertheless. `cut`: it hangs up without a word."""

    status: int = 200
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    taken: bool = False
    cut: bool = False


CUT_AFTER_TAKING = Answer(taken=True, cut=True)
"""The message is taken and the connection breaks before the answer."""


class Listener:
    """An HTTP server in threads. `next` holds answers for the coming requests, one each; while `stuck` is set nothing is answered."""

    def __init__(self) -> None:
        self.next: deque[Answer] = deque()
        self.stuck = threading.Event()
        self.released = threading.Event()
        self.requests = 0
        listener = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                listener._serve(self)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    @property
    def base(self) -> str:
        """Its address, without a path."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop listening; whoever waits is let go."""
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _serve(self, request: BaseHTTPRequestHandler) -> None:
        length = int(request.headers.get("Content-Length") or 0)
        body = request.rfile.read(length)
        if len(body) < length:  # the sender died in the middle: no request
            request.close_connection = True
            return
        self.requests += 1
        answer = self.next.popleft() if self.next else None
        if self.stuck.is_set():
            self.released.wait(60)
        if answer is None or answer.taken:
            said = self._take(request, body)
            answer = answer or said
        if answer.cut:
            request.connection.shutdown(socket.SHUT_RDWR)
            request.close_connection = True
            return
        content = answer.body.encode()
        with suppress(ConnectionError):  # the sender may have died meanwhile
            request.send_response(answer.status)
            for name, value in {"Content-Length": str(len(content)), **answer.headers}.items():
                request.send_header(name, value)
            request.end_headers()
            request.wfile.write(content)

    def _take(self, request: BaseHTTPRequestHandler, body: bytes) -> Answer:
        raise NotImplementedError


@dataclass(frozen=True)
class Sms:
    """A text that Twilio took."""

    sid: str
    to: str
    sender: str
    body: str
    status_to: str
    seconds: int


class FakeTwilio(Listener):
    """Takes messages of one account: `TextServer(TWILIO_ACCOUNT, TWILIO_TOKEN, "+15005550006", fake.base)`."""

    def __init__(self) -> None:
        self.messages: list[Sms] = []
        super().__init__()

    def by_number(self) -> Counter[str]:
        """How many texts each number got."""
        return Counter(sms.to for sms in self.messages)

    @staticmethod
    def refusal(code: int, status: int = 400) -> Answer:
        """An error as Twilio tells it."""
        return Answer(status, json.dumps({"code": code, "message": "The number +1415... is no good", "status": status}))

    def _take(self, request: BaseHTTPRequestHandler, body: bytes) -> Answer:
        wanted = base64.b64encode(f"{TWILIO_ACCOUNT}:{TWILIO_TOKEN}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {wanted}":
            return self.refusal(20003, 401)
        if request.path != f"/2010-04-01/Accounts/{TWILIO_ACCOUNT}/Messages.json":
            return self.refusal(20404, 404)
        sent = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        sid = f"SM{len(self.messages) + 1:032x}"
        sender = sent.get("From") or sent["MessagingServiceSid"]
        status_to, seconds = sent.get("StatusCallback", ""), int(sent.get("ValidityPeriod", "0"))
        self.messages.append(Sms(sid, sent["To"], sender, sent["Body"], status_to, seconds))
        answer = {"sid": sid, "account_sid": TWILIO_ACCOUNT, "status": "queued", "to": sent["To"], "body": sent["Body"]}
        return Answer(201, json.dumps(answer), {"Content-Type": "application/json"})


class FakeSlack(Listener):
    """Takes messages at any path below `/services/`; `fake.address` is a webhook's address."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        super().__init__()

    @property
    def address(self) -> str:
        """An incoming webhook here."""
        return f"{self.base}/services/T000/B000/secret"

    def by_effect(self) -> Counter[str]:
        """How often the message of each effect, or of each digest, came."""
        return Counter(str(message["blocks"][0]["block_id"]) for message in self.messages)

    def _take(self, request: BaseHTTPRequestHandler, body: bytes) -> Answer:
        if not re.fullmatch(r"/services/\w+/\w+/\w+", request.path):
            return Answer(404, "no_service")
        message = json.loads(body)
        if not message.get("text"):
            return Answer(400, "no_text")
        self.messages.append(message)
        return Answer(200, "ok")


L = TypeVar("L", bound="Listener")


@contextmanager
def listening(kind: type[L]) -> Iterator[L]:
    """A listener for the length of a `with`."""
    listener = kind()
    try:
        yield listener
    finally:
        listener.close()

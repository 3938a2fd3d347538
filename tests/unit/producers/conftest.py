"""The gateway in memory: requests in, answers and messages out."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from producers.gateway.kafka_delivery import OutgoingMessage
from producers.gateway.metrics import GatewayMetrics
from producers.gateway.webhook_endpoint import Gateway
from recovery.adapters.kafka import NotDelivered
from recovery.contracts.encoding.codec import decode_fact
from tests.unit.producers.stripe_objects import NOW, SECRET


class MemoryDelivery:
    """Takes messages, or refuses them: at once, when awaited, or never answering."""

    healthy = True

    def __init__(self) -> None:
        self.messages: list[OutgoingMessage] = []
        self.refuses = ""
        self.waiting: list[asyncio.Future[None]] = []

    def deliver(self, messages: Iterable[OutgoingMessage]) -> "asyncio.Future[None]":
        if self.refuses == "at once":
            raise NotDelivered("The queue is full.")
        future = asyncio.get_running_loop().create_future()
        if self.refuses == "later":
            future.set_exception(NotDelivered("No acknowledgement."))
        elif self.refuses == "never":
            self.waiting.append(future)
        else:
            self.messages += messages
            future.set_result(None)
        return future

    def on(self, topic: str) -> list[OutgoingMessage]:
        return [message for message in self.messages if message.topic == topic]

    @property
    def facts(self) -> list:
        return [decode_fact(message.value) for message in self.on("facts")]


@dataclass
class MemoryAccounts:
    known: dict[str, tuple[str, ...]] = field(default_factory=lambda: {"acct_1": (SECRET,)})
    live: frozenset[str] = frozenset()

    def accounts(self) -> list[str]:
        return list(self.known)

    def secrets(self, account: str) -> tuple[str, ...]:
        return self.known.get(account, ())

    def livemode(self, account: str) -> bool:
        return account in self.live


@dataclass
class Answered:
    status: int = 0
    headers: dict[bytes, bytes] = field(default_factory=dict)
    body: bytes = b""


class Client:
    """Calls the gateway as a server would; a body may come in several pieces."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    def post(self, body: bytes | list[bytes], signature: bytes | None, path: str = "/api/stripe/webhook") -> Answered:
        pieces = [body] if isinstance(body, bytes) else body
        headers = [(b"content-length", str(sum(map(len, pieces))).encode())] if isinstance(body, bytes) else []
        if signature is not None:
            headers.append((b"stripe-signature", signature))
        return asyncio.run(self.call("POST", path, headers, pieces))

    def get(self, path: str) -> Answered:
        return asyncio.run(self.call("GET", path, [], [b""]))

    async def call(self, method: str, path: str, headers: list[tuple[bytes, bytes]], pieces: list[bytes], query: bytes = b"") -> Answered:
        answered, left = Answered(), list(pieces)

        async def receive():
            if not left:
                return {"type": "http.disconnect"}
            piece = left.pop(0)
            return {"type": "http.request", "body": piece, "more_body": bool(left)}

        async def send(message):
            if message["type"] == "http.response.start":
                answered.status, answered.headers = message["status"], dict(message["headers"])
            else:
                answered.body += message["body"]

        await self.gateway({"type": "http", "method": method, "path": path, "query_string": query, "headers": headers}, receive, send)
        return answered


@pytest.fixture
def delivery() -> MemoryDelivery:
    return MemoryDelivery()


@pytest.fixture
def accounts() -> MemoryAccounts:
    return MemoryAccounts()


@pytest.fixture
def client(delivery: MemoryDelivery, accounts: MemoryAccounts) -> Client:
    return Client(Gateway(accounts, delivery, lambda: datetime.fromtimestamp(NOW, UTC), GatewayMetrics()))

"""The gateway's other doors in memory."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime

from control.contacts import BouncedAddress
from producers.gateway.metrics import GatewayMetrics
from producers.gateway.router import Route, Router
from producers.gateway.webhook_endpoint import Gateway
from recovery.ids import message_id
from recovery.signed_links import LinkSigner, Sending
from tests.unit.producers.conftest import Answered, Client, MemoryAccounts, MemoryDelivery
from tests.unit.producers.stripe_objects import NOW

BASE = "https://pay.heron.example"
LINKS = LinkSigner(["k" * 40], BASE)
SENT = Sending("acct_1", "cus_1", "in_1", "acct_1.in_1.message.3", int(NOW) - 3600)
MESSAGE_ID = message_id(SENT.effect, "billing.example", LINKS.mail_tag(SENT.effect, SENT.customer))
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def now() -> datetime:
    return datetime.fromtimestamp(NOW, UTC)


@dataclass
class Times:
    """Both clocks and the monotonic one."""

    later: float = 0.0

    def __call__(self) -> datetime:
        return datetime.fromtimestamp(NOW + self.later, UTC)

    def seconds(self) -> float:
        return self.later


@dataclass
class MemoryContacts:
    """Whose address or number it is."""

    emails: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    phones: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    dead: list[tuple[str, str, str]] = field(default_factory=list)
    broken: bool = False

    def customers_with_email(self, account: str, email: str) -> tuple[str, ...]:
        return self._found(self.emails, account, email)

    def customers_with_phone(self, account: str, phone: str) -> tuple[str, ...]:
        return self._found(self.phones, account, phone)

    def bounced(self, account: str, customer: str, email: str, at: datetime) -> BouncedAddress:
        self.dead.append((account, customer, email))
        return BouncedAddress("", 0)

    def _found(self, known: dict[tuple[str, str], tuple[str, ...]], account: str, what: str) -> tuple[str, ...]:
        if self.broken:
            raise OSError("the disk is full")
        return known.get((account, what), ())


class DoorClient(Client):
    """Calls the gateway as browsers and providers do."""

    def __init__(self, doors: list[Route], delivery: MemoryDelivery) -> None:
        metrics = GatewayMetrics()
        super().__init__(Gateway(MemoryAccounts(), delivery, now, metrics, Router(doors, delivery, metrics)))
        self.metrics = metrics

    def ask(self, address: str, method: str = "GET", body: bytes = b"", **headers: str) -> Answered:
        path, _, query = address.removeprefix(BASE).partition("?")
        named = {"user-agent": BROWSER} | {name.replace("_", "-"): value for name, value in headers.items()}
        sent = [(name.encode(), value.encode()) for name, value in named.items() if value]
        return asyncio.run(self.call(method, path, sent, [body], query.encode()))

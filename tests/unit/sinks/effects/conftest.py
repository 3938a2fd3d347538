"""A Stripe of a few dicts, fixed clocks, and effects to perform."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from recovery.contracts.effects import ChargeRequested, MessageRequested, ReadRequested
from recovery.presentation.brand import Brand
from sinks.effects.performer import Clocks, EffectRun

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
HEAD: dict[str, Any] = {
    "account": "acct_1",
    "customer": "cus_1",
    "invoice": "in_1",
    "occurred_at": NOW,
    "received_at": NOW,
    "not_after": NOW + timedelta(days=3),
}


def stripe_charge(succeeded: bool = False, number: int = 1) -> dict[str, Any]:
    card = {"fingerprint": "fp_1", "brand": "visa", "country": "DE", "funding": "credit", "exp_month": 1, "exp_year": 2030}
    return {
        "id": f"ch_{number}",
        "object": "charge",
        "status": "succeeded" if succeeded else "failed",
        "created": int(NOW.timestamp()) + number,
        "failure_code": None if succeeded else "card_declined",
        "disputed": False,
        "outcome": {"type": "authorized" if succeeded else "issuer_declined", "reason": None if succeeded else "insufficient_funds"},
        "payment_method": "pm_1",
        "payment_method_details": {"type": "card", "card": card},
    }


def stripe_invoice(status: str = "open", intent: str = "requires_payment_method", **more: Any) -> dict[str, Any]:
    charge = stripe_charge(succeeded=intent == "succeeded")
    error = None if intent == "succeeded" else {"code": "card_declined", "decline_code": "insufficient_funds", "charge": charge["id"]}
    payment_intent = {"id": "pi_1", "object": "payment_intent", "status": intent, "latest_charge": charge, "last_payment_error": error}
    payment = {"id": "inpay_1", "is_default": True, "created": 1, "payment": {"type": "payment_intent", "payment_intent": payment_intent}}
    customer = {"id": "cus_1", "object": "customer", "email": "ana@payer.example", "name": "Ana", "preferred_locales": ["de-DE"]}
    subscription = {"id": "sub_1", "object": "subscription", "status": "past_due", "items": {"data": []}}
    invoice = {
        "id": "in_1",
        "object": "invoice",
        "status": status,
        "currency": "eur",
        "amount_due": 4900,
        "amount_paid": 4900 if status == "paid" else 0,
        "amount_remaining": 0 if status == "paid" else 4900,
        "attempt_count": 1,
        "auto_advance": True,
        "created": int(NOW.timestamp()),
        "hosted_invoice_url": "https://pay.example/i/1",
        "customer": customer,
        "parent": {"subscription_details": {"subscription": subscription}},
        "payments": {"data": [payment]},
    }
    return {**invoice, **more}


@dataclass
class FakeDoor:
    """Answers like StripeDoor from what the test put in; an exception is raised instead of answered."""

    invoices: list[Any] = field(default_factory=lambda: [stripe_invoice()])
    pays: list[Any] = field(default_factory=list)
    echo: Any = None
    keys: list[str] = field(default_factory=list)
    reads: int = 0
    others: dict[str, Any] = field(default_factory=dict)
    charge_read: Any = None
    charge_invoice: str = "in_1"
    ended: list[tuple[str, str, str]] = field(default_factory=list)
    end_trouble: Any = None
    subscribed: Any = field(default_factory=lambda: {"id": "sub_1", "object": "subscription", "status": "active", "items": {"data": []}})
    known: Any = field(default_factory=lambda: {"id": "cus_1", "email": "ana@payer.example", "name": "Ana", "preferred_locales": ["de-DE"]})

    def wait(self, account: str) -> float:
        return 0.0

    def invoice(self, account: str, invoice: str) -> dict[str, Any]:
        self.reads += 1
        if invoice in self.others:
            return _give(self.others[invoice])
        return _give(self.invoices.pop(0) if len(self.invoices) > 1 else self.invoices[0])

    def charges_of(self, account: str, invoice: dict[str, Any]) -> list[dict[str, Any]]:
        return []

    def charge(self, account: str, charge: str) -> dict[str, Any]:
        return _give(self.charge_read or stripe_charge())

    def invoice_of_charge(self, account: str, charge: dict[str, Any]) -> str:
        return self.charge_invoice

    def customer(self, account: str, customer: str) -> dict[str, Any]:
        return _give(self.known)

    def subscription(self, account: str, subscription: str) -> dict[str, Any]:
        return _give(self.subscribed)

    def cancel(self, account: str, subscription: str, key: str) -> None:
        self._end("cancel", subscription, key)

    def pause_collection(self, account: str, subscription: str, key: str) -> None:
        self._end("pause_collection", subscription, key)

    def mark_uncollectible(self, account: str, invoice: str, key: str) -> None:
        self._end("mark_uncollectible", invoice, key)

    def _end(self, what: str, object_id: str, key: str) -> None:
        if self.end_trouble is not None:
            raise self.end_trouble
        self.ended.append((what, object_id, key))

    def pay(self, account: str, invoice: str, key: str) -> dict[str, Any]:
        self.keys.append(key)
        return _give(self.pays.pop(0))

    def event_of_key(self, account: str, invoice: str, key: str, since: datetime) -> Any:
        return _give(self.echo)


def _give(answer: Any) -> Any:
    if isinstance(answer, Exception):
        raise answer
    return answer


@dataclass
class Accounts:
    """An account that lets us charge."""

    may: bool = True
    looks: Brand = field(default_factory=Brand)

    def may_charge(self, account: str) -> bool:
        return self.may

    def name(self, account: str) -> str:
        return "Northwind Coffee"

    def support_email(self, account: str) -> str:
        return "help@northwind.example"

    def brand(self, account: str) -> Brand:
        return self.looks


@pytest.fixture
def clocks() -> Clocks:
    return Clocks(lambda: NOW, lambda: NOW)


@pytest.fixture
def door() -> FakeDoor:
    return FakeDoor()


@pytest.fixture
def accounts() -> Accounts:
    return Accounts()


@pytest.fixture
def read() -> ReadRequested:
    return ReadRequested(id="acct_1.in_1.read.1", **HEAD)


@pytest.fixture
def charge() -> ChargeRequested:
    return ChargeRequested(id="acct_1.in_1.charge.1", attempt=1, amount_minor=4900, currency="eur", subscription="sub_1", **HEAD)


@pytest.fixture
def mail() -> MessageRequested:
    return MessageRequested(id="acct_1.in_1.mail.1", template="dunning", step=1, amount_minor=4900, currency="eur", **HEAD)


@pytest.fixture
def job() -> Callable[..., EffectRun]:
    def make(effect: Any, **more: Any) -> EffectRun:
        since = more.get("possibly_done_since")
        return EffectRun(**{"effect": effect, "claim": lambda: since or NOW, **more})

    return make


@pytest.fixture
def an_invoice() -> Callable[..., dict[str, Any]]:
    return stripe_invoice


@pytest.fixture
def now() -> datetime:
    return NOW

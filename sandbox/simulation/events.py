"""Stripe's events: written once when something happens, worded per endpoint version when delivered or read."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import msgspec

from sandbox.api import payment_shapes, shapes
from sandbox.simulation.records import AUTOMATIC, Books, Card, Charge, Customer, Invoice, Json, Request, Subscription
from sandbox.simulation.seeded_random import Luck

EMITTED = frozenset({
    "invoice.payment_failed", "invoice.payment_action_required", "invoice.paid", "invoice.payment_succeeded",
    "invoice.voided", "invoice.marked_uncollectible", "invoice.updated", "charge.failed", "charge.refunded", "charge.dispute.created",
    "payment_intent.payment_failed", "customer.updated", "customer.deleted", "customer.subscription.updated",
    "customer.subscription.deleted", "payment_method.attached", "payment_method.automatically_updated",
})  # fmt: skip
VERSION_NAMES = ("acacia", "basil", "clover", "dahlia", "endive")
_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Event:
    """One event with its snapshot and the story of its deliveries (wall time)."""

    id: str
    type: str
    created: float
    customer: str | None
    invoice: str | None
    request: Request
    data: bytes
    legacy: Json | None
    subscribed: bool = False
    attempts: int = 0
    accepted: int = 0
    first_accepted_wall: float | None = None

    def envelope(self, version: str, data: object, account: str | None, pending: int) -> Json:
        """The event around its data, as an endpoint of this API version gets it."""
        body: Json = {
            "id": self.id,
            "object": "event",
            "api_version": version,
            "created": int(self.created),
            "data": data,
            "livemode": False,
            "pending_webhooks": pending,
            "request": {"id": self.request.id, "idempotency_key": self.request.idempotency_key},
            "type": self.type,
        }
        if account is not None:
            body["account"] = account
        return body

    def body(self, version: str, account: str | None = None, pending: int = 1) -> bytes:
        """The bytes to deliver; acacia gets the fields that later versions dropped."""
        if self.legacy is not None and version.endswith("acacia"):
            return _encode(self.envelope(version, self._legacy_data(), account, pending))
        return _encode(self.envelope(version, msgspec.Raw(self.data), account, pending))

    def shown(self, version: str) -> Json:
        """The event as `GET /v1/events/{id}` answers."""
        body: Json = msgspec.json.decode(self.body(version, None, 0 if self.accepted or not self.subscribed else 1))
        return body

    def _legacy_data(self) -> Json:
        data: Json = msgspec.json.decode(self.data)
        old = {key: value for key, value in data["object"].items() if key != "parent"}
        return {**data, "object": {**old, **(self.legacy or {})}}


@dataclass(frozen=True, slots=True)
class _About:
    customer: str | None
    invoice: str | None
    request: Request
    previous: Json | None
    legacy: Json | None


class Announcer:
    """Announces events. Switched off (a world without subscribers) it costs nothing."""

    def __init__(self, books: Books, luck: Luck, base: str, merchant: str, recording: bool) -> None:
        self._books = books
        self._luck = luck
        self.base = base
        self.merchant = merchant
        self._recording = recording
        self._counts: Counter[tuple[str, str]] = Counter()
        self.events: dict[str, Event] = {}
        self._fresh: list[Event] = []

    def drain(self) -> list[Event]:
        """The events since the last call, in order."""
        fresh, self._fresh = self._fresh, []
        return fresh

    def invoice(self, kind: str, bill: Invoice, at: float, request: Request = AUTOMATIC, previous: Json | None = None) -> None:
        """An event about an invoice."""
        if self._recording:
            shown = shapes.invoice(bill, self._books.customers[bill.customer], self.base, self.merchant)
            about = _About(bill.customer, bill.id, request, previous, shapes.legacy_invoice(bill))
            self._emit(kind, at, shown, about)

    def charge(self, kind: str, taken: Charge, at: float, request: Request, previous: Json | None = None) -> None:
        """An event about a charge."""
        if self._recording:
            about = _About(taken.customer, taken.invoice, request, previous, {"invoice": taken.invoice})
            self._emit(kind, at, payment_shapes.charge(taken), about)

    def dispute(self, key: str, taken: Charge, reason: str, at: float) -> None:
        """A cardholder's bank takes money back."""
        if self._recording:
            about = _About(taken.customer, taken.invoice, AUTOMATIC, None, None)
            self._emit("charge.dispute.created", at, payment_shapes.dispute(key, taken, reason, at), about)

    def intent(self, kind: str, bill: Invoice, at: float, request: Request) -> None:
        """An event about a payment intent."""
        if self._recording:
            about = _About(bill.customer, bill.id, request, None, {"invoice": bill.id})
            self._emit(kind, at, payment_shapes.payment_intent(bill), about)

    def subscription(self, kind: str, plan: Subscription, at: float, request: Request = AUTOMATIC, previous: Json | None = None) -> None:
        """An event about a subscription."""
        if self._recording:
            about = _About(plan.customer, plan.latest_invoice, request, previous, shapes.legacy_subscription(plan))
            self._emit(kind, at, shapes.subscription(plan), about)

    def customer(self, kind: str, person: Customer, at: float, request: Request = AUTOMATIC, previous: Json | None = None) -> None:
        """An event about a customer."""
        if self._recording:
            self._emit(kind, at, shapes.customer(person), _About(person.id, None, request, previous, None))

    def card(self, kind: str, card: Card, at: float, request: Request = AUTOMATIC, previous: Json | None = None) -> None:
        """An event about a payment method."""
        if self._recording:
            shown = shapes.payment_method(card, self._books.customers[card.customer])
            self._emit(kind, at, shown, _About(card.customer, None, request, previous, None))

    def _emit(self, kind: str, at: float, shown: Json, about: _About) -> None:
        subject = (kind, str(shown["id"]))
        self._counts[subject] += 1
        data: dict[str, Any] = {"object": shown}
        if about.previous is not None:
            data["previous_attributes"] = about.previous
        event = Event(
            id="evt_1" + self._luck.token(23, *subject, self._counts[subject]),
            type=kind,
            created=at,
            customer=about.customer,
            invoice=about.invoice,
            request=about.request,
            data=_encode(data),
            legacy=about.legacy,
        )
        self.events[event.id] = event
        self._fresh.append(event)

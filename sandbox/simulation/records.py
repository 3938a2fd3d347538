"""What the imaginary Stripe keeps: customers, cards, subscriptions, invoices and charges, with their indices."""

from dataclasses import dataclass, field
from typing import Any, Literal

Json = dict[str, Any]
Actor = Literal["initial", "stripe_retry", "api", "hosted_page"]
PaidBy = Literal["initial", "stripe_retry", "api", "hosted_page", "out_of_band", "nothing_due"]


@dataclass(frozen=True, slots=True)
class Request:
    """Which API call caused an event; both None for what Stripe does by itself."""

    id: str | None = None
    idempotency_key: str | None = None


AUTOMATIC = Request()


@dataclass(frozen=True, slots=True)
class Decline:
    """A refusal as Stripe shows it, with the real cause that only the truth knows."""

    cause: str
    code: str
    decline_code: str | None
    reason: str | None
    outcome_type: str = "issuer_declined"
    network_status: str = "declined_by_network"
    risk_level: str = "normal"
    advice_code: str | None = None
    network_advice_code: str | None = None
    network_decline_code: str | None = None
    requires_action: bool = False


@dataclass(slots=True)
class Card:
    """A saved card; `outcome` None means its owner's bank decides, "good" or a code fixes the answer."""

    id: str
    customer: str
    fingerprint: str
    brand: str
    country: str
    funding: str
    last4: str
    exp_month: int
    exp_year: int
    created: float
    outcome: str | None = None
    expires_at: float = float("inf")
    lost_at: float = float("inf")
    lost_code: str = "lost_card"
    needs_action: str | None = None


@dataclass(slots=True)
class Customer:
    """A payer: what Stripe shows, and the private life (pay days, liquidity, issuer) that decides payments."""

    id: str
    name: str
    email: str | None
    country: str
    currency: str
    locale: str
    created: float
    card: Card
    cycle_days: float
    pay_phase: float
    base: float
    amp: float
    tau: float
    issuer: int
    usual_hours: tuple[int, int]
    cards: list[Card] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)
    invoices: list[str] = field(default_factory=list)
    subscriptions: list[str] = field(default_factory=list)
    deleted: bool = False


@dataclass(slots=True)
class Subscription:
    """A plan of one customer; amounts in minor units."""

    id: str
    customer: str
    item: str
    amount: int
    currency: str
    interval: str
    interval_count: int
    period_s: float
    collection_method: str
    created: float
    period_start: float
    period_end: float
    status: str = "active"
    latest_invoice: str | None = None
    cycles: int = 0
    canceled_at: float | None = None
    cancel_reason: str | None = None


@dataclass(slots=True)
class Charge:
    """One attempt to take the money of one invoice."""

    id: str
    payment_intent: str
    invoice: str
    customer: str
    card: Card
    shown: Json
    amount: int
    currency: str
    at: float
    actor: Actor
    idempotency_key: str | None
    decline: Decline | None
    real_cause: str | None
    fingerprint: str
    opened_at: float | None = None
    refunded: int = 0
    disputed: bool = False

    @property
    def outcome(self) -> str:
        """One of "succeeded", "declined" or "requires_action", as the truth reports it."""
        if self.decline is None:
            return "succeeded"
        return "requires_action" if self.decline.requires_action else "declined"


@dataclass(slots=True)
class Invoice:
    """A bill; amounts in minor units of its currency."""

    id: str
    number: str
    token: str
    customer: str
    subscription: str | None
    amount_due: int
    currency: str
    billing_reason: str
    collection_method: str
    created: float
    period_start: float
    period_end: float
    payment_intent: str
    payment: str
    status: str = "open"
    amount_paid: int = 0
    auto_advance: bool = True
    attempt_count: int = 0
    attempted: bool = False
    next_payment_attempt: float | None = None
    charges: list[Charge] = field(default_factory=list)
    first_failed_at: float | None = None
    first_decline: Decline | None = None
    paid_at: float | None = None
    paid_by: PaidBy | None = None
    voided_at: float | None = None
    uncollectible_at: float | None = None
    due_date: float | None = None
    stripe_tries: int = 0
    opened_at: float | None = None

    @property
    def amount_remaining(self) -> int:
        """What is still owed, minor units."""
        return self.amount_due - self.amount_paid

    @property
    def payable(self) -> bool:
        """Whether a payment may still be made: open, or given up as uncollectible."""
        return self.status in ("open", "uncollectible")


@dataclass(slots=True)
class Books:
    """Everything by id."""

    customers: dict[str, Customer] = field(default_factory=dict)
    by_email: dict[str, Customer] = field(default_factory=dict)
    cards: dict[str, Card] = field(default_factory=dict)
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    invoices: dict[str, Invoice] = field(default_factory=dict)
    by_token: dict[str, Invoice] = field(default_factory=dict)
    by_intent: dict[str, Invoice] = field(default_factory=dict)
    by_payment: dict[str, Invoice] = field(default_factory=dict)
    charges: dict[str, Charge] = field(default_factory=dict)

    def add_customer(self, customer: Customer) -> None:
        """File a customer with the first card."""
        self.customers[customer.id] = customer
        if customer.email:
            self.by_email[customer.email.lower()] = customer
        self.add_card(customer, customer.card)

    def add_card(self, customer: Customer, card: Card) -> None:
        """File a card under its customer."""
        customer.cards.append(card)
        self.cards[card.id] = card

    def add_invoice(self, invoice: Invoice) -> None:
        """File an invoice under every name by which it is found."""
        self.invoices[invoice.id] = invoice
        self.by_token[invoice.token] = invoice
        if invoice.amount_due:  # nothing due, nothing to intend
            self.by_intent[invoice.payment_intent] = invoice
            self.by_payment[invoice.payment] = invoice
        self.customers[invoice.customer].invoices.append(invoice.id)

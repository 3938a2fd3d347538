"""What is true at Stripe in a generated life: one customer's invoices, cards and subscriptions, and the facts that tell of them."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from recovery.contracts.facts import Card, Decline, InvoiceState, SeenAttempt
from tests.support import builders as a

CARDS = (
    Card(fingerprint="fp_visa", brand="visa", country="US", funding="credit"),
    Card(fingerprint="fp_visa_2", brand="visa", country="DE", funding="debit"),
    Card(fingerprint="fp_mc", brand="mastercard", country="GB", funding="debit"),
    Card(fingerprint="fp_amex", brand="amex", country="US", funding="credit"),
    Card(fingerprint="fp_india", brand="visa", country="IN", funding="debit"),
)


def _refusal(code: str, **more: str) -> Decline:
    return Decline(code="card_declined", decline_code=code, **({"outcome_type": "issuer_declined", "method_type": "card"} | more))


DECLINES = (
    *(a.SOFT,) * 12,
    a.HARD,
    a.AUTH,
    a.FRAUD,
    _refusal("generic_decline"),
    _refusal("generic_decline", advice_code="try_again_later"),
    _refusal("do_not_honor", network_advice_code="02"),
    _refusal("insufficient_funds", network_advice_code="27"),
    _refusal("insufficient_funds", network_advice_code="03"),
    _refusal("lost_card"),
    _refusal("stolen_card"),
    _refusal("revocation_of_authorization"),
    _refusal("transaction_not_allowed"),
    _refusal("a_word_from_tomorrow"),
    _refusal("fraudulent", outcome_type="blocked", network_status="not_sent_to_network"),
    Decline(code="processing_error", decline_code="processing_error", outcome_type="issuer_declined", method_type="card"),
    Decline(code="debit_not_authorized", method_type="sepa_debit"),
)


@dataclass
class Bill:
    """One invoice."""

    id: str
    subscription: str
    amount: int
    currency: str
    created: datetime
    reason: str = "subscription_cycle"
    status: str = "open"
    paid: int = 0
    decline: Decline | None = None
    attempts: list[SeenAttempt] = field(default_factory=list)
    tried_with: Card | None = None
    stripe_next: datetime | None = None
    processing: bool = False
    collected: bool = True
    disputed: bool = False
    out_of_band: bool = False
    renews_at: datetime | None = None

    @property
    def state(self) -> InvoiceState:
        """As Stripe shows it."""
        return InvoiceState(
            status=self.status,
            currency=self.currency,
            amount_due=self.amount,
            amount_paid=self.paid,
            amount_remaining=self.amount - self.paid,
            attempt_count=len(self.attempts),
            next_payment_attempt=self.stripe_next if self.status == "open" else None,
            billing_reason=self.reason,
            collection_method="charge_automatically",
            auto_advance=self.collected,
            subscription=self.subscription,
            created=self.created,
            paid_out_of_band=self.out_of_band,
            renews_at=self.renews_at,
        )


class Truth:
    """The customer at Stripe."""

    def __init__(self, luck: Random, start: datetime, crowd: int = 0) -> None:
        """`crowd`: so many invoices, all of one card and failing within hours, instead of one to three."""
        self.luck = luck
        self.card = luck.choice(CARDS)
        self.bills: dict[str, Bill] = {}
        self.cancelled: set[str] = set()
        self.ending: set[str] = set()
        self.paused: set[str] = set()
        self.own_methods: dict[str, str] = {}
        self.deleted = False
        self.charges = 0
        for number in range(crowd or luck.choice((1, 1, 2, 3))):
            self._bill(number, start, crowded=bool(crowd))

    def _bill(self, number: int, start: datetime, *, crowded: bool) -> None:
        luck, shared = self.luck, self.luck.random() < 0.3
        created = start + (timedelta(minutes=luck.randrange(180)) if crowded else timedelta(days=luck.choice((0, 0, 3, 10)) * number))
        self.bills[f"in_{number}"] = Bill(
            id=f"in_{number}",
            subscription="" if luck.random() < 0.05 else "sub_0" if shared else f"sub_{number}",
            amount=luck.choice((1, 900, 4900, 12_345)),
            currency=luck.choice(("eur", "jpy", "kwd")),
            created=created,
            reason="subscription_create" if luck.random() < 0.04 else "subscription_cycle",
            renews_at=created + timedelta(days=luck.choice((7, 30))) if luck.random() < 0.5 else None,
        )

    def why_not(self, bill: Bill) -> str:
        """Why nothing may be charged or written about it now, as the effects sink finds."""
        if self.deleted:
            return "customer_deleted"
        if bill.subscription in self.cancelled | self.ending:
            return "cancelled"
        if bill.subscription in self.paused:
            return "paused"
        if bill.disputed:
            return "disputed"
        if bill.processing:
            return "processing"
        return {"open": "", "paid": "already_paid", "void": "voided", "uncollectible": "written_off"}[bill.status]

    def try_card(self, bill: Bill, now: datetime, chance: float) -> tuple[str, bool]:
        """One charge of what is owed; answers its id and whether it went through."""
        self.charges += 1
        charge, done = f"ch_{self.charges}", self.luck.random() < chance
        bill.decline = None if done else self.luck.choice(DECLINES)
        reached = done or (bill.decline is not None and bill.decline.network_status != "not_sent_to_network")
        card = self.card
        seen = SeenAttempt(charge=charge, at=now, succeeded=done, fingerprint=card.fingerprint, brand=card.brand, reached_network=reached)
        bill.attempts.append(seen)
        bill.tried_with = card
        if done:
            bill.status, bill.paid, bill.stripe_next = "paid", bill.amount, None
        return charge, done

    def reading(self, bill: Bill) -> dict[str, Any]:
        """What a look at the invoice shows."""
        return {
            "state": bill.state,
            "decline": Decline(intent_status="processing", method_type="sepa_debit") if bill.processing else bill.decline,
            "card": bill.tried_with or self.card,
            "attempts": tuple(bill.attempts),
            "subscription_status": "canceled" if bill.subscription in self.cancelled else "past_due" if bill.subscription else "",
            "subscription_ending": bill.subscription in self.ending,
            "subscription_paused": bill.subscription in self.paused,
            "customer_deleted": self.deleted,
            "disputed": bill.disputed,
            "subscription_method": self.own_methods.get(bill.subscription, ""),
        }

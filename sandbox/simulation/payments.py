"""Taking money: one attempt on one invoice, and all that follows from its answer."""

from collections.abc import Callable
from dataclasses import dataclass, field

from sandbox.api import shapes
from sandbox.simulation.bank import Bank
from sandbox.simulation.events import Announcer
from sandbox.simulation.records import AUTOMATIC, Actor, Books, Card, Charge, Invoice, PaidBy, Request
from sandbox.simulation.seeded_random import Luck


@dataclass(frozen=True, slots=True)
class Recovery:
    """An invoice that failed first and was paid later; `actor` is who took the money."""

    invoice: str
    customer: str
    at: float
    actor: str
    amount: int
    currency: str
    mail: str | None


@dataclass(slots=True)
class Payments:
    """Attempts, settlements and their events; keeps the list of recoveries."""

    books: Books
    bank: Bank
    luck: Luck
    announce: Announcer
    first_failure: Callable[[Invoice, float], None]
    paid: Callable[[Invoice, float], None]
    recoveries: list[Recovery] = field(default_factory=list)
    failures: int = 0

    def attempt(
        self, bill: Invoice, card: Card, at: float, actor: Actor, *, request: Request = AUTOMATIC, mail: str | None = None
    ) -> Charge:
        """Try to take what is owed from this card; the charge returned says whether it worked."""
        person = self.books.customers[bill.customer]
        decline = self.bank.authorize(person, card, bill, at)
        taken = Charge(
            id="ch_3" + self.luck.token(23, bill.id, "charge", len(bill.charges)),
            payment_intent=bill.payment_intent,
            invoice=bill.id,
            customer=bill.customer,
            card=card,
            shown=shapes.payment_method(card, person),
            amount=bill.amount_remaining,
            currency=bill.currency,
            at=at,
            actor=actor,
            idempotency_key=request.idempotency_key,
            decline=decline,
            real_cause=decline.cause if decline else None,
            fingerprint=card.fingerprint,
            opened_at=bill.opened_at,
        )
        bill.charges.append(taken)
        bill.attempted = True
        if actor in ("initial", "stripe_retry"):  # calls of the API and the page do not count (Invoice.attempt_count)
            bill.attempt_count += 1
        self.books.charges[taken.id] = taken
        if decline is None:
            self.settle(bill, at, actor, request, mail)
            self.paid(bill, at)
        else:
            self._refused(bill, taken, at, request)
        return taken

    def settle(self, bill: Invoice, at: float, by: PaidBy, request: Request = AUTOMATIC, mail: str | None = None) -> None:
        """Mark an invoice paid, announce it, and bring its subscription back."""
        amount = bill.amount_remaining
        bill.amount_paid = bill.amount_due
        bill.status, bill.paid_at, bill.paid_by, bill.next_payment_attempt = "paid", at, by, None
        bill.attempted = True
        if bill.first_failed_at is not None and bill.billing_reason != "subscription_create":
            self.recoveries.append(Recovery(bill.id, bill.customer, at, by, amount, bill.currency, mail))
        self.announce.invoice("invoice.paid", bill, at, request)
        if by != "out_of_band":
            self.announce.invoice("invoice.payment_succeeded", bill, at, request)
        self.reactivate(bill, at, request)

    def reactivate(self, bill: Invoice, at: float, request: Request) -> None:
        """The latest invoice is settled: a past-due or incomplete subscription is active again."""
        plan = self.books.subscriptions.get(bill.subscription or "")
        if plan and plan.status in ("past_due", "incomplete") and plan.latest_invoice == bill.id:
            previous, plan.status = plan.status, "active"
            self.announce.subscription("customer.subscription.updated", plan, at, request, {"status": previous})

    def _refused(self, bill: Invoice, taken: Charge, at: float, request: Request) -> None:
        decline = taken.decline
        first = bill.first_failed_at is None
        if first:
            bill.first_failed_at, bill.first_decline = at, decline
            self.failures += bill.billing_reason != "subscription_create"
            self.first_failure(bill, at)
        if decline is None or not decline.requires_action:
            self.announce.charge("charge.failed", taken, at, request)
            self.announce.intent("payment_intent.payment_failed", bill, at, request)
        self.announce.invoice("invoice.payment_failed", bill, at, request)
        if decline is not None and decline.cause == "authentication":
            self.announce.invoice("invoice.payment_action_required", bill, at, request)
        self._past_due(bill, at, request)

    def _past_due(self, bill: Invoice, at: float, request: Request) -> None:
        plan = self.books.subscriptions.get(bill.subscription or "")
        if plan and plan.status == "active" and plan.latest_invoice == bill.id:
            plan.status = "past_due"
            self.announce.subscription("customer.subscription.updated", plan, at, request, {"status": "active"})

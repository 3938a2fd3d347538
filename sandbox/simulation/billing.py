"""Bills as they fall due: subscription cycles, new sign-ups, one-off invoices, Stripe's own retries."""

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sandbox.api.shapes import seconds
from sandbox.simulation import customers
from sandbox.simulation.events import Announcer
from sandbox.simulation.payments import Payments
from sandbox.simulation.records import AUTOMATIC, Books, Customer, Invoice, Request, Subscription
from sandbox.simulation.seeded_random import Luck

DAY = 86_400.0
_RETRY_HOURS = (26, 60, 98, 140, 186, 236, 284, 330)  # eight tries in two weeks, Stripe's recommended policy
_NEVER_RETRIED = frozenset({
    "incorrect_number", "lost_card", "pickup_card", "stolen_card", "revocation_of_authorization",
    "revocation_of_all_authorizations", "authentication_required", "highest_risk_level",
})  # fmt: skip
_INTERVALS = [(("month", 1, 30.4375), 0.5), (("week", 1, 7.0), 0.25), (("week", 2, 14.0), 0.25)]
_AMOUNTS = {
    "usd": (900, 1900, 2900, 4900, 9900),
    "eur": (900, 1900, 2900, 4900, 8900),
    "gbp": (800, 1500, 2500, 3900, 7900),
    "jpy": (980, 1980, 2980, 4980, 9800),
    "kwd": (900, 1900, 2900, 4900, 9900),
}

Happening = Callable[..., None]


class Queue:
    """What is due when; equal times keep the order in which they were put."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Happening, tuple[Any, ...]]] = []
        self._order = itertools.count()

    def put(self, at: float, happening: Happening, *args: Any) -> None:
        """Call `happening(at, *args)` when time has come to `at`."""
        heapq.heappush(self._heap, (at, next(self._order), happening, args))

    def run(self, until: float) -> None:
        """Let everything happen that is due by `until`, in order."""
        while self._heap and self._heap[0][0] <= until:
            at, _, happening, args = heapq.heappop(self._heap)
            happening(at, *args)


@dataclass(slots=True)
class Billing:
    """Creates subscriptions and invoices and collects them the way Stripe does."""

    books: Books
    luck: Luck
    payments: Payments
    announce: Announcer
    start: float
    stripe_retries: bool
    queue: Queue = field(default_factory=Queue)
    cancellations: list[dict[str, object]] = field(default_factory=list)

    def subscribe(self, person: Customer, since: float | None = None) -> None:
        """Give a payer a plan; `since` is the sign-up time, None for one that ran before the month began."""
        (interval, count, days), period = self._interval(person)
        first = self.start + self.luck.unit(person.id, "due") * period if since is None else since
        plan = Subscription(
            id="sub_1" + self.luck.token(23, person.id, "subscription"),
            customer=person.id,
            item="si_" + self.luck.token(14, person.id, "item"),
            amount=_AMOUNTS[person.currency][int(self.luck.unit(person.id, "plan") * 5)],
            currency=person.currency,
            interval=interval,
            interval_count=count,
            period_s=days * DAY,
            collection_method="send_invoice" if self.luck.chance(0.01, person.id, "by invoice") else "charge_automatically",
            created=first - period * (1 + int(self.luck.unit(person.id, "age") * 12)) if since is None else since,
            period_start=first - period,
            period_end=first,
        )
        self.books.subscriptions[plan.id] = plan
        person.subscriptions.append(plan.id)
        self.queue.put(first, self.cycle, plan, "subscription_cycle" if since is None else "subscription_create")

    def one_off(self, at: float, person: Customer) -> None:
        """A manual invoice without a subscription."""
        if not person.deleted:
            amount = _AMOUNTS[person.currency][int(self.luck.unit(person.id, "one-off") * 5)]
            bill = self._invoice(person, None, at, amount=amount, reason="manual", method="charge_automatically", cause="one-off")
            self._collect(at, bill)

    def cycle(self, at: float, plan: Subscription, reason: str) -> None:
        """A period begins: bill it, collect, and come back for the next."""
        person = self.books.customers[plan.customer]
        if plan.status in ("canceled", "incomplete", "incomplete_expired") or person.deleted:
            return
        plan.period_start, plan.period_end = at, at + plan.period_s
        plan.cycles += 1
        self.queue.put(plan.period_end, self.cycle, plan, "subscription_cycle")
        free = self.luck.chance(0.01, plan.id, "free", plan.cycles)
        amount = 0 if free else plan.amount
        bill = self._invoice(
            person, plan, at, amount=amount, reason=reason, method=plan.collection_method, cause=f"{plan.id}:{plan.cycles}"
        )
        plan.latest_invoice = bill.id
        if amount == 0:
            self.payments.settle(bill, at, "nothing_due")
        elif plan.collection_method == "charge_automatically":
            self._collect(at, bill)
        elif self.luck.chance(0.8, bill.id, "pays by invoice"):
            self.queue.put(at + self.luck.between(1, 12, bill.id, "pays at") * DAY, self._pays_by_invoice, bill)

    def cancel(self, plan: Subscription, at: float, request: Request = AUTOMATIC) -> None:
        """End a subscription now; its unpaid invoices stay open and are no longer collected."""
        plan.status, plan.canceled_at, plan.cancel_reason = "canceled", at, "cancellation_requested"
        self.cancellations.append({"subscription": plan.id, "customer": plan.customer, "at": at})
        self.announce.subscription("customer.subscription.deleted", plan, at, request)
        for key in self.books.customers[plan.customer].invoices:
            bill = self.books.invoices[key]
            if bill.subscription == plan.id and bill.status == "open" and bill.auto_advance:
                previous = {"auto_advance": True, "next_payment_attempt": seconds(bill.next_payment_attempt)}
                bill.auto_advance, bill.next_payment_attempt = False, None
                self.announce.invoice("invoice.updated", bill, at, request, previous)

    def void(self, bill: Invoice, at: float, request: Request = AUTOMATIC) -> None:
        """Cancel an open invoice for good."""
        bill.status, bill.voided_at, bill.next_payment_attempt = "void", at, None
        self.announce.invoice("invoice.voided", bill, at, request)
        self.payments.reactivate(bill, at, request)

    def _interval(self, person: Customer) -> tuple[tuple[str, int, float], float]:
        chosen = self.luck.pick(_INTERVALS, person.id, "interval")
        return chosen, chosen[2] * DAY

    def _invoice(
        self, person: Customer, plan: Subscription | None, at: float, *, amount: int, reason: str, method: str, cause: str
    ) -> Invoice:
        bill = Invoice(
            id="in_1" + self.luck.token(23, person.id, cause),
            number=f"{self.luck.token(8, person.id, 'number').upper()}-{len(person.invoices) + 1:04d}",
            token=self.luck.token(32, person.id, cause, "page"),
            customer=person.id,
            subscription=plan.id if plan else None,
            amount_due=amount,
            currency=person.currency,
            billing_reason=reason,
            collection_method=method,
            created=at,
            period_start=at - plan.period_s if plan and reason == "subscription_cycle" else at,
            period_end=at,
            payment_intent="pi_3" + self.luck.token(23, person.id, cause, "intent"),
            payment="inpay_1" + self.luck.token(23, person.id, cause, "payment"),
            due_date=at + 14 * DAY if method == "send_invoice" else None,
        )
        self.books.add_invoice(bill)
        return bill

    def _collect(self, at: float, bill: Invoice) -> None:
        plan = self.books.subscriptions.get(bill.subscription or "")
        first = bill.billing_reason == "subscription_create"
        if first and plan is not None:
            plan.status = "incomplete"
        if self.stripe_retries and not first:
            bill.next_payment_attempt = self._retry_at(bill, at, 0)  # shown only if the attempt fails
        taken = self.payments.attempt(bill, self.books.customers[bill.customer].card, at, "initial")
        if taken.decline is None:
            return
        if first and plan is not None:
            self.queue.put(at + 23 * 3600, self._first_invoice_expires, bill, plan)
        elif bill.next_payment_attempt is not None:
            self.queue.put(bill.next_payment_attempt, self._stripe_retry, bill)

    def _retry_at(self, bill: Invoice, first: float, tries: int) -> float:
        return first + (_RETRY_HOURS[tries] + self.luck.between(-8, 8, bill.id, "stripe retry", tries)) * 3600

    def _stripe_retry(self, at: float, bill: Invoice) -> None:
        if bill.status != "open" or not bill.auto_advance or bill.first_failed_at is None:
            return
        bill.stripe_tries += 1
        due = bill.next_payment_attempt
        later = bill.stripe_tries < len(_RETRY_HOURS)
        bill.next_payment_attempt = self._retry_at(bill, bill.first_failed_at, bill.stripe_tries) if later else None
        card, last = self.books.customers[bill.customer].card, bill.charges[-1]
        refusal = last.decline
        hopeless = refusal is not None and {refusal.decline_code, refusal.reason} & _NEVER_RETRIED
        if hopeless and card.fingerprint == last.fingerprint:
            bill.attempt_count += 1  # Stripe counts on and moves the date without executing anything
            previous = {"attempt_count": bill.attempt_count - 1, "next_payment_attempt": seconds(due)}
            self.announce.invoice("invoice.updated", bill, at, AUTOMATIC, previous)
        else:
            self.payments.attempt(bill, card, at, "stripe_retry")
        if bill.status == "open" and bill.next_payment_attempt is not None:
            self.queue.put(bill.next_payment_attempt, self._stripe_retry, bill)

    def _first_invoice_expires(self, at: float, bill: Invoice, plan: Subscription) -> None:
        if bill.status == "open":
            plan.status = "incomplete_expired"
            self.announce.subscription("customer.subscription.updated", plan, at, AUTOMATIC, {"status": "incomplete"})
            self.void(bill, at)

    def _pays_by_invoice(self, at: float, bill: Invoice) -> None:
        person = self.books.customers[bill.customer]
        if bill.status == "open":
            card = customers.new_card(self.luck, person, at, "good", bill.id, "by invoice")
            self.payments.attempt(bill, card, at, "hosted_page")

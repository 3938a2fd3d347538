"""The imaginary Stripe as a pure simulation: time is an argument, luck is hashed, events come out in order."""

from dataclasses import dataclass

from sandbox.api import errors
from sandbox.api.shapes import seconds
from sandbox.simulation import customers as people
from sandbox.simulation.bank import Bank
from sandbox.simulation.behaviour import Behaviour
from sandbox.simulation.billing import Billing
from sandbox.simulation.events import Announcer, Event
from sandbox.simulation.payments import Payments
from sandbox.simulation.records import Books, Card, Charge, Customer, Invoice, Request, Subscription
from sandbox.simulation.refunds_and_disputes import Aftermath
from sandbox.simulation.seeded_random import Luck

DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Setting:
    """The parameters of a world; two worlds of equal setting are equal until a client acts on them."""

    seed: int
    start: float
    customers: int = 2000
    days: float = 30.0
    stripe_retries: bool = False
    account: str = "acct_1SandboxDunlin00"
    merchant: str = "Wader Supply Co."
    base: str = "http://127.0.0.1"


class World:
    """One merchant account with its customers and banks.

    `advance` lets time pass; every other method is an action at `at` (business time, Unix seconds) and expects the world to have been
    advanced to it. Methods raise `errors.Refusal` where Stripe answers with an error.
    """

    def __init__(self, setting: Setting, *, recording: bool = True) -> None:
        self.setting = setting
        self.now = setting.start
        luck = Luck(setting.seed)
        self.books = Books()
        self.bank = Bank(luck, setting.start)
        self.announce = Announcer(self.books, luck, setting.base, setting.merchant, recording)
        self.payments = Payments(self.books, self.bank, luck, self.announce, self._first_failure, self._paid)
        self.billing = Billing(self.books, luck, self.payments, self.announce, setting.start, setting.stripe_retries)
        self.aftermath = Aftermath(luck, self.announce, self.billing.queue)
        self.behaviour = Behaviour(self.books, luck, self.bank, self.payments, self.announce, self.billing, setting.start)
        self._populate(luck)

    @property
    def month_end(self) -> float:
        """When the simulated month is over, Unix seconds."""
        return self.setting.start + self.setting.days * DAY

    def advance(self, until: float) -> list[Event]:
        """Let everything happen that is due by `until`; returns all events since the last call, in order."""
        self.billing.queue.run(until)
        self.now = max(self.now, until)
        return self.announce.drain()

    def invoice(self, key: str) -> Invoice:
        """The invoice of this id; 404 without one."""
        bill = self.books.invoices.get(key)
        if bill is None:
            raise errors.missing("invoice", key)
        return bill

    def pay(self, key: str, at: float, request: Request, *, payment_method: str | None = None, out_of_band: bool = False) -> Invoice:
        """`Invoice.pay`; a refused card raises the 402 after the failure was recorded and announced."""
        bill = self.invoice(key)
        if bill.status == "paid":
            raise errors.invalid("Invoice is already paid")
        if not bill.payable:
            raise errors.invalid(f"You can only pay an open or uncollectible invoice; this one is {bill.status}.")
        if out_of_band:
            self.payments.settle(bill, at, "out_of_band", request)
            return bill
        taken = self.payments.attempt(bill, self._card_for(bill, payment_method), at, "api", request=request)
        if taken.decline is not None:
            raise errors.card_refused(bill, taken)
        return bill

    def set_auto_advance(self, key: str, at: float, request: Request, wanted: bool) -> Invoice:
        """`Invoice.modify(auto_advance=)`: false stops Stripe's own retries of an open invoice."""
        bill = self.invoice(key)
        if bill.status != "open":
            raise errors.invalid(f"Only open invoices can be changed; this one is {bill.status}.")
        if bill.auto_advance != wanted:
            previous = {"auto_advance": bill.auto_advance, "next_payment_attempt": seconds(bill.next_payment_attempt)}
            bill.auto_advance = wanted
            bill.next_payment_attempt = None
            self.announce.invoice("invoice.updated", bill, at, request, previous)
        return bill

    def void(self, key: str, at: float, request: Request) -> Invoice:
        """`Invoice.void_invoice`."""
        bill = self.invoice(key)
        if not bill.payable:
            raise errors.invalid(f"You can only void open or uncollectible invoices; this one is {bill.status}.")
        self.billing.void(bill, at, request)
        return bill

    def mark_uncollectible(self, key: str, at: float, request: Request) -> Invoice:
        """`Invoice.mark_uncollectible`; it can still be paid."""
        bill = self.invoice(key)
        if bill.status != "open":
            raise errors.invalid(f"You can only mark open invoices as uncollectible; this one is {bill.status}.")
        bill.status, bill.uncollectible_at, bill.next_payment_attempt = "uncollectible", at, None
        self.announce.invoice("invoice.marked_uncollectible", bill, at, request)
        self.payments.reactivate(bill, at, request)
        return bill

    def cancel(self, key: str, at: float, request: Request) -> Subscription:
        """`Subscription.cancel`."""
        plan = self.books.subscriptions.get(key)
        if plan is None or plan.status == "canceled":
            raise errors.missing("subscription", key)
        self.billing.cancel(plan, at, request)
        return plan

    def modify_customer(self, key: str, at: float, request: Request, changes: dict[str, object]) -> Customer:
        """`Customer.modify` for e-mail, name, metadata and the default payment method."""
        person = self.customer(key)
        previous: dict[str, object] = {}
        if "email" in changes:
            previous["email"], person.email = person.email, str(changes["email"]) or None
            if person.email:
                self.books.by_email[person.email.lower()] = person
        if "name" in changes:
            previous["name"], person.name = person.name, str(changes["name"])
        metadata = changes.get("metadata")
        if isinstance(metadata, dict):
            previous["metadata"] = dict(person.metadata)
            person.metadata.update({str(name): str(value) for name, value in metadata.items()})
        settings = changes.get("invoice_settings")
        if isinstance(settings, dict) and "default_payment_method" in settings:
            card = self._own_card(person, str(settings["default_payment_method"]))
            previous["invoice_settings"] = {"default_payment_method": person.card.id}
            person.card = card
        if previous:
            self.announce.customer("customer.updated", person, at, request, previous)
        return person

    def delete_customer(self, key: str, at: float, request: Request) -> Customer:
        """`Customer.delete`: cancels what runs, then the customer is gone."""
        person = self.customer(key)
        for plan in (self.books.subscriptions[name] for name in person.subscriptions):
            if plan.status != "canceled":
                self.billing.cancel(plan, at, request)
        person.deleted = True
        self.announce.customer("customer.deleted", person, at, request)
        return person

    def customer(self, key: str) -> Customer:
        """The customer of this id; 404 without one."""
        person = self.books.customers.get(key)
        if person is None or person.deleted:
            raise errors.missing("customer", key)
        return person

    def attach_card(self, key: str, at: float, request: Request, outcome: str = "good") -> Card:
        """A new card for a customer, "good" or always declining with a code; not made the default."""
        person = self.customer(key)
        card = people.new_card(self.billing.luck, person, at, outcome, "attached", len(person.cards))
        self.books.add_card(person, card)
        self.announce.card("payment_method.attached", card, at, request)
        return card

    def refund(self, key: str, at: float, request: Request, amount: int | None) -> Charge:
        """`Refund.create` on a charge, whole or in part (minor units)."""
        taken = self.books.charges.get(key)
        if taken is None:
            raise errors.missing("charge", key, "charge", 400)
        left = taken.amount - taken.refunded if taken.decline is None else 0
        wanted = left if amount is None else amount
        if wanted <= 0 or wanted > left:
            raise errors.invalid(f"Refund amount ({wanted}) is greater than unrefunded amount on charge ({left}).", "amount")
        self.aftermath.refund(taken, wanted, at, request)
        return taken

    def _card_for(self, bill: Invoice, payment_method: str | None) -> Card:
        person = self.books.customers[bill.customer]
        return person.card if payment_method is None else self._own_card(person, payment_method)

    def _own_card(self, person: Customer, key: str) -> Card:
        card = self.books.cards.get(key)
        if card is None or card.customer != person.id:
            raise errors.missing("PaymentMethod", key, "payment_method", 400)
        return card

    def _first_failure(self, bill: Invoice, at: float) -> None:
        self.behaviour.first_failure(bill, at)

    def _paid(self, bill: Invoice, at: float) -> None:
        self.aftermath.paid(bill, at)

    def _populate(self, luck: Luck) -> None:
        start, count = self.setting.start, self.setting.customers
        for number in range(count + count // 50):
            person = people.customer(luck, number, start)
            new = number >= count
            since = start + luck.between(0.2, self.setting.days - 0.2, number, "sign-up") * DAY if new else None
            if since is not None:
                person.created = since
            self.books.add_customer(person)
            self.billing.subscribe(person, since)
            self.behaviour.begin(person)
            if not new and luck.chance(0.012, number, "one-off"):
                at = start + luck.between(0.5, self.setting.days - 0.5, number, "one-off at") * DAY
                self.billing.queue.put(at, self.billing.one_off, person)

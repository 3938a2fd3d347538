"""What payers do of their own accord: read mails, pay on the page, cancel, get a new card from the bank."""

from collections.abc import Callable
from dataclasses import dataclass, field

from sandbox.mail.mail_page import Seen
from sandbox.simulation import customers
from sandbox.simulation.bank import Bank
from sandbox.simulation.billing import Billing
from sandbox.simulation.events import Announcer
from sandbox.simulation.payments import Payments
from sandbox.simulation.records import Books, Charge, Customer, Invoice, Request
from sandbox.simulation.seeded_random import Luck

DAY = 86_400.0
_MAIL_WORKS = (0.13, 0.09, 0.06, 0.03)
_UNPROMPTED = 0.06
_LEAVES_AFTER_FAILURE = 0.07
_LEAVES_ANYWAY = 0.006
_UPDATER = 0.30
_SHOWS_IMAGES = 0.55
_FOLLOWS_IDLY = 0.08
"""Of those whose mail program loads images and who do not pay by this mail."""
_BLANK = Seen()


@dataclass(slots=True)
class Mail:
    """A mail as the truth reports it; `copies` counts physical arrivals of one Message-ID."""

    message_id: str
    to: str
    customer: str | None
    invoice: str | None
    at_wall: float
    at_business: float
    subject: str
    invoice_status_at_receipt: str | None
    subscription_status_at_receipt: str | None
    opened_at: float | None
    copies: int = 1


def _offline(_address: str) -> None:
    """A world without a network: nothing is fetched."""


@dataclass(slots=True)
class Behaviour:
    """Schedules and performs the actions of customers, drawn from the seed.

    `fetch` fetches an address in a mail and returns nothing: actions of customers never depend on an answer.
    """

    books: Books
    luck: Luck
    bank: Bank
    payments: Payments
    announce: Announcer
    billing: Billing
    start: float
    fetch: Callable[[str], None] = _offline
    mails: dict[str, Mail] = field(default_factory=dict)
    _steps: dict[str, int] = field(default_factory=dict)
    _mails_of: dict[str, int] = field(default_factory=dict)

    def begin(self, person: Customer) -> None:
        """Put a payer's month into the queue: card updates, and leaving without a reason we know."""
        card = person.card
        broken = max(min(card.lost_at, card.expires_at), self.start)
        if broken < self.start + 60 * DAY and self.luck.chance(_UPDATER, person.id, "updater"):
            at = broken + self.luck.exponential(4 * DAY, person.id, "updater at")
            self.billing.queue.put(at, self._card_updated, person)
        if self.luck.chance(_LEAVES_ANYWAY, person.id, "leaves"):
            at = self.start + self.luck.between(1, 30, person.id, "leaves at") * DAY
            self.billing.queue.put(at, self._leave, person, None)

    def first_failure(self, bill: Invoice, at: float) -> None:
        """A payment failed for the first time: some will pay unprompted, some will leave, later more likely."""
        person = self.books.customers[bill.customer]
        if bill.billing_reason == "subscription_create":
            return
        if self.luck.chance(_UNPROMPTED, bill.id, "unprompted"):
            when = at + self.luck.exponential(6 * DAY, bill.id, "unprompted at")
            self.billing.queue.put(when, self._visit, bill, None, 0)
        if self.luck.chance(_LEAVES_AFTER_FAILURE, bill.id, "leaves"):
            when = at + 21 * DAY * float(self.luck.unit(bill.id, "leaves at") ** 0.5)
            self.billing.queue.put(when, self._leave, person, bill)

    def receive(self, message_id: str, *, to: str, token: str | None, subject: str, wall: float, at: float, seen: Seen = _BLANK) -> Mail:
        """A mail arrives: remember it; its reader may open it and follow its link, hours later."""
        known = self.mails.get(message_id)
        if known is not None:
            known.copies += 1
            return known
        bill = self.books.by_token.get(token or "")
        person = self.books.by_email.get(to.lower())
        plan = self.books.subscriptions.get(bill.subscription or "") if bill else None
        mail = Mail(
            message_id=message_id,
            to=to,
            customer=person.id if person else None,
            invoice=bill.id if bill else None,
            at_wall=wall,
            at_business=at,
            subject=subject,
            invoice_status_at_receipt=bill.status if bill else None,
            subscription_status_at_receipt=plan.status if plan else None,
            opened_at=bill.opened_at if bill else None,
        )
        self.mails[message_id] = mail
        if person is None:
            return mail
        acts_at = self._read(bill, mail, at) if bill is not None and person.id == bill.customer else None
        self._open(mail, seen, at, acts_at)
        return mail

    def pay_on_page(self, bill: Invoice, choice: str, at: float, mail: str | None = None) -> Charge:
        """What the hosted page's button does: `choice` is "saved", "good" or a decline code of a test card.

        A new card that works becomes the customer's default, as a page of a subscription invoice does.
        """
        person = self.books.customers[bill.customer]
        request = self.page_request(bill)
        if choice == "saved":
            return self.payments.attempt(bill, person.card, at, "hosted_page", request=request, mail=mail)
        card = customers.new_card(self.luck, person, at, choice, bill.id, len(bill.charges))
        taken = self.payments.attempt(bill, card, at, "hosted_page", request=request, mail=mail)
        if taken.decline is None:
            self.books.add_card(person, card)
            previous, person.card = person.card, card
            self.announce.card("payment_method.attached", card, at, request)
            settings = {"invoice_settings": {"default_payment_method": previous.id}}
            self.announce.customer("customer.updated", person, at, request, settings)
        return taken

    def page_request(self, bill: Invoice) -> Request:
        """The request id and idempotency key of Stripe's own page: random in form, derived from the attempt."""
        raw = self.luck.token(22, bill.id, "page", len(bill.charges)).encode().hex()
        key = f"{raw[:8]}-{raw[8:12]}-4{raw[13:16]}-a{raw[17:20]}-{raw[20:32]}"
        return Request("req_" + self.luck.token(14, bill.id, "page request", len(bill.charges)), key)

    def _read(self, bill: Invoice, mail: Mail, at: float) -> float | None:
        """When the reader goes to pay because of this mail; None when they do not."""
        step = self._steps.get(bill.id, 0)
        self._steps[bill.id] = step + 1
        chance = _MAIL_WORKS[min(step, len(_MAIL_WORKS) - 1)]
        if not self.luck.chance(chance, bill.id, "mail", step):
            return None
        when = at + 0.2 * 3600 + self.luck.exponential(9 * 3600, bill.id, "mail at", step)
        self.billing.queue.put(when, self._visit, bill, mail.message_id, 0)
        return when

    def _open(self, mail: Mail, seen: Seen, at: float, acts_at: float | None) -> None:
        """Some mail programs load images, some block them; who goes to pay follows the link, and a few follow it idly."""
        nth = self._mails_of[mail.to] = self._mails_of.get(mail.to, 0) + 1
        name = f"{mail.to} {nth}"  # not its Message-ID, which is signed with keys of the run
        shows = self.luck.chance(_SHOWS_IMAGES, name, "images")
        idle_at = at + 0.2 * 3600 + self.luck.exponential(9 * 3600, name, "looks at")
        if shows:
            for image in seen.images:
                self.billing.queue.put(acts_at or idle_at, self._load, image)
        follows = acts_at is not None or (shows and self.luck.chance(_FOLLOWS_IDLY, name, "follows"))
        if follows and seen.link:
            self.billing.queue.put(acts_at or idle_at, self._load, seen.link)

    def _load(self, _at: float, address: str) -> None:
        self.fetch(address)

    def _visit(self, at: float, bill: Invoice, mail: str | None, tries: int) -> None:
        plan = self.books.subscriptions.get(bill.subscription or "")
        person = self.books.customers[bill.customer]
        if not bill.payable or person.deleted or (plan is not None and plan.status == "canceled"):
            return
        if self.luck.chance(0.6, bill.id, "types a new card"):
            self.pay_on_page(bill, "good", at, mail)
        elif self.bank.authorize(person, person.card, bill, at) is None:
            self.pay_on_page(bill, "saved", at, mail)
        elif tries < 5:  # waits until the account is filled again
            self.billing.queue.put(at + DAY, self._visit, bill, mail, tries + 1)

    def _leave(self, at: float, person: Customer, bill: Invoice | None) -> None:
        if bill is not None and not bill.payable:
            return
        for key in person.subscriptions:
            if self.books.subscriptions[key].status not in ("canceled", "incomplete", "incomplete_expired"):
                self.billing.cancel(self.books.subscriptions[key], at)

    def _card_updated(self, at: float, person: Customer) -> None:
        card = person.cards[0]
        if person.deleted or min(card.lost_at, card.expires_at) > at:
            return
        before = {"exp_month": card.exp_month, "exp_year": card.exp_year, "last4": card.last4}
        customers.renew_card(self.luck, card, at)
        now = {"exp_month": card.exp_month, "exp_year": card.exp_year, "last4": card.last4}
        changed = {key: value for key, value in before.items() if now[key] != value}
        self.announce.card("payment_method.automatically_updated", card, at, previous={"card": changed})

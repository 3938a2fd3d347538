"""Writing to a payer: look at the invoice at the moment of sending (B47), learn the address from it, hand the mail over once.

A mail in doubt is repeated once with the same Message-ID, then recorded as unknown (decision 18).
"""

from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any, Protocol

import msgspec

from recovery import ids
from recovery.contracts.effects import MessageRequested
from recovery.contracts.facts import InvoiceState, MessageSettled
from recovery.stripe_shapes import reading
from sinks.effects.answers import Answer, Clocks, Doubt, Job, Later, Settled, header
from sinks.effects.look import why_no_message
from sinks.effects.render import Also, Letter, Rendered, render
from sinks.effects.smtp import Deferred, MailServer, RefusedForGood, Unclear
from sinks.effects.stripe import Busy, Gone, NotAllowed, Object, Refused, StripeDoor, Unreachable

REPEATS = 1
"""How often a mail that may have been sent is sent again."""


class Merchants(Protocol):
    """How payers know the merchant (control.lookup.Tenants)."""

    def name(self, account: str) -> str:
        """The merchant's name. Raises LookupError when the account is unknown."""

    def support_email(self, account: str) -> str:
        """Where payers may write to; empty when the merchant gave none."""


class Contacts(Protocol):
    """The one store of names and addresses (control.lookup.Contacts)."""

    def remember(self, account: str, customer: str, email: str, name: str, locale: str, at: datetime) -> None:
        """Keep what was read at `at`."""


class Payer(msgspec.Struct, frozen=True):
    """The customer as the invoice shows them at this moment."""

    email: str
    name: str
    locale: str


class Post(msgspec.Struct, frozen=True):
    """How mail leaves. `server` is None when none is set; `may_leave` False when the server is elsewhere and that is not allowed."""

    server: MailServer | None
    sender: str
    may_leave: bool


class Mails:
    """Performs MessageRequested by e-mail."""

    def __init__(self, door: StripeDoor, merchants: Merchants, contacts: Contacts, post: Post, clocks: Clocks) -> None:
        self._door, self._merchants, self._contacts, self._post, self._clocks = door, merchants, contacts, post, clocks
        self._domain = post.sender.rpartition("@")[2]

    def __call__(self, job: Job) -> Answer:
        """Answer with MessageSettled. Raises UnknownShape when Stripe's answer cannot be understood, NotMine when the claim is refused."""
        effect = job.effect
        if not isinstance(effect, MessageRequested):
            raise TypeError(f"{type(effect).__name__} is no message.")
        if why := self._why_not_at_all(job, effect):
            return self._not_sent(job, effect, why)
        try:
            if not effect.invoice:
                return self._without_invoice(job, effect)
            invoice = self._door.invoice(effect.account, effect.invoice)
            also = self._also(effect)
        except Gone:
            return self._not_sent(job, effect, "gone")
        except (NotAllowed, Refused) as error:
            return self._not_sent(job, effect, f"not_allowed: {error}")
        except (Busy, Unreachable) as error:
            return Later(str(error)) if job.since is None else Doubt(str(error))
        return self._look_and_send(job, effect, invoice, also)

    def _why_not_at_all(self, job: Job, effect: MessageRequested) -> str:
        if job.withdrawn:
            return job.withdrawn
        if job.doubts > REPEATS:
            return "may have been sent twice already"
        if effect.medium != "email":
            return "unknown_medium"
        if self._post.server is None:
            return "no_mail_server"
        return "" if self._post.may_leave else "real_mail_disabled"

    def _also(self, effect: MessageRequested) -> dict[str, Also]:
        """The other invoices that the mail names: those of them that are owed at this moment (B15, B47)."""
        owed: dict[str, Also] = {}
        for other in effect.also:
            try:
                invoice = self._door.invoice(effect.account, other.invoice)
            except Gone:
                continue
            seen, link = reading(invoice), str(invoice.get("hosted_invoice_url") or "")
            if not why_no_message(effect, invoice, seen) and link.startswith(("https://", "http://")):
                owed[other.invoice] = Also(seen.state.amount_remaining, seen.state.currency, link)
        return owed

    def _without_invoice(self, job: Job, effect: MessageRequested) -> Answer:
        """A mail about a card, not about an invoice: there is nothing to pay yet."""
        who = payer({"customer": self._door.customer(effect.account, effect.customer)})
        if why := self._unwritable(effect, who):
            return self._not_sent(job, effect, why)
        letter = self._letter(effect, who, amount_minor=effect.amount_minor, currency=effect.currency, link="", subscription=True)
        return self._send(job, effect, None, who, letter, ())

    def _unwritable(self, effect: MessageRequested, who: Payer) -> str:
        self._contacts.remember(effect.account, effect.customer, who.email, who.name, who.locale, self._clocks.wall())
        if not who.email:
            return "no_contact"
        if not who.email.isascii() or "@" not in who.email:
            return "unusable_address"
        return "expired" if self._clocks.business() > effect.not_after else ""

    def _look_and_send(self, job: Job, effect: MessageRequested, invoice: Object, also: dict[str, Also]) -> Answer:
        seen = reading(invoice)
        if why := why_no_message(effect, invoice, seen):
            return self._not_sent(job, effect, why, seen.state)
        who, link = payer(invoice), str(invoice.get("hosted_invoice_url") or "")
        if why := self._unwritable(effect, who):
            return self._not_sent(job, effect, why, seen.state)
        if not link.startswith(("https://", "http://")):
            return self._not_sent(job, effect, "no_pay_link", seen.state)
        paid = effect.only_if == "invoice_paid"
        told: Object = {
            "amount_minor": effect.amount_minor if paid else seen.state.amount_remaining,
            "currency": seen.state.currency,
            "link": link,
            "subscription": bool(seen.state.subscription),
            "also": tuple(also.values()),
        }
        letter = self._letter(effect, who, **told)
        return self._send(job, effect, seen.state, who, letter, tuple(also))

    def _letter(self, effect: MessageRequested, who: Payer, **told: Any) -> Letter:
        return Letter(
            merchant=self._merchants.name(effect.account),
            support_email=self._merchants.support_email(effect.account),
            customer_name=who.name,
            locale=who.locale,
            template=effect.template,
            card=effect.card,
            step=effect.step,
            decline_kind=effect.decline_kind,
            decline_reason=effect.decline_reason,
            **told,
        )

    def _send(
        self, job: Job, effect: MessageRequested, state: InvoiceState | None, who: Payer, letter: Letter, also: tuple[str, ...]
    ) -> Answer:
        server = self._post.server
        assert server is not None, "_why_not_at_all lets nothing pass without a server"  # noqa: S101 - told to the type checker
        message_id = ids.message_id(effect.id, self._domain)
        mail = compose(render(letter), letter, self._post.sender, who, message_id, self._clocks.wall())
        try:
            server.hand_over(self._post.sender, who.email, mail, job.claim)
        except Deferred as error:
            return Later(str(error)) if job.since is None else Doubt(str(error))
        except RefusedForGood as error:
            return self._settled(effect, result="failed" if job.since is None else "unknown", why=str(error), state=state)
        except Unclear as error:
            return Doubt(str(error))
        return self._settled(effect, result="sent", message=message_id, state=state, also=also)

    def _not_sent(self, job: Job, effect: MessageRequested, why: str, state: InvoiceState | None = None) -> Settled:
        """Not sent now; in doubt it may have been sent before, which nobody can tell."""
        if job.since is None:
            return self._settled(effect, result="skipped", why=why, state=state)
        return self._settled(effect, result="unknown", why=why, message=ids.message_id(effect.id, self._domain), state=state)

    def _settled(self, effect: MessageRequested, **fields: Any) -> Settled:
        return Settled(MessageSettled(**header(effect, self._clocks), medium=effect.medium, **fields))


def payer(invoice: Object) -> Payer:
    """Whom the invoice is for, as its expanded customer says; empty strings where Stripe knows nothing."""
    customer = invoice.get("customer")
    fields = customer if isinstance(customer, dict) else {}
    locales = fields.get("preferred_locales") or [""]
    email = fields.get("email") or invoice.get("customer_email") or ""
    return Payer(str(email).strip(), str(fields.get("name") or invoice.get("customer_name") or ""), str(locales[0]))


def compose(mail: Rendered, letter: Letter, sender: str, who: Payer, message_id: str, now: datetime) -> bytes:
    """The bytes of the mail, as multipart/alternative. The same arguments always give the same bytes."""
    message = EmailMessage(policy=SMTP.clone(max_line_length=200))  # a folded Message-ID is valid, but not every program reads it
    message["From"] = Address(display_name=" ".join(letter.merchant.split()), addr_spec=sender)
    message["To"] = Address(display_name=" ".join(who.name.split()), addr_spec=who.email)
    message["Subject"] = mail.subject
    message["Message-ID"] = message_id
    message["Date"] = format_datetime(now)
    message["Auto-Submitted"] = "auto-generated"
    if letter.support_email:
        message["Reply-To"] = letter.support_email
    message.set_content(mail.text, cte="quoted-printable")
    message.add_alternative(mail.html, subtype="html", cte="quoted-printable")
    message.set_boundary(f"=_{message_id.strip('<>').partition('@')[0][:60]}")
    return message.as_bytes()

"""Writing to a payer: look at the invoice at the moment of sending (B47), learn the address from it, hand the mail over once.

A mail in doubt is repeated once with the same Message-ID, then recorded as unknown (decision 18).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec

from control.brand import Brand
from control.contacts import Bounced
from recovery import ids
from recovery.contracts.effects import MessageRequested
from recovery.contracts.facts import InvoiceState, MessageSettled
from recovery.links import Links, Sending
from recovery.stripe_shapes import reading
from sinks.effects.answers import Answer, Clocks, Doubt, Job, Later, Settled, header
from sinks.effects.languages import choose
from sinks.effects.look import why_no_message, why_no_warning
from sinks.effects.mime import Envelope, compose
from sinks.effects.recipients import Payer, Recipients, is_address, payer, recipients
from sinks.effects.render import Also, Letter, render
from sinks.effects.smtp import Deferred, MailServer, RefusedForGood, Unclear
from sinks.effects.stripe import Busy, Gone, NotAllowed, Object, Refused, StripeDoor, Unreachable
from sinks.effects.tracking import links_of, tracked, unsubscribe

REPEATS = 1
"""How often a mail that may have been sent is sent again."""
MOST_NAMED = 10
"""So many other invoices are looked at for one mail, and named in it: each look is a call to Stripe."""
ENDED = "cancelled_for_non_payment"
"""The last mail there is: nothing follows that one could wish to get no more."""


class Merchants(Protocol):
    """How payers know the merchant (control.lookup.Tenants)."""

    def name(self, account: str) -> str:
        """The merchant's name. Raises LookupError when the account is unknown."""

    def support_email(self, account: str) -> str:
        """Where payers may write to; empty when the merchant gave none."""

    def brand(self, account: str) -> Brand:
        """How the merchant looks to payers."""


class Contacts(Protocol):
    """The one store of names and addresses (control.lookup.Contacts)."""

    def remember(self, account: str, customer: str, email: str, name: str, locale: str, at: datetime) -> None:
        """Keep what was read at `at`."""

    def remember_others(self, account: str, customer: str, emails: Sequence[str]) -> None:
        """Keep the customer's further billing contacts, and no others."""

    def dead(self, account: str, emails: Sequence[str]) -> frozenset[str]:
        """Those of the addresses, in lower case, that mail came back from for good."""

    def bounced(self, account: str, customer: str, email: str, at: datetime) -> Bounced:
        """Remember that mail to an address comes back for good."""


class Post(msgspec.Struct, frozen=True):
    """How mail leaves. `server` is None when none is set; `may_leave` False when the server is elsewhere and that is not allowed. Without
    `links` mails link directly, and nobody hears of an opening. Without a `signer` of
    Message-IDs no bounce and no complaint is believed."""

    server: MailServer | None
    sender: str
    may_leave: bool
    links: Links | None = None
    signer: Links | None = None


class Mails:
    """Performs MessageRequested by e-mail."""

    def __init__(self, door: StripeDoor, merchants: Merchants, contacts: Contacts, post: Post, clocks: Clocks) -> None:
        self._door, self._merchants, self._contacts, self._post, self._clocks = door, merchants, contacts, post, clocks

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
        for other in effect.also[:MOST_NAMED]:
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
        subscription = self._door.subscription(effect.account, effect.subscription) if effect.subscription else None
        customer = self._door.customer(effect.account, effect.customer)
        if why := why_no_warning(customer, subscription):
            return self._not_sent(job, effect, why)
        who = payer({"customer": customer})
        to = self._recipients(effect, who)
        if isinstance(to, str):
            return self._not_sent(job, effect, to)
        letter = self._letter(effect, who, amount_minor=effect.amount_minor, currency=effect.currency, link="", subscription=True)
        return self._send(job, effect, None, to, letter, ())

    def _recipients(self, effect: MessageRequested, who: Payer) -> Recipients | str:
        """Whom to write to, by what Stripe says now, which is remembered; or why to nobody."""
        locale = who.locales[0] if who.locales else ""
        self._contacts.remember(effect.account, effect.customer, who.email, who.name, locale, self._clocks.wall())
        self._contacts.remember_others(effect.account, effect.customer, who.others)
        dead = self._contacts.dead(effect.account, (who.email, *who.others)) if who.others else frozenset()
        to = recipients(who, effect.to == "everyone", dead)
        if to is None:
            return "no_contact"
        if not is_address(to.to):
            return "unusable_address"
        return "expired" if self._clocks.business() > effect.not_after else to

    def _look_and_send(self, job: Job, effect: MessageRequested, invoice: Object, also: dict[str, Also]) -> Answer:
        seen = reading(invoice)
        if why := why_no_message(effect, invoice, seen):
            return self._not_sent(job, effect, why, seen.state)
        who, link = payer(invoice), str(invoice.get("hosted_invoice_url") or "")
        to = self._recipients(effect, who)
        if isinstance(to, str):
            return self._not_sent(job, effect, to, seen.state)
        if not link.startswith(("https://", "http://")):
            return self._not_sent(job, effect, "no_pay_link", seen.state)
        paid = effect.only_if == "invoice_paid"
        told: Object = {
            "amount_minor": effect.amount_minor if paid else seen.state.amount_remaining,
            "currency": seen.state.currency,
            "link": link,
            "subscription": bool(seen.state.subscription),
            "also": tuple(also.values()),
            "further": effect.further,
        }
        letter = self._letter(effect, who, **told)
        return self._send(job, effect, seen.state, to, letter, tuple(also))

    def _letter(self, effect: MessageRequested, who: Payer, **told: Any) -> Letter:
        brand = self._merchants.brand(effect.account)
        language, locale = choose(who.locales, brand.language)
        return Letter(
            merchant=self._merchants.name(effect.account),
            brand=brand,
            support_email=self._merchants.support_email(effect.account),
            customer_name=who.name,
            language=language,
            locale=locale,
            template=effect.template,
            card=effect.card,
            step=effect.step,
            decline_kind=effect.decline_kind,
            decline_reason=effect.decline_reason,
            **told,
        )

    def _send(
        self, job: Job, effect: MessageRequested, state: InvoiceState | None, to: Recipients, letter: Letter, also: tuple[str, ...]
    ) -> Answer:
        server = self._post.server
        assert server is not None, "_why_not_at_all lets nothing pass without a server"  # noqa: S101 - told to the type checker
        sender = self._sender(letter.brand)
        message_id = self._message_id(effect)
        try:
            refused = server.hand_over(sender, to.to, self._mail(effect, letter, to, sender, message_id), job.claim, to.copies)
        except Deferred as error:
            return Later(str(error)) if job.since is None else Doubt(str(error))
        except RefusedForGood as error:
            return self._settled(effect, result="failed" if job.since is None else "unknown", why=str(error), state=state)
        except Unclear as error:
            return Doubt(str(error))
        for email in refused:
            self._contacts.bounced(effect.account, effect.customer, email, self._clocks.wall())
        return self._settled(effect, result="sent", message=message_id, state=state, also=also)

    def _mail(self, effect: MessageRequested, letter: Letter, to: Recipients, sender: str, message_id: str) -> bytes:
        sending = Sending(effect.account, effect.customer, effect.invoice, effect.id, int(self._clocks.business().timestamp()))
        links = links_of(self._post.links, letter.brand)
        around = Envelope(
            sender=sender,
            sender_name=letter.merchant,
            to=to,
            to_name=letter.customer_name,
            reply_to=letter.support_email,
            message_id=message_id,
            at=self._clocks.wall(),
            unsubscribe=unsubscribe(links, sending) if effect.unsubscribe and effect.template != ENDED else "",
        )
        return compose(render(tracked(letter, links, sending)), around)

    def _sender(self, brand: Brand) -> str:
        """The address that mails come from: with a white label the merchant's own (product decision 32)."""
        return brand.sender if brand.white_label else self._post.sender

    def _message_id(self, effect: MessageRequested) -> str:
        signer, sender = self._post.signer, self._sender(self._merchants.brand(effect.account))
        tag = signer.mail_tag(effect.id, effect.customer) if signer is not None else ""
        return ids.message_id(effect.id, sender.rpartition("@")[2], tag)

    def _not_sent(self, job: Job, effect: MessageRequested, why: str, state: InvoiceState | None = None) -> Settled:
        """Not sent now; in doubt it may have been sent before, which nobody can tell."""
        if job.since is None:
            return self._settled(effect, result="skipped", why=why, state=state)
        return self._settled(effect, result="unknown", why=why, message=self._message_id(effect), state=state)

    def _settled(self, effect: MessageRequested, **fields: Any) -> Settled:
        return Settled(MessageSettled(**header(effect, self._clocks), medium=effect.medium, **fields))

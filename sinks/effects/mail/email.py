"""Mails to customers: read the invoice at the moment of sending (B47), take the address from it, deliver the mail once.

A mail in doubt is repeated once with the same Message-ID, then recorded as unknown.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec

from control.contacts import BouncedAddress
from recovery import ids
from recovery.contracts.effects import MessageRequested
from recovery.contracts.facts import InvoiceState, MessageSettled
from recovery.presentation.brand import Brand
from recovery.presentation.messages.languages import choose
from recovery.presentation.messages.mail_content import Also, MailContent, render
from recovery.signed_links import LinkSigner, Sending
from recovery.stripe.shapes import reading
from sinks.effects.mail.mime import Envelope, compose
from sinks.effects.mail.recipients import Payer, Recipients, is_address, payer, recipients
from sinks.effects.mail.smtp import DeliveryUnknown, MailServer, PermanentFailure, TemporaryFailure
from sinks.effects.mail.tracking import links_of, tracked, unsubscribe
from sinks.effects.performer import Clocks, EffectRun, InDoubt, Outcome, RetryLater, Settled, header
from sinks.effects.preconditions import message_blocker, warning_blocker
from sinks.effects.stripe.client import EffectsStripeClient, NotAllowed, Object, ObjectGone, RateLimited, RequestRefused, StripeUnreachable

REPEATS = 1
"""How often a mail that may have been sent is sent again."""
MOST_NAMED = 10
"""The most other invoices that are read for one mail and named in it: each read is a call to Stripe."""
ENDED = "cancelled_for_non_payment"
"""Final mail of the sequence, so it carries no unsubscribe link."""


class MailMerchants(Protocol):
    """How payers know the merchant (control.tenants.Tenants)."""

    def name(self, account: str) -> str:
        """The merchant's name. Raises LookupError when the account is unknown."""

    def support_email(self, account: str) -> str:
        """Where payers may write to; empty when the merchant gave none."""

    def brand(self, account: str) -> Brand:
        """The merchant's brand as customers see it."""


class MailContacts(Protocol):
    """The one store of names and addresses (control.tenants.Contacts)."""

    def remember(self, account: str, customer: str, email: str, name: str, locale: str, at: datetime) -> None:
        """Keep what was read at `at`."""

    def replace_billing_contacts(self, account: str, customer: str, emails: Sequence[str]) -> None:
        """Keep the customer's further billing contacts, and no others."""

    def undeliverable(self, account: str, emails: Sequence[str]) -> frozenset[str]:
        """Those of the addresses, in lower case, that mail came back from for good."""

    def bounced(self, account: str, customer: str, email: str, at: datetime) -> BouncedAddress:
        """Remember that mail to an address comes back for good."""


class MailTransport(msgspec.Struct, frozen=True):
    """How mail is sent. `server` is None without a setting; `may_leave` False when the server is on another machine and that is not
    allowed. Without `links`, mails link directly and no opening is recorded. Without a `signer` of Message-IDs no bounce and no complaint
    is accepted."""

    server: MailServer | None
    sender: str
    may_leave: bool
    links: LinkSigner | None = None
    signer: LinkSigner | None = None


class EmailPerformer:
    """Performs MessageRequested by e-mail."""

    def __init__(
        self, stripe: EffectsStripeClient, merchants: MailMerchants, contacts: MailContacts, post: MailTransport, clocks: Clocks
    ) -> None:
        self._stripe, self._merchants, self._contacts, self._post, self._clocks = stripe, merchants, contacts, post, clocks

    def __call__(self, job: EffectRun) -> Outcome:
        """Answer with MessageSettled. Raises UnknownShape when Stripe's answer cannot be understood, NotMine when the claim is refused."""
        effect = job.effect
        if not isinstance(effect, MessageRequested):
            raise TypeError(f"{type(effect).__name__} is not a message.")
        if why := self._why_not_at_all(job, effect):
            return self._not_sent(job, effect, why)
        try:
            if not effect.invoice:
                return self._without_invoice(job, effect)
            invoice = self._stripe.invoice(effect.account, effect.invoice)
            also = self._also(effect)
        except ObjectGone:
            return self._not_sent(job, effect, "gone")
        except (NotAllowed, RequestRefused) as error:
            return self._not_sent(job, effect, f"not_allowed: {error}")
        except (RateLimited, StripeUnreachable) as error:
            return RetryLater(str(error)) if job.possibly_done_since is None else InDoubt(str(error))
        return self._check_and_send(job, effect, invoice, also)

    def _why_not_at_all(self, job: EffectRun, effect: MessageRequested) -> str:
        if job.withdrawn:
            return job.withdrawn
        if job.in_doubt_count > REPEATS:
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
                invoice = self._stripe.invoice(effect.account, other.invoice)
            except ObjectGone:
                continue
            seen, link = reading(invoice), str(invoice.get("hosted_invoice_url") or "")
            if not message_blocker(effect, invoice, seen) and link.startswith(("https://", "http://")):
                owed[other.invoice] = Also(seen.state.amount_remaining, seen.state.currency, link)
        return owed

    def _without_invoice(self, job: EffectRun, effect: MessageRequested) -> Outcome:
        """A mail about a card, not about an invoice: there is nothing to pay yet."""
        subscription = self._stripe.subscription(effect.account, effect.subscription) if effect.subscription else None
        customer = self._stripe.customer(effect.account, effect.customer)
        if why := warning_blocker(customer, subscription):
            return self._not_sent(job, effect, why)
        who = payer({"customer": customer})
        to = self._recipients(effect, who)
        if isinstance(to, str):
            return self._not_sent(job, effect, to)
        letter = self._content(effect, who, amount_minor=effect.amount_minor, currency=effect.currency, link="", subscription=True)
        return self._send(job, effect, None, to, letter, ())

    def _recipients(self, effect: MessageRequested, who: Payer) -> Recipients | str:
        """The recipient by Stripe's present data, which is remembered; or the reason why there is no recipient."""
        locale = who.locales[0] if who.locales else ""
        self._contacts.remember(effect.account, effect.customer, who.email, who.name, locale, self._clocks.wall())
        self._contacts.replace_billing_contacts(effect.account, effect.customer, who.others)
        dead = self._contacts.undeliverable(effect.account, (who.email, *who.others)) if who.others else frozenset()
        to = recipients(who, effect.to == "everyone", dead)
        if to is None:
            return "no_contact"
        if not is_address(to.to):
            return "unusable_address"
        return "expired" if self._clocks.business() > effect.not_after else to

    def _check_and_send(self, job: EffectRun, effect: MessageRequested, invoice: Object, also: dict[str, Also]) -> Outcome:
        seen = reading(invoice)
        if why := message_blocker(effect, invoice, seen):
            return self._not_sent(job, effect, why, seen.state)
        who, link = payer(invoice), str(invoice.get("hosted_invoice_url") or "")
        to = self._recipients(effect, who)
        if isinstance(to, str):
            return self._not_sent(job, effect, to, seen.state)
        if not link.startswith(("https://", "http://")):
            return self._not_sent(job, effect, "no_pay_link", seen.state)
        paid = effect.only_if == "invoice_paid"
        fields: Object = {
            "amount_minor": effect.amount_minor if paid else seen.state.amount_remaining,
            "currency": seen.state.currency,
            "link": link,
            "subscription": bool(seen.state.subscription),
            "also": tuple(also.values()),
            "further": effect.further,
        }
        letter = self._content(effect, who, **fields)
        return self._send(job, effect, seen.state, to, letter, tuple(also))

    def _content(self, effect: MessageRequested, who: Payer, **fields: Any) -> MailContent:
        brand = self._merchants.brand(effect.account)
        language, locale = choose(who.locales, brand.language)
        return MailContent(
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
            **fields,
        )

    def _send(
        self,
        job: EffectRun,
        effect: MessageRequested,
        state: InvoiceState | None,
        to: Recipients,
        letter: MailContent,
        also: tuple[str, ...],
    ) -> Outcome:
        server = self._post.server
        assert server is not None, "_why_not_at_all lets nothing pass without a server"  # noqa: S101 - told to the type checker
        sender = self._sender(letter.brand)
        message_id = self._message_id(effect)
        try:
            refused = server.deliver(sender, to.to, self._mail(effect, letter, to, sender, message_id), job.claim, to.copies)
        except TemporaryFailure as error:
            return RetryLater(str(error)) if job.possibly_done_since is None else InDoubt(str(error))
        except PermanentFailure as error:
            return self._settled(effect, result="failed" if job.possibly_done_since is None else "unknown", why=str(error), state=state)
        except DeliveryUnknown as error:
            return InDoubt(str(error))
        for email in refused:
            self._contacts.bounced(effect.account, effect.customer, email, self._clocks.wall())
        return self._settled(effect, result="sent", message=message_id, state=state, also=also)

    def _mail(self, effect: MessageRequested, letter: MailContent, to: Recipients, sender: str, message_id: str) -> bytes:
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
        """The address that mails come from: with a white label the merchant's own."""
        return brand.sender if brand.white_label else self._post.sender

    def _message_id(self, effect: MessageRequested) -> str:
        signer, sender = self._post.signer, self._sender(self._merchants.brand(effect.account))
        tag = signer.mail_tag(effect.id, effect.customer) if signer is not None else ""
        return ids.message_id(effect.id, sender.rpartition("@")[2], tag)

    def _not_sent(self, job: EffectRun, effect: MessageRequested, why: str, state: InvoiceState | None = None) -> Settled:
        """Not sent now; in doubt it may have been sent before, which cannot be known."""
        if job.possibly_done_since is None:
            return self._settled(effect, result="skipped", why=why, state=state)
        return self._settled(effect, result="unknown", why=why, message=self._message_id(effect), state=state)

    def _settled(self, effect: MessageRequested, **fields: Any) -> Settled:
        return Settled(MessageSettled(**header(effect, self._clocks), medium=effect.medium, **fields))

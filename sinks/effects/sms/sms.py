"""Texts to customers: read the invoice at the moment of sending (B47), take the number from Stripe, deliver the text once.

A text in doubt is never repeated: it is recorded as unknown.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

from recovery.contracts.effects import MessageRequested
from recovery.contracts.facts import ConsentWithdrawn, InvoiceState, MessageSettled
from recovery.presentation.messages.languages import choose
from recovery.presentation.messages.sms_text import SmsContent, written
from recovery.signed_links import LinkSigner, Sending
from recovery.stripe.shapes import reading
from sinks.effects.delivery_errors import DeliveryUnknown, PermanentFailure, TemporaryFailure
from sinks.effects.performer import Clocks, EffectRun, Outcome, RetryLater, Settled, header
from sinks.effects.preconditions import message_blocker
from sinks.effects.sms import phones
from sinks.effects.sms.twilio import OptedOut
from sinks.effects.stripe.client import EffectsStripeClient, NotAllowed, Object, ObjectGone, RateLimited, RequestRefused, StripeUnreachable

REMINDER = "payment_failed_"


class SmsMerchants(Protocol):
    """How payers know the merchant."""

    def name(self, account: str) -> str:
        """The merchant's name. Raises LookupError when the account is unknown."""

    def language(self, account: str) -> str:
        """The language for payers who speak none of ours; empty for English."""


class SmsContacts(Protocol):
    """The one store of names, addresses and numbers (control.tenants.Contacts)."""

    def remember(self, account: str, customer: str, email: str, name: str, locale: str, at: datetime, phone: str | None = None) -> None:
        """Keep what was read at `at`."""


class Server(Protocol):
    """Who takes texts (sinks.effects.sms.twilio.TextServer)."""

    can_be_answered: bool

    def deliver(self, number: str, text: str, seconds: int, status_to: str, claim: Callable[[], object]) -> str:
        """The message's id once it was taken. Raises what sinks.effects.delivery_errors names."""


class SmsPerformer:
    """Performs MessageRequested by SMS. Without a `server` nothing is sent; without `links` Twilio reports no status of a text."""

    def __init__(
        self,
        stripe: EffectsStripeClient,
        merchants: SmsMerchants,
        contacts: SmsContacts,
        server: Server | None,
        links: LinkSigner | None,
        clocks: Clocks,
    ) -> None:
        self._stripe, self._merchants, self._contacts, self._server = stripe, merchants, contacts, server
        self._links, self._clocks = links, clocks

    def __call__(self, job: EffectRun) -> Outcome:
        """Answer with MessageSettled. Raises UnknownShape when Stripe's answer cannot be understood, NotMine when the claim is refused."""
        effect = job.effect
        if not isinstance(effect, MessageRequested):
            raise TypeError(f"{type(effect).__name__} is not a message.")
        if job.possibly_done_since is not None:
            return self._settled(effect, result="unknown", why="not_repeated")
        if self._server is None:
            return self._settled(effect, result="skipped", why="sms_not_configured")
        if not effect.template.startswith(REMINDER):
            return self._settled(effect, result="skipped", why="unknown_template")
        try:
            invoice = self._stripe.invoice(effect.account, effect.invoice)
        except ObjectGone:
            return self._settled(effect, result="skipped", why="gone")
        except (NotAllowed, RequestRefused) as error:
            return self._settled(effect, result="skipped", why=f"not_allowed: {error}")
        except (RateLimited, StripeUnreachable) as error:
            return RetryLater(str(error))
        return self._check_and_send(job, effect, invoice, self._server)

    def _check_and_send(self, job: EffectRun, effect: MessageRequested, invoice: Object, server: Server) -> Outcome:
        seen = reading(invoice)
        customer = invoice.get("customer")
        fields: Object = customer if isinstance(customer, dict) else {}
        number, why_no_number = phones.of_customer(fields)
        if not seen.customer_deleted:
            self._remember(effect, invoice, fields, number)
        link = str(invoice.get("hosted_invoice_url") or "")
        late = "expired" if self._clocks.business() > effect.not_after else ""
        no_link = "" if link.startswith(("https://", "http://")) else "no_pay_link"
        if why := message_blocker(effect, invoice, seen) or why_no_number or late or no_link:
            return self._settled(effect, result="skipped", why=why, state=seen.state)
        text = self._text(effect, seen.state, _locales(fields), link, may_answer=server.can_be_answered)
        return self._send(job, effect, seen.state, server, number, text)

    def _remember(self, effect: MessageRequested, invoice: Object, fields: Object, number: str) -> None:
        email = fields.get("email") or invoice.get("customer_email") or ""
        name = fields.get("name") or invoice.get("customer_name") or ""
        locale = _locales(fields)[0] if _locales(fields) else ""
        self._contacts.remember(effect.account, effect.customer, str(email).strip(), str(name), locale, self._clocks.wall(), number)

    def _text(self, effect: MessageRequested, state: InvoiceState, locales: list[str], link: str, *, may_answer: bool) -> str:
        language, locale = choose(locales, self._merchants.language(effect.account))
        return written(
            SmsContent(
                merchant=self._merchants.name(effect.account),
                language=language,
                locale=locale,
                amount_minor=state.amount_remaining,
                currency=state.currency,
                link=link,
                step=effect.step,
                decline_kind=effect.decline_kind,
                decline_reason=effect.decline_reason,
                subscription=bool(state.subscription),
                may_answer=may_answer,
            )
        )

    def _send(self, job: EffectRun, effect: MessageRequested, state: InvoiceState, server: Server, number: str, text: str) -> Outcome:
        seconds = int((effect.not_after - self._clocks.business()).total_seconds())
        try:
            message = server.deliver(number, text, seconds, self._status_to(effect), job.claim)
        except TemporaryFailure as error:
            return RetryLater(str(error), error.after)
        except OptedOut as error:
            skipped = self._settled(effect, result="skipped", why=str(error), state=state)
            return Settled(skipped.fact, also=(self._taken_back(effect),))
        except PermanentFailure as error:
            return self._settled(effect, result="failed", why=str(error), state=state)
        except DeliveryUnknown as error:
            return self._settled(effect, result="unknown", why=str(error), state=state)
        return self._settled(effect, result="sent", message=message, state=state)

    def _status_to(self, effect: MessageRequested) -> str:
        if self._links is None or not self._links.base:
            return ""
        at = int(self._clocks.business().timestamp())
        return self._links.sms_status(Sending(effect.account, effect.customer, effect.invoice, effect.id, at))

    def _taken_back(self, effect: MessageRequested) -> ConsentWithdrawn:
        """A STOP that Twilio knows and that never reached us (B53)."""
        fields = header(effect, self._clocks)
        del fields["effect"]
        return ConsentWithdrawn(**{**fields, "id": f"{effect.id}:opted_out"}, medium="sms", why="stop")

    def _settled(self, effect: MessageRequested, **fields: Any) -> Settled:
        return Settled(MessageSettled(**header(effect, self._clocks), medium=effect.medium, **fields))


def _locales(customer: Object) -> list[str]:
    return [str(one) for one in customer.get("preferred_locales") or []]

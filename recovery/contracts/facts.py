"""Everything streams can learn, in the past tense: what Stripe told, what became of our effects, what people set, and the time."""

from typing import Literal

import msgspec

from recovery.contracts.envelope import Header
from recovery.policy import Policy
from recovery.vocabulary import Moment


class InvoiceState(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice as Stripe last showed it. Amounts are minor units of `currency`; the shape is the same for every API version."""

    status: str
    currency: str
    amount_due: int = 0
    amount_paid: int = 0
    amount_remaining: int = 0
    attempt_count: int = 0
    next_payment_attempt: Moment | None = None
    billing_reason: str = ""
    collection_method: str = ""
    auto_advance: bool = True
    subscription: str = ""
    created: Moment
    paid_out_of_band: bool = False


class Decline(msgspec.Struct, frozen=True, kw_only=True):
    """Why a payment failed, in Stripe's raw words (stripe.md 1.1); empty where Stripe said nothing. Never interpreted here."""

    code: str = ""
    decline_code: str = ""
    advice_code: str = ""
    network_advice_code: str = ""
    network_decline_code: str = ""
    outcome_type: str = ""
    outcome_reason: str = ""
    network_status: str = ""
    intent_status: str = ""
    method_type: str = ""


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """A card as far as we may know it: no number, only Stripe's fingerprint (B94)."""

    fingerprint: str = ""
    brand: str = ""
    country: str = ""
    funding: str = ""
    exp_month: int = 0
    exp_year: int = 0
    method: str = ""


class Fact(Header, frozen=True, kw_only=True):
    """Base of everything on the `facts` topic."""


class InvoiceFact(Fact, frozen=True, kw_only=True):
    """A webhook about an invoice. `request_key` is the idempotency key of the API call that caused it, empty for Stripe's own doing;
    `request_id` is empty when Stripe acted by itself (stripe.md 3.1)."""

    state: InvoiceState
    livemode: bool = False
    request_id: str = ""
    request_key: str = ""


class PaymentFailed(InvoiceFact, frozen=True, kw_only=True, tag="payment_failed"):
    """An attempt to collect an invoice failed. `decline` is known from the webhook only in API versions before basil, if at all."""

    decline: Decline | None = None


class PaymentActionRequired(InvoiceFact, frozen=True, kw_only=True, tag="payment_action_required"):
    """The customer must authenticate before the invoice can be paid (B17)."""


class InvoicePaid(InvoiceFact, frozen=True, kw_only=True, tag="invoice_paid"):
    """The invoice is paid, by whatever means."""


class InvoicePaymentSucceeded(InvoiceFact, frozen=True, kw_only=True, tag="invoice_payment_succeeded"):
    """A real payment attempt on the invoice succeeded (absent when it was paid out of band)."""


class InvoiceChanged(InvoiceFact, frozen=True, kw_only=True, tag="invoice_changed"):
    """Amounts, schedule or flags of the invoice changed (B30: the next attempt may arrive only here)."""


class InvoiceVoided(InvoiceFact, frozen=True, kw_only=True, tag="invoice_voided"):
    """The invoice was voided: nothing is owed."""


class InvoiceWrittenOff(InvoiceFact, frozen=True, kw_only=True, tag="invoice_written_off"):
    """The invoice was marked uncollectible; it can still be paid (B16)."""


class ChargeFailed(Fact, frozen=True, kw_only=True, tag="charge_failed"):
    """A charge failed; carries the network's codes, and from basil on no invoice."""

    charge: str
    payment_intent: str = ""
    amount_minor: int
    currency: str
    decline: Decline
    card: Card | None = None
    request_key: str = ""


class IntentFailed(Fact, frozen=True, kw_only=True, tag="intent_failed"):
    """A payment intent's attempt failed."""

    payment_intent: str
    amount_minor: int
    currency: str
    decline: Decline
    card: Card | None = None
    request_key: str = ""


class ChargeRefunded(Fact, frozen=True, kw_only=True, tag="charge_refunded"):
    """Money of a charge went back; `amount_refunded` is the total so far."""

    charge: str
    payment_intent: str = ""
    amount_refunded: int
    currency: str


class DisputeOpened(Fact, frozen=True, kw_only=True, tag="dispute_opened"):
    """A charge is disputed. Carries no customer: keyed by the dispute."""

    dispute: str
    charge: str = ""
    payment_intent: str = ""
    reason: str = ""
    amount_minor: int
    currency: str


class CustomerChanged(Fact, frozen=True, kw_only=True, tag="customer_changed"):
    """The customer object changed; `default_method_changed` when a new default payment method was set."""

    default_method_changed: bool = False


class CustomerDeleted(Fact, frozen=True, kw_only=True, tag="customer_deleted"):
    """The customer is gone: no more contact (B10)."""


class SubscriptionChanged(Fact, frozen=True, kw_only=True, tag="subscription_changed"):
    """A subscription changed. `cancel_at_period_end` while past due is a cancellation (B68); `paused` is paused collection (B69)."""

    subscription: str
    status: str
    cancel_at_period_end: bool = False
    paused: bool = False


class SubscriptionEnded(Fact, frozen=True, kw_only=True, tag="subscription_ended"):
    """A subscription was cancelled; `why` is Stripe's cancellation reason (B67)."""

    subscription: str
    why: str = ""


class MethodChanged(Fact, frozen=True, kw_only=True, tag="method_changed"):
    """A payment method was attached, or renewed by the card network (B35, B38)."""

    card: Card
    how: Literal["attached", "automatically_updated"]


class WebhookIgnored(Fact, frozen=True, kw_only=True, tag="webhook_ignored"):
    """A validly signed webhook that means nothing to us: unknown type or wrong mode (product decision 38)."""

    event_type: str
    why: str


class WebhookParked(Fact, frozen=True, kw_only=True, tag="webhook_parked"):
    """A validly signed webhook that could not be translated; its bytes are on `parked.gateway`."""

    event_type: str
    why: str


class SeenAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """One charge on an invoice as Stripe lists it, whoever made it. `reached_network` is False for Radar blocks (B23)."""

    charge: str
    at: Moment
    succeeded: bool
    fingerprint: str = ""
    brand: str = ""
    reached_network: bool = True


class InvoiceRead(Fact, frozen=True, kw_only=True, tag="invoice_read"):
    """The answer to a ReadRequested: the truth at `occurred_at` (B3)."""

    effect: str
    state: InvoiceState
    decline: Decline | None = None
    card: Card | None = None
    attempts: tuple[SeenAttempt, ...] = ()
    subscription_status: str = ""
    subscription_ending: bool = False
    subscription_paused: bool = False
    customer_deleted: bool = False
    disputed: bool = False


class ReadFailed(Fact, frozen=True, kw_only=True, tag="read_failed"):
    """A read could not be made, or was not made any more; `why` in words. `gone` when the object does not exist."""

    effect: str
    why: str
    gone: bool = False


class ChargeSettled(Fact, frozen=True, kw_only=True, tag="charge_settled"):
    """What became of a ChargeRequested.

    succeeded: the invoice is paid by this attempt. declined, needs_action: the attempt was made and failed. processing: made, not decided
    yet (bank debit, B34). not_done: no attempt reached Stripe; `why` says the reason (already_paid, voided, written_off, cancelled,
    paused, withdrawn, expired, stripe_attempt_near, ...) and `state` what the look before showed, if there was one.
    """

    effect: str
    result: Literal["succeeded", "declined", "needs_action", "processing", "not_done"]
    why: str = ""
    charge: str = ""
    decline: Decline | None = None
    card: Card | None = None
    state: InvoiceState | None = None


class MessageSettled(Fact, frozen=True, kw_only=True, tag="message_settled"):
    """What became of a MessageRequested.

    sent: handed to the mail server, which took it. skipped: not sent, for the reason in `why` (already_paid, voided, cancelled, withdrawn,
    expired, no_contact, suppressed, real_mail_disabled, ...). failed: refused for good. unknown: cannot be told (product decision 18).
    """

    effect: str
    medium: str
    result: Literal["sent", "skipped", "failed", "unknown"]
    why: str = ""
    message: str = ""
    state: InvoiceState | None = None


class PolicyPublished(Fact, frozen=True, kw_only=True, tag="policy_published"):
    """An account's policy number `number` is in force. Written once to every partition."""

    number: int
    policy: Policy
    who: str
    why: str = ""


class SwitchSet(Fact, frozen=True, kw_only=True, tag="switch_set"):
    """The account's kill switch: paused or not (B45, product decision 39). Written once to every partition; account `*` means all."""

    paused: bool
    who: str
    why: str = ""


class TimePassed(Fact, frozen=True, kw_only=True, tag="time_passed"):
    """It is `occurred_at` now (business time). Written to every partition; the only clock of the stream."""


AnyFact = (
    PaymentFailed
    | PaymentActionRequired
    | InvoicePaid
    | InvoicePaymentSucceeded
    | InvoiceChanged
    | InvoiceVoided
    | InvoiceWrittenOff
    | ChargeFailed
    | IntentFailed
    | ChargeRefunded
    | DisputeOpened
    | CustomerChanged
    | CustomerDeleted
    | SubscriptionChanged
    | SubscriptionEnded
    | MethodChanged
    | WebhookIgnored
    | WebhookParked
    | InvoiceRead
    | ReadFailed
    | ChargeSettled
    | MessageSettled
    | PolicyPublished
    | SwitchSet
    | TimePassed
)
"""All facts, for decoding."""

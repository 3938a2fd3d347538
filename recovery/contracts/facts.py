"""Facts: the stream's input, in the past tense. They come from Stripe, from outcomes of our effects, from operators' settings, and from the
clock."""

from typing import Annotated, Literal

import msgspec

from recovery.contracts.fact_types.commands import (
    Command,
    ExcludeRequested,
    ParkedReplayed,
    ResumeRequested,
    RetryRequested,
    SnoozeRequested,
    StopRequested,
)
from recovery.contracts.fact_types.contacts import (
    CardExpiring,
    ConsentGiven,
    ConsentWithdrawn,
    ContactAllowed,
    ContactSuppressed,
    MessageBounced,
    MessageComplained,
)
from recovery.contracts.fact_types.message_events import (
    MessageClicked,
    MessageDelivered,
    MessageOpened,
    MessageReceived,
    MessageUndelivered,
)
from recovery.contracts.fact_types.outcomes import (
    AlertSettled,
    ChargeRead,
    ChargeSettled,
    EndpointDisabled,
    InvoiceRead,
    MessageSettled,
    ReadFailed,
    SubscriptionEndSettled,
    WebhookSettled,
)
from recovery.contracts.fact_types.parts import Card, Decline, Fact, InvoiceFact, InvoiceState, SeenAttempt
from recovery.contracts.field_types import Amount, Count, DerivedId, Most, ShortText, Text
from recovery.policy import Policy
from recovery.vocabulary import Moment

__all__ = [
    "AlertSettled",
    "AnyFact",
    "Card",
    "CardExpiring",
    "ChargeFailed",
    "ChargeRead",
    "ChargeRefunded",
    "ChargeSettled",
    "Command",
    "ConsentGiven",
    "ConsentWithdrawn",
    "ContactAllowed",
    "ContactSuppressed",
    "CustomerChanged",
    "CustomerDeleted",
    "Decline",
    "DisputeOpened",
    "EndpointDisabled",
    "ExcludeRequested",
    "Fact",
    "IntentFailed",
    "InvoiceChanged",
    "InvoiceFact",
    "InvoicePaid",
    "InvoicePaymentSucceeded",
    "InvoiceRead",
    "InvoiceState",
    "InvoiceVoided",
    "InvoiceWrittenOff",
    "MessageBounced",
    "MessageClicked",
    "MessageComplained",
    "MessageDelivered",
    "MessageOpened",
    "MessageReceived",
    "MessageSettled",
    "MessageUndelivered",
    "MethodChanged",
    "ParkedReplayed",
    "PauseSet",
    "PaymentActionRequired",
    "PaymentFailed",
    "PolicyPublished",
    "ReadFailed",
    "ResumeRequested",
    "RetryRequested",
    "RetryTimesOffered",
    "SeenAttempt",
    "Slot",
    "SnoozeRequested",
    "StopRequested",
    "SubscriptionChanged",
    "SubscriptionEndSettled",
    "SubscriptionEnded",
    "TimePassed",
    "WebhookIgnored",
    "WebhookParked",
    "WebhookSettled",
]


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
    """Amounts, schedule or flags of the invoice changed (B30: the next attempt may arrive only here). `switched_off`: automatic
    collection was on before this change, which was no attempt, and is off now."""

    switched_off: bool = False


class InvoiceVoided(InvoiceFact, frozen=True, kw_only=True, tag="invoice_voided"):
    """The invoice was voided: nothing is owed."""


class InvoiceWrittenOff(InvoiceFact, frozen=True, kw_only=True, tag="invoice_written_off"):
    """The invoice was marked uncollectible; it can still be paid (B16)."""


class ChargeFailed(Fact, frozen=True, kw_only=True, tag="charge_failed"):
    """A charge failed; carries the network's codes, and from basil on no invoice."""

    charge: ShortText
    payment_intent: ShortText = ""
    amount_minor: Amount
    currency: ShortText
    decline: Decline
    card: Card | None = None
    request_key: ShortText = ""


class IntentFailed(Fact, frozen=True, kw_only=True, tag="intent_failed"):
    """A payment intent's attempt failed."""

    payment_intent: ShortText
    amount_minor: Amount
    currency: ShortText
    decline: Decline
    card: Card | None = None
    request_key: ShortText = ""


class ChargeRefunded(Fact, frozen=True, kw_only=True, tag="charge_refunded"):
    """Money of a charge went back; `amount_refunded` is the total so far."""

    charge: ShortText
    payment_intent: ShortText = ""
    amount_refunded: Amount
    currency: ShortText


class DisputeOpened(Fact, frozen=True, kw_only=True, tag="dispute_opened"):
    """A charge is disputed. It has no customer and is keyed by the dispute. `status` is Stripe's: one that begins with `warning_` is an
    inquiry of the bank, with no money moved yet; a dispute with withdrawn funds follows if it becomes more."""

    dispute: ShortText
    charge: ShortText = ""
    payment_intent: ShortText = ""
    reason: Text = ""
    amount_minor: Amount
    currency: ShortText
    status: ShortText = ""


class CustomerChanged(Fact, frozen=True, kw_only=True, tag="customer_changed"):
    """The customer object changed. `default_method_changed`: a new default payment method was set (not: one was removed); `default_method`
    is the id of the present one, empty where there is no default. `email_changed`: the address changed (the address itself is not in this
    fact)."""

    default_method_changed: bool = False
    default_method: ShortText = ""
    email_changed: bool = False


class CustomerDeleted(Fact, frozen=True, kw_only=True, tag="customer_deleted"):
    """The customer is gone: no more contact (B10)."""


class SubscriptionChanged(Fact, frozen=True, kw_only=True, tag="subscription_changed"):
    """A subscription changed. `cancel_at_period_end` while past due is a cancellation (B68). `paused` is paused collection;
    `pause_behavior` is what becomes of its invoices: void, mark_uncollectible or keep_as_draft (B69). `own_method_changed`: the payment
    method that it names itself changed to `own_method`, or was removed (B36). `ending_since`: when an end by date was set, None where
    Stripe does not report it. `pause_unclear`: the status is paused and the event gives no cause. `why` is Stripe's cancellation reason."""

    subscription: ShortText
    status: ShortText
    cancel_at_period_end: bool = False
    paused: bool = False
    pause_behavior: ShortText = ""
    own_method: ShortText = ""
    own_method_changed: bool = False
    ending_since: Moment | None = None
    pause_unclear: bool = False
    why: Text = ""


class SubscriptionEnded(Fact, frozen=True, kw_only=True, tag="subscription_ended"):
    """A subscription was cancelled; `why` is Stripe's cancellation reason (B67)."""

    subscription: ShortText
    why: Text = ""


class MethodChanged(Fact, frozen=True, kw_only=True, tag="method_changed"):
    """A payment method was attached, which does not make it the default; or it was renewed by the card network, or a person changed its
    expiry date (B35, B38)."""

    card: Card
    how: Literal["attached", "automatically_updated", "expiry_changed"]


class WebhookIgnored(Fact, frozen=True, kw_only=True, tag="webhook_ignored"):
    """A validly signed webhook that means nothing to us: unknown type or wrong mode."""

    event_type: ShortText
    why: Text


class WebhookParked(Fact, frozen=True, kw_only=True, tag="webhook_parked"):
    """A validly signed webhook that could not be translated; its bytes are on `parked.gateway`."""

    event_type: ShortText
    why: Text


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """One offered time of an attempt, and how likely it is to succeed then (0 to 1)."""

    at: Moment
    probability: float = 0.0


class RetryTimesOffered(Fact, frozen=True, kw_only=True, tag="retry_times_offered"):
    """The best times for the attempts from ladder position `attempt` on, in order.

    This is an offer only: the decision bounds it. `request` is the RetryTimesRequested that it answers, empty where there was no request.
    `source` is what chose the times (model, ...) and `model_version` its version; `propensity` is the probability with which these times
    were chosen among others.
    """

    slots: Annotated[tuple[Slot, ...], Most]
    source: ShortText
    model_version: ShortText = ""
    attempt: Count = 1
    request: DerivedId = ""
    propensity: float = 1.0


class PolicyPublished(Fact, frozen=True, kw_only=True, tag="policy_published"):
    """An account's policy number `number` is in force. Written once to every partition.

    `draft`: a policy that is only tried on paper beside it, its decisions recorded and none carried out.
    """

    number: Count
    policy: Policy
    who: Text
    why: Text = ""
    draft: Policy | None = None


class PauseSet(Fact, frozen=True, kw_only=True, tag="pause_set"):
    """The account's kill switch: paused or not (B45). Written once to every partition; account `*` means all."""

    paused: bool
    who: Text
    why: Text = ""


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
    | ChargeRead
    | SubscriptionEndSettled
    | AlertSettled
    | WebhookSettled
    | EndpointDisabled
    | MessageBounced
    | MessageComplained
    | MessageOpened
    | MessageClicked
    | MessageDelivered
    | MessageUndelivered
    | MessageReceived
    | ContactSuppressed
    | ContactAllowed
    | ConsentGiven
    | ConsentWithdrawn
    | CardExpiring
    | RetryTimesOffered
    | RetryRequested
    | StopRequested
    | SnoozeRequested
    | ExcludeRequested
    | ResumeRequested
    | ParkedReplayed
    | PolicyPublished
    | PauseSet
    | TimePassed
)
"""All facts, for decoding."""

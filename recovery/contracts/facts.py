"""Everything streams can learn, in the past tense: what Stripe told, what became of our effects, what people set, and the time."""

from typing import Annotated, Literal

import msgspec

from recovery.contracts.bounded import Amount, Count, DerivedId, Most, Text, Word
from recovery.contracts.command_facts import Command, ExcludeAsked, ParkedReplayed, ResumeAsked, RetryAsked, SnoozeAsked, StopAsked
from recovery.contracts.contact_facts import (
    CardExpiring,
    ConsentGiven,
    ConsentWithdrawn,
    ContactAllowed,
    ContactSuppressed,
    MessageBounced,
    MessageComplained,
)
from recovery.contracts.echo_facts import MessageClicked, MessageDelivered, MessageOpened, MessageReceived, MessageUndelivered
from recovery.contracts.fact_words import Card, Decline, Fact, InvoiceFact, InvoiceState, SeenAttempt
from recovery.contracts.outcome_facts import (
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
    "ExcludeAsked",
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
    "PaymentActionRequired",
    "PaymentFailed",
    "PlanOffered",
    "PolicyPublished",
    "ReadFailed",
    "ResumeAsked",
    "RetryAsked",
    "SeenAttempt",
    "Slot",
    "SnoozeAsked",
    "StopAsked",
    "SubscriptionChanged",
    "SubscriptionEndSettled",
    "SubscriptionEnded",
    "SwitchSet",
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

    charge: Word
    payment_intent: Word = ""
    amount_minor: Amount
    currency: Word
    decline: Decline
    card: Card | None = None
    request_key: Word = ""


class IntentFailed(Fact, frozen=True, kw_only=True, tag="intent_failed"):
    """A payment intent's attempt failed."""

    payment_intent: Word
    amount_minor: Amount
    currency: Word
    decline: Decline
    card: Card | None = None
    request_key: Word = ""


class ChargeRefunded(Fact, frozen=True, kw_only=True, tag="charge_refunded"):
    """Money of a charge went back; `amount_refunded` is the total so far."""

    charge: Word
    payment_intent: Word = ""
    amount_refunded: Amount
    currency: Word


class DisputeOpened(Fact, frozen=True, kw_only=True, tag="dispute_opened"):
    """A charge is disputed. Carries no customer: keyed by the dispute. `status` is Stripe's: those that begin with `warning_` are an
    inquiry of the bank, by which no money went back; a dispute told by its withdrawn funds follows if it becomes more."""

    dispute: Word
    charge: Word = ""
    payment_intent: Word = ""
    reason: Text = ""
    amount_minor: Amount
    currency: Word
    status: Word = ""


class CustomerChanged(Fact, frozen=True, kw_only=True, tag="customer_changed"):
    """The customer object changed; `default_method_changed` when a new default payment method was set, not when one was removed;
    `default_method` is the id of the one there is now, empty for none; `email_changed` when the address was (it is no part of this)."""

    default_method_changed: bool = False
    default_method: Word = ""
    email_changed: bool = False


class CustomerDeleted(Fact, frozen=True, kw_only=True, tag="customer_deleted"):
    """The customer is gone: no more contact (B10)."""


class SubscriptionChanged(Fact, frozen=True, kw_only=True, tag="subscription_changed"):
    """A subscription changed. `cancel_at_period_end` while past due is a cancellation (B68); `paused` is paused collection,
    `pause_behavior` what becomes of its invoices meanwhile: void, mark_uncollectible or keep_as_draft (B69). `own_method_changed`: the
    payment method that it names itself is another now, `own_method`, or none (B36). `ending_since`: when an end by date was set, None
    where that is not told. `pause_unclear`: the status is paused and its event does not tell why. `why` is Stripe's cancellation reason."""

    subscription: Word
    status: Word
    cancel_at_period_end: bool = False
    paused: bool = False
    pause_behavior: Word = ""
    own_method: Word = ""
    own_method_changed: bool = False
    ending_since: Moment | None = None
    pause_unclear: bool = False
    why: Text = ""


class SubscriptionEnded(Fact, frozen=True, kw_only=True, tag="subscription_ended"):
    """A subscription was cancelled; `why` is Stripe's cancellation reason (B67)."""

    subscription: Word
    why: Text = ""


class MethodChanged(Fact, frozen=True, kw_only=True, tag="method_changed"):
    """A payment method was attached, which does not make it the default; or renewed by the card network, or given another expiry date
    by hand (B35, B38)."""

    card: Card
    how: Literal["attached", "automatically_updated", "expiry_changed"]


class WebhookIgnored(Fact, frozen=True, kw_only=True, tag="webhook_ignored"):
    """A validly signed webhook that means nothing to us: unknown type or wrong mode (product decision 38)."""

    event_type: Word
    why: Text


class WebhookParked(Fact, frozen=True, kw_only=True, tag="webhook_parked"):
    """A validly signed webhook that could not be translated; its bytes are on `parked.gateway`."""

    event_type: Word
    why: Text


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """One offered time of an attempt, and how likely it is to succeed then (0 to 1)."""

    at: Moment
    probability: float = 0.0


class PlanOffered(Fact, frozen=True, kw_only=True, tag="plan_offered"):
    """Times at which the attempts from ladder position `attempt` on are best made, in order (F12, product decision 17).

    An offer only: the decision bounds it. `request` is the PlanRequested that it answers, empty when nobody asked; `source` says what chose
    the times (model, ...), `model_version` which one; `propensity` is the probability with which this plan was chosen among others.
    """

    slots: Annotated[tuple[Slot, ...], Most]
    source: Word
    model_version: Word = ""
    attempt: Count = 1
    request: DerivedId = ""
    propensity: float = 1.0


class PolicyPublished(Fact, frozen=True, kw_only=True, tag="policy_published"):
    """An account's policy number `number` is in force. Written once to every partition.

    `draft`: a policy that is only tried on paper beside it, its decisions recorded and none carried out (F66).
    """

    number: Count
    policy: Policy
    who: Text
    why: Text = ""
    draft: Policy | None = None


class SwitchSet(Fact, frozen=True, kw_only=True, tag="switch_set"):
    """The account's kill switch: paused or not (B45, product decision 39). Written once to every partition; account `*` means all."""

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
    | PlanOffered
    | RetryAsked
    | StopAsked
    | SnoozeAsked
    | ExcludeAsked
    | ResumeAsked
    | ParkedReplayed
    | PolicyPublished
    | SwitchSet
    | TimePassed
)
"""All facts, for decoding."""

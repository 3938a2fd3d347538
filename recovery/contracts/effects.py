"""Effects: commands of the stream to the sinks. Each has an id that is never reused, a deadline, and a precondition that is checked again
before it is performed."""

from typing import Literal

import msgspec

from recovery.contracts.envelope import Header
from recovery.contracts.events import Event
from recovery.vocabulary import DeclineKind, Medium, Moment


class Effect(Header, frozen=True, kw_only=True):
    """Base of every effect. Not performed after `not_after` (business time), nor when `only_if` no longer holds."""

    not_after: Moment
    only_if: Literal["always", "invoice_open", "invoice_paid"] = "invoice_open"


class ReadRequested(Effect, frozen=True, kw_only=True, tag="read_requested"):
    """Read the invoice with its payments, subscription and customer; answered by InvoiceRead or ReadFailed.

    Or, with `what` charge, read the charge `object`; answered by ChargeRead, which goes to the row of the charge's customer and repeats
    what is known of a dispute.
    """

    what: Literal["invoice", "charge"] = "invoice"
    object: str = ""
    disputed_minor: int = 0
    dispute_reason: str = ""


class ChargeRequested(Effect, frozen=True, kw_only=True, tag="charge_requested"):
    """Pay the invoice now, off session; `attempt` is the ladder position (1 = first retry). Answered by ChargeSettled.

    `amount_minor` is what the decision expected to be owed; the charge is for what the invoice says (B44).
    Not made when Stripe's own next attempt lies within `stripe_gap_hours` of the moment of charging (B29).
    """

    attempt: int
    amount_minor: int
    currency: str
    subscription: str = ""
    stripe_gap_hours: int = 0
    because: str = ""


class AlsoOwed(msgspec.Struct, frozen=True):
    """Another open invoice that the same message names, with what is owed in the currency's minor unit (B15)."""

    invoice: str
    amount_minor: int
    currency: str


class FurtherOwed(msgspec.Struct, frozen=True):
    """Open invoices that the same message does not name: how many, and the sum owed for them as it was known, in one currency."""

    count: int
    amount_minor: int
    currency: str


class MessageRequested(Effect, frozen=True, kw_only=True, tag="message_requested"):
    """A message to the customer about this invoice. `step` 1 to 3 is the dunning step; the wording follows the decline.

    Templates: payment_failed_1 to 3. With step 0: payment_recovered and cancelled_for_non_payment, which end a case, and card_expiring,
    which prevents one. `to`: the owner, which is the first billing contact that can receive mail, or everyone (B56). `also`: the customer's
    ten oldest other open invoices, named in the same message; `further`: the sum of the rest. `card` is the last month of an expiring card,
    `2027-03`. `unsubscribe`: whether the policy honours an unsubscribe, so that the message may offer one (B53).
    """

    medium: Medium = "email"
    template: str
    step: int
    decline_kind: DeclineKind | Literal[""] = ""
    decline_reason: str = ""
    amount_minor: int
    currency: str
    subscription: str = ""
    because: str = ""
    also: tuple[AlsoOwed, ...] = ()
    further: tuple[FurtherOwed, ...] = ()
    card: str = ""
    to: Literal["owner", "everyone"] = "owner"
    unsubscribe: bool = True


class SubscriptionEndRequested(Effect, frozen=True, kw_only=True, tag="subscription_end_requested"):
    """Do what the merchant wants at the end of an unpaid case, once (B73). Answered by SubscriptionEndSettled.

    cancel: the subscription, at once, without proration. unpaid: pause its collection, new invoices stay drafts.
    uncollectible: the invoice.
    """

    action: Literal["cancel", "unpaid", "uncollectible"]
    subscription: str = ""


class RetryTimesRequested(Effect, frozen=True, kw_only=True, tag="retry_times_requested"):
    """A request for times of the attempts from ladder position `attempt` on, at most `attempts_left`. RetryTimesOffered answers it, or
    nothing does.

    The case does not wait for the answer: until it arrives, the ladder applies. The other fields are what is known at the time of the
    request.
    """

    attempt: int
    attempts_left: int
    earliest: Moment
    latest: Moment
    failed_at: Moment
    last_failed_at: Moment
    amount_minor: int
    currency: str
    subscription: str = ""
    decline_kind: DeclineKind | Literal[""] = ""
    decline_code: str = ""
    card_brand: str = ""
    card_country: str = ""
    card_funding: str = ""
    attempts_on_card: int = 0
    renews_at: Moment | None = None
    stripe_next: Moment | None = None


class AlertRequested(Effect, frozen=True, kw_only=True, tag="alert_requested"):
    """An alert to the merchant about `event`. AlertSettled is its outcome."""

    medium: Literal["email", "slack"]
    event: Event


class WebhookRequested(Effect, frozen=True, kw_only=True, tag="webhook_requested"):
    """Deliver `event` to the merchant's `endpoint`, which is known by its name. Answered by WebhookSettled."""

    endpoint: str
    event: Event


class EffectWithdrawn(Effect, frozen=True, kw_only=True, tag="effect_withdrawn"):
    """Do not perform `effect`. Travels on the same topic and key as the effect. It may arrive too late without harm: the outcome shows what
    happened."""

    effect: str
    because: str = ""


AnyEffect = (
    ReadRequested
    | ChargeRequested
    | MessageRequested
    | RetryTimesRequested
    | SubscriptionEndRequested
    | AlertRequested
    | WebhookRequested
    | EffectWithdrawn
)
"""All effects, for decoding."""

"""What became of our effects: the facts that the effects sink tells."""

from typing import Annotated, Literal

from recovery.contracts.bounded import Amount, Count, DerivedId, Most, Text, Word
from recovery.contracts.fact_words import Card, Decline, Fact, InvoiceState, SeenAttempt


class InvoiceRead(Fact, frozen=True, kw_only=True, tag="invoice_read"):
    """The answer to a ReadRequested: the truth at `occurred_at` (B3). `subscription_method`: the payment method that the subscription
    itself names, which is charged before the customer's default (B36). `subscription_why`: Stripe's reason of its cancellation.
    `customer_method`: the customer's default payment method."""

    effect: DerivedId
    state: InvoiceState
    decline: Decline | None = None
    card: Card | None = None
    attempts: Annotated[tuple[SeenAttempt, ...], Most] = ()
    subscription_status: Word = ""
    subscription_ending: bool = False
    subscription_paused: bool = False
    customer_deleted: bool = False
    disputed: bool = False
    subscription_method: Word = ""
    subscription_why: Word = ""
    customer_method: Word = ""


class ReadFailed(Fact, frozen=True, kw_only=True, tag="read_failed"):
    """A read could not be made, or was not made any more; `why` in words. `gone` when the object does not exist."""

    effect: DerivedId
    why: Text
    gone: bool = False


class ChargeSettled(Fact, frozen=True, kw_only=True, tag="charge_settled"):
    """What became of a ChargeRequested.

    succeeded: the invoice is paid by this attempt. declined, needs_action: the attempt was made and failed. processing: made, not decided
    yet (bank debit, B34). not_done: no attempt reached Stripe; `why` says the reason (already_paid, voided, written_off, cancelled,
    paused, withdrawn, expired, stripe_attempt_near, ...) and `state` what the look before showed, if there was one.
    """

    effect: DerivedId
    result: Literal["succeeded", "declined", "needs_action", "processing", "not_done"]
    why: Text = ""
    charge: Word = ""
    decline: Decline | None = None
    card: Card | None = None
    state: InvoiceState | None = None


class MessageSettled(Fact, frozen=True, kw_only=True, tag="message_settled"):
    """What became of a MessageRequested.

    sent: handed to the mail server, which took it. skipped: not sent, for the reason in `why` (already_paid, voided, cancelled, withdrawn,
    expired, no_contact, suppressed, real_mail_disabled, ...). failed: refused for good. unknown: cannot be told (product decision 18).
    `also`: the other invoices that the message named.
    """

    effect: DerivedId
    medium: Word
    result: Literal["sent", "skipped", "failed", "unknown"]
    why: Text = ""
    message: DerivedId = ""
    state: InvoiceState | None = None
    also: Annotated[tuple[Word, ...], Most] = ()


class ChargeRead(Fact, frozen=True, kw_only=True, tag="charge_read"):
    """The answer to a ReadRequested about a charge: whose it is and how it stands. `invoice` is empty for a charge without one;
    `disputed_minor` and `dispute_reason` are what the asker knew of a dispute."""

    effect: DerivedId
    charge: Word
    payment_intent: Word = ""
    amount_minor: Amount
    amount_refunded: Amount = 0
    currency: Word
    disputed_minor: Amount = 0
    dispute_reason: Text = ""


class SubscriptionEndSettled(Fact, frozen=True, kw_only=True, tag="subscription_end_settled"):
    """What became of a SubscriptionEndRequested. not_done: `why` says the reason; `state` what the look before showed, if there was one."""

    effect: DerivedId
    action: Word
    result: Literal["done", "not_done"]
    why: Text = ""
    state: InvoiceState | None = None


class AlertSettled(Fact, frozen=True, kw_only=True, tag="alert_settled"):
    """What became of an AlertRequested about an event of `event_type`.

    skipped: not sent, for the reason in `why` (no_address, test_mode, ...). unknown: cannot be told, and is not repeated (decision 18).
    """

    effect: DerivedId
    medium: Word
    event_type: Word
    result: Literal["sent", "skipped", "failed", "unknown"]
    why: Text = ""
    message: DerivedId = ""


class WebhookSettled(Fact, frozen=True, kw_only=True, tag="webhook_settled"):
    """What became of a WebhookRequested: `event` is the id of the event that was to be delivered, `tries` how often it was sent,
    `status` the last HTTP status, 0 when no answer came."""

    effect: DerivedId
    endpoint: Word
    event: DerivedId
    event_type: Word
    result: Literal["delivered", "failed", "skipped"]
    why: Text = ""
    tries: Count = 0
    status: Count = 0


class EndpointDisabled(Fact, frozen=True, kw_only=True, tag="endpoint_disabled"):
    """Nothing is delivered to the merchant's `endpoint` any more, until somebody enables it; `why` in words."""

    endpoint: Word
    why: Text

"""Outcomes of effects: the facts that the effects sink publishes."""

from typing import Annotated, Literal

from recovery.contracts.fact_types.parts import Card, Decline, Fact, InvoiceState, SeenAttempt
from recovery.contracts.field_types import Amount, Count, DerivedId, Most, ShortText, Text


class InvoiceRead(Fact, frozen=True, kw_only=True, tag="invoice_read"):
    """The answer to a ReadRequested: the truth at `occurred_at` (B3). `subscription_method`: the payment method that the subscription
    itself names, which is charged before the customer's default (B36). `subscription_why`: Stripe's reason of its cancellation.
    `customer_method`: the customer's default payment method."""

    effect: DerivedId
    state: InvoiceState
    decline: Decline | None = None
    card: Card | None = None
    attempts: Annotated[tuple[SeenAttempt, ...], Most] = ()
    subscription_status: ShortText = ""
    subscription_ending: bool = False
    subscription_paused: bool = False
    customer_deleted: bool = False
    disputed: bool = False
    subscription_method: ShortText = ""
    subscription_why: ShortText = ""
    customer_method: ShortText = ""


class ReadFailed(Fact, frozen=True, kw_only=True, tag="read_failed"):
    """A read could not be made, or was not made any more; `why` in words. `gone` when the object does not exist."""

    effect: DerivedId
    why: Text
    gone: bool = False


class ChargeSettled(Fact, frozen=True, kw_only=True, tag="charge_settled"):
    """The outcome of a ChargeRequested.

    succeeded: this attempt paid the invoice. declined, needs_action: the attempt was made and failed. processing: made and not decided yet
    (bank debit, B34). not_done: no attempt reached Stripe; `why` is the reason (already_paid, voided, written_off, cancelled, paused,
    withdrawn, expired, stripe_attempt_near, ...) and `state` is the invoice as last read, if it was read.
    """

    effect: DerivedId
    result: Literal["succeeded", "declined", "needs_action", "processing", "not_done"]
    why: Text = ""
    charge: ShortText = ""
    decline: Decline | None = None
    card: Card | None = None
    state: InvoiceState | None = None


class MessageSettled(Fact, frozen=True, kw_only=True, tag="message_settled"):
    """The outcome of a MessageRequested.

    sent: the mail server accepted it. skipped: not sent, for the reason in `why` (already_paid, voided, cancelled, withdrawn, expired,
    no_contact, suppressed, real_mail_disabled, ...). failed: rejected permanently. unknown: it cannot be known whether it was sent. `also`:
    the other invoices that the message named.
    """

    effect: DerivedId
    medium: ShortText
    result: Literal["sent", "skipped", "failed", "unknown"]
    why: Text = ""
    message: DerivedId = ""
    state: InvoiceState | None = None
    also: Annotated[tuple[ShortText, ...], Most] = ()


class ChargeRead(Fact, frozen=True, kw_only=True, tag="charge_read"):
    """The answer to a ReadRequested about a charge: its customer and its state. `invoice` is empty for a charge without one;
    `disputed_minor` and `dispute_reason` are what the request knew of a dispute."""

    effect: DerivedId
    charge: ShortText
    payment_intent: ShortText = ""
    amount_minor: Amount
    amount_refunded: Amount = 0
    currency: ShortText
    disputed_minor: Amount = 0
    dispute_reason: Text = ""


class SubscriptionEndSettled(Fact, frozen=True, kw_only=True, tag="subscription_end_settled"):
    """The outcome of a SubscriptionEndRequested. not_done: `why` is the reason; `state` is the invoice as last read, if it was read."""

    effect: DerivedId
    action: ShortText
    result: Literal["done", "not_done"]
    why: Text = ""
    state: InvoiceState | None = None


class AlertSettled(Fact, frozen=True, kw_only=True, tag="alert_settled"):
    """The outcome of an AlertRequested about an event of `event_type`.

    skipped: not sent, for the reason in `why` (no_address, test_mode, ...). unknown: it cannot be known whether it was sent; it is not
    repeated.
    """

    effect: DerivedId
    medium: ShortText
    event_type: ShortText
    result: Literal["sent", "skipped", "failed", "unknown"]
    why: Text = ""
    message: DerivedId = ""


class WebhookSettled(Fact, frozen=True, kw_only=True, tag="webhook_settled"):
    """What became of a WebhookRequested: `event` is the id of the event that was to be delivered, `tries` how often it was sent,
    `status` the last HTTP status, 0 when no answer came."""

    effect: DerivedId
    endpoint: ShortText
    event: DerivedId
    event_type: ShortText
    result: Literal["delivered", "failed", "skipped"]
    why: Text = ""
    tries: Count = 0
    status: Count = 0


class EndpointDisabled(Fact, frozen=True, kw_only=True, tag="endpoint_disabled"):
    """Deliveries to the merchant's `endpoint` have stopped until an operator enables it; `why` is a sentence."""

    endpoint: ShortText
    why: Text

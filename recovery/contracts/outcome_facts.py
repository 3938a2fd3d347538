"""What became of our effects: the facts that the effects sink tells."""

from typing import Literal

from recovery.contracts.fact_words import Card, Decline, Fact, InvoiceState, SeenAttempt


class InvoiceRead(Fact, frozen=True, kw_only=True, tag="invoice_read"):
    """The answer to a ReadRequested: the truth at `occurred_at` (B3). `subscription_method`: the payment method that the subscription
    itself names, which is charged before the customer's default (B36). `subscription_why`: Stripe's reason of its cancellation.
    `customer_method`: the customer's default payment method."""

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
    subscription_method: str = ""
    subscription_why: str = ""
    customer_method: str = ""


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
    `also`: the other invoices that the message named.
    """

    effect: str
    medium: str
    result: Literal["sent", "skipped", "failed", "unknown"]
    why: str = ""
    message: str = ""
    state: InvoiceState | None = None
    also: tuple[str, ...] = ()


class ChargeRead(Fact, frozen=True, kw_only=True, tag="charge_read"):
    """The answer to a ReadRequested about a charge: whose it is and how it stands. `invoice` is empty for a charge without one;
    `disputed_minor` and `dispute_reason` are what the asker knew of a dispute."""

    effect: str
    charge: str
    payment_intent: str = ""
    amount_minor: int
    amount_refunded: int = 0
    currency: str
    disputed_minor: int = 0
    dispute_reason: str = ""


class SubscriptionEndSettled(Fact, frozen=True, kw_only=True, tag="subscription_end_settled"):
    """What became of a SubscriptionEndRequested. not_done: `why` says the reason; `state` what the look before showed, if there was one."""

    effect: str
    action: str
    result: Literal["done", "not_done"]
    why: str = ""
    state: InvoiceState | None = None


class AlertSettled(Fact, frozen=True, kw_only=True, tag="alert_settled"):
    """What became of an AlertRequested about an event of `event_type`.

    skipped: not sent, for the reason in `why` (no_address, test_mode, ...). unknown: cannot be told, and is not repeated (decision 18).
    """

    effect: str
    medium: str
    event_type: str
    result: Literal["sent", "skipped", "failed", "unknown"]
    why: str = ""
    message: str = ""


class WebhookSettled(Fact, frozen=True, kw_only=True, tag="webhook_settled"):
    """What became of a WebhookRequested: `event` is the id of the event that was to be delivered, `tries` how often it was sent,
    `status` the last HTTP status, 0 when no answer came."""

    effect: str
    endpoint: str
    event: str
    event_type: str
    result: Literal["delivered", "failed", "skipped"]
    why: str = ""
    tries: int = 0
    status: int = 0


class EndpointDisabled(Fact, frozen=True, kw_only=True, tag="endpoint_disabled"):
    """Nothing is delivered to the merchant's `endpoint` any more, until somebody enables it; `why` in words."""

    endpoint: str
    why: str

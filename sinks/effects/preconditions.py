"""May this still be done? The invoice as it is at this moment, and why an effect must not happen any more (B28, B47). Pure."""

from datetime import datetime, timedelta

from recovery.contracts.effects import ChargeRequested, Effect, MessageRequested
from recovery.contracts.facts import InvoiceState
from recovery.stripe.shapes import InvoiceReading
from recovery.stripe.subscriptions import makes_no_invoices, subscription_ending
from sinks.effects.stripe.client import Object, payment_intents

NOT_OPEN = {"paid": "already_paid", "void": "voided", "uncollectible": "written_off", "draft": "draft"}
ENDED_SUBSCRIPTION = frozenset({"canceled", "incomplete_expired"})


def charge_blocker(effect: Effect, invoice: Object, seen: InvoiceReading) -> str:
    """Why nothing may be charged or written about this invoice now; empty when it may."""
    if seen.customer_deleted:
        return "customer_deleted"
    if seen.subscription_status in ENDED_SUBSCRIPTION or seen.subscription_ending:
        return "cancelled"
    if seen.subscription_paused:
        return "paused"
    if seen.disputed:
        return "disputed"
    return _why_not_owed(invoice, seen.state) if effect.only_if == "invoice_open" or isinstance(effect, ChargeRequested) else ""


def message_blocker(effect: MessageRequested, invoice: Object, seen: InvoiceReading) -> str:
    """Why this message must not be sent now; empty when it may. A transactional mail confirms an end, so it needs that end and not an open
    invoice."""
    if effect.template == "cancelled_for_non_payment":  # the subscription has ended, by the merchant's own wish
        return "customer_deleted" if seen.customer_deleted else _why_not_owed(invoice, seen.state)
    if effect.only_if == "invoice_paid" and seen.state.status != "paid":
        return f"invoice_{seen.state.status}"
    return charge_blocker(effect, invoice, seen)


def warning_blocker(customer: Object, subscription: Object | None) -> str:
    """Why this customer need not be warned of what concerns the subscription's next charge; empty when they may be (B10, B67 to B69)."""
    if customer.get("deleted"):
        return "customer_deleted"
    if subscription is None:
        return ""
    if subscription.get("status") in ENDED_SUBSCRIPTION or subscription_ending(subscription):
        return "cancelled"
    return "paused" if makes_no_invoices(subscription) else ""


def change_blocker(effect: ChargeRequested, state: InvoiceState, now: datetime) -> str:
    """Whether Stripe's own next attempt is too near, on either side of `now` (B29); empty when it is not."""
    if effect.stripe_gap_hours and state.next_payment_attempt is not None:
        gap = abs(state.next_payment_attempt - now)
        return "stripe_attempt_near" if gap < timedelta(hours=effect.stripe_gap_hours) else ""
    return ""


def _why_not_owed(invoice: Object, state: InvoiceState) -> str:
    if state.status != "open":
        return NOT_OPEN.get(state.status, f"invoice_{state.status}")
    if state.amount_remaining <= 0:
        return "nothing_owed"
    if any(intent.get("status") == "processing" for intent in payment_intents(invoice)):
        return "processing"  # a bank debit on its way: neither success nor failure (B34)
    return ""

"""Reads the end and the pauses of a subscription, in every API version. Pure; raises UnknownShape with the path."""

from datetime import datetime

from recovery.stripe.fields import Object, flag, listed, moment_at, part, text, whole

FAILURE_PAUSES: frozenset[str] = frozenset({"first_payment_failure", "final_payment_failure"})
"""Why Stripe pauses a subscription by itself when a payment fails; the invoice stays collectible (since 2026-09-30)."""


def subscription_ending(subscription: Object, invoiced_at: datetime | None = None) -> bool:
    """Whether the subscription ends with its current period, by flag or by a date within it (B68). Raises UnknownShape.

    A date that was set before the invoice of `invoiced_at` was made is an agreed term, whose last period is owed like any other.
    """
    if flag(subscription, "cancel_at_period_end", "subscription"):
        return True
    at = whole(subscription, "cancel_at", "subscription")
    items = listed(subscription, "items", "subscription")
    ends = [whole(subscription, "current_period_end", "subscription")]
    ends += [whole(item, "current_period_end", "subscription.items.data[]") for item in items]  # moved there with basil
    since = ending_since(subscription)
    agreed = invoiced_at is not None and since is not None and since < invoiced_at
    return 0 < at <= max(ends) and not agreed


def ending_since(subscription: Object) -> datetime | None:
    """When an end by date was set; None without one, or where Stripe does not report it. Raises UnknownShape."""
    by_flag = flag(subscription, "cancel_at_period_end", "subscription")
    return moment_at(subscription, "canceled_at", "subscription") if subscription.get("cancel_at") and not by_flag else None


def subscription_why(subscription: Object) -> str:
    """Stripe's reason of the cancellation; empty for none. Raises UnknownShape."""
    return text(part(subscription, "cancellation_details", "subscription"), "reason", "subscription.cancellation_details")


def subscription_paused(subscription: Object) -> bool:
    """Whether collection is paused, or the whole subscription by request (B69). A pause because of a failed payment does not count
    (B101)."""
    if part(subscription, "pause_collection", "subscription"):
        return True
    return text(subscription, "status", "subscription") == "paused" and _pause_type(subscription) not in FAILURE_PAUSES


def makes_no_invoices(subscription: Object) -> bool:
    """Whether nothing new is charged for now: paused in whatever way, or unpaid, whose new invoices stay drafts. Raises UnknownShape."""
    return subscription_paused(subscription) or text(subscription, "status", "subscription") in {"paused", "unpaid"}


def pause_unclear(subscription: Object) -> bool:
    """Whether the subscription is paused without a stated cause, as in older versions of the API (B102). Raises UnknownShape."""
    collects = not part(subscription, "pause_collection", "subscription")
    return collects and text(subscription, "status", "subscription") == "paused" and not _pause_type(subscription)


def _pause_type(subscription: Object) -> str:
    where = "subscription.status_details"
    paused = part(part(subscription, "status_details", "subscription"), "paused", where)
    return text(part(paused, "subscription", f"{where}.paused"), "type", f"{where}.paused.subscription")

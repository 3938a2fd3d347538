"""Cards that will not live to see a subscription's next charge, read from the subscription. Pure; total on Stripe's shapes."""

from datetime import datetime, timedelta
from typing import Any

from recovery.contracts.facts import Card, CardExpiring
from recovery.stripe.fields import Object, id_of, listed, moment, needed_text, part, part_if_expanded, text, whole
from recovery.stripe.shapes import card_of_method
from recovery.stripe.subscriptions import makes_no_invoices, subscription_ending

HORIZON = timedelta(days=62)
"""How far ahead a charge may lie to be scanned; the earliest mail goes 60 days before (policy `prevention.days_before`)."""
_UPDATED = frozenset({"visa", "mastercard", "amex", "discover"})
"""Networks that give Stripe renewed cards; of cards issued in the United States nearly all (Stripe, "Automatic card updates")."""

EXPANDS = ["data.default_payment_method", "data.customer.invoice_settings.default_payment_method"]
"""What a list of subscriptions must show with it."""


def expiring(account: str, subscription: Object, business: datetime, wall: datetime) -> CardExpiring | None:
    """The warning about a subscription's card, or None when there is nothing to warn of. A card is good to the last day of its month.

    Raises:
        UnknownShape: the subscription is not as Stripe documents it; the text names the path.

    """
    charge_at = _next_charge(subscription)
    card = _card(subscription)
    if charge_at is None or card is None or not business < charge_at <= business + HORIZON or _spared(subscription):
        return None
    if not card.exp_month or (card.exp_year, card.exp_month) >= (charge_at.year, charge_at.month):
        return None
    id, customer = needed_text(subscription, "id", "subscription"), id_of(subscription, "customer", "subscription")
    fact_id = f"expiring:{account}:{id}:{card.method}:{card.exp_year}-{card.exp_month:02}:{int(charge_at.timestamp())}"
    return CardExpiring(
        id=fact_id,
        account=account,
        customer=customer,
        occurred_at=business,
        received_at=wall,
        trace=fact_id,
        card=card,
        subscription=id,
        next_charge_at=charge_at,
        amount_minor=_amount(subscription),
        currency=needed_text(subscription, "currency", "subscription"),
        updater_covers=card.brand in _UPDATED and card.country == "US" and card.funding != "prepaid",
    )


def _spared(subscription: Object) -> bool:
    """Whether nothing will be charged by itself: it ends, is paused, or its invoices are sent."""
    sent = text(subscription, "collection_method", "subscription") == "send_invoice"
    return sent or subscription_ending(subscription) or makes_no_invoices(subscription)


def _next_charge(subscription: Object) -> datetime | None:
    ends = [whole(item, "current_period_end", "subscription.items.data[]") for item in listed(subscription, "items", "subscription")]
    known = [end for end in (*ends, whole(subscription, "current_period_end", "subscription")) if end]  # moved to items with basil
    return moment(min(known), "subscription.current_period_end") if known else None


def _card(subscription: Object) -> Card | None:
    """The card that will be charged: the subscription's own, else the customer's default."""
    if id_of(subscription, "default_payment_method", "subscription"):
        return card_of_method(part_if_expanded(subscription, "default_payment_method", "subscription"))
    if id_of(subscription, "default_source", "subscription"):
        return None
    customer: Any = subscription.get("customer")
    settings = part(customer, "invoice_settings", "customer") if isinstance(customer, dict) else {}
    return card_of_method(part_if_expanded(settings, "default_payment_method", "customer.invoice_settings"))


def _amount(subscription: Object) -> int:
    """What the items cost a period; 0 where a price is metered or tiered."""
    total = 0
    for item in listed(subscription, "items", "subscription"):
        price = part(item, "price", "subscription.items.data[]")
        amount, quantity = price.get("unit_amount"), item.get("quantity", 1)
        if not isinstance(amount, int) or not isinstance(quantity, int):
            return 0
        total += amount * quantity
    return total

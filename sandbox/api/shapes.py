"""Our records as Stripe's objects (2026-09-30.endive), plus what older API versions showed in addition.

Field names follow the official SDK's resource classes; the changes between versions are those of its changelog:
up to acacia invoices name their payment intent, charge and subscription at the top level, since basil they do not.
"""

import zlib

from sandbox.simulation.records import Card, Customer, Invoice, Json, Subscription

API_VERSION = "2026-09-30.endive"
AREAS = (201, 202, 203, 205, 206, 207, 208, 209, 210, 212, 213, 214, 215, 216, 217, 218, 219, 224, 225, 228)
"""Area codes of North America."""


def seconds(at: float | None) -> int | None:
    """Unix seconds as Stripe shows them."""
    return None if at is None else int(at)


def card_details(card: Card) -> Json:
    """The `card` hash of a payment method or charge."""
    return {
        "brand": card.brand,
        "country": card.country,
        "exp_month": card.exp_month,
        "exp_year": card.exp_year,
        "fingerprint": card.fingerprint,
        "funding": card.funding,
        "last4": card.last4,
    }


def payment_method(card: Card, customer: Customer) -> Json:
    """A PaymentMethod of type card."""
    return {
        "id": card.id,
        "object": "payment_method",
        "allow_redisplay": "always",
        "billing_details": {"address": {"country": customer.country}, "email": customer.email, "name": customer.name},
        "card": {**card_details(card), "display_brand": card.brand, "networks": {"available": [card.brand]}},
        "created": int(card.created),
        "customer": card.customer,
        "livemode": False,
        "metadata": {},
        "type": "card",
    }


def customer(person: Customer) -> Json:
    """A Customer; a deleted one as Stripe shows it."""
    if person.deleted:
        return {"id": person.id, "object": "customer", "deleted": True}
    return {
        "id": person.id,
        "object": "customer",
        "address": {"city": None, "country": person.country, "line1": None, "postal_code": None, "state": None},
        "balance": 0,
        "created": int(person.created),
        "currency": person.currency,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "email": person.email,
        "invoice_settings": {"custom_fields": None, "default_payment_method": person.card.id, "footer": None},
        "livemode": False,
        "metadata": person.metadata,
        "name": person.name,
        "phone": _phone(person),
        "preferred_locales": [person.locale],
        "tax_exempt": "none",
    }


def _phone(person: Customer) -> str | None:
    """A number of those that are kept for fiction, 555-0100 to 0199 of an area; seven in ten payers have one. It follows from the id."""
    mark = zlib.crc32(person.id.encode())
    return f"+1{AREAS[mark // 1000 % len(AREAS)]}55501{mark // 10 % 100:02}" if mark % 10 < 7 else None


def subscription(plan: Subscription) -> Json:
    """A Subscription with its one item."""
    price = {
        "id": "price_" + plan.item[3:],
        "object": "price",
        "active": True,
        "currency": plan.currency,
        "product": "prod_" + plan.item[3:],
        "recurring": {"interval": plan.interval, "interval_count": plan.interval_count, "usage_type": "licensed"},
        "type": "recurring",
        "unit_amount": plan.amount,
    }
    item = {
        "id": plan.item,
        "object": "subscription_item",
        "current_period_end": int(plan.period_end),
        "current_period_start": int(plan.period_start),
        "price": price,
        "quantity": 1,
        "subscription": plan.id,
    }
    return {
        "id": plan.id,
        "object": "subscription",
        "billing_cycle_anchor": int(plan.created),
        "cancel_at": None,
        "cancel_at_period_end": False,
        "canceled_at": seconds(plan.canceled_at),
        "cancellation_details": {"comment": None, "feedback": None, "reason": plan.cancel_reason},
        "collection_method": plan.collection_method,
        "created": int(plan.created),
        "currency": plan.currency,
        "customer": plan.customer,
        "default_payment_method": None,
        "ended_at": seconds(plan.canceled_at),
        "items": {"object": "list", "data": [item], "has_more": False, "url": f"/v1/subscription_items?subscription={plan.id}"},
        "latest_invoice": plan.latest_invoice,
        "livemode": False,
        "metadata": {},
        "pause_collection": None,
        "start_date": int(plan.created),
        "status": plan.status,
        "trial_end": None,
    }


def legacy_subscription(plan: Subscription) -> Json:
    """What acacia and earlier showed on top."""
    return {"current_period_start": int(plan.period_start), "current_period_end": int(plan.period_end)}


def invoice(bill: Invoice, person: Customer, base: str, merchant: str) -> Json:
    """An Invoice in the present shape, without `payments` (only an expanded read shows them)."""
    parent = None
    if bill.subscription:
        details = {"metadata": {}, "subscription": bill.subscription}
        parent = {"quote_details": None, "subscription_details": details, "type": "subscription_details"}
    page = f"{base}/i/{bill.token}"
    out_of_band = bill.paid_by == "out_of_band"
    return {
        "id": bill.id,
        "object": "invoice",
        "account_country": "US",
        "account_name": merchant,
        "amount_due": bill.amount_due,
        "amount_overpaid": 0,
        "amount_paid": bill.amount_paid,
        "amount_paid_off_stripe": bill.amount_paid if out_of_band else 0,
        "amount_remaining": bill.amount_remaining,
        "attempt_count": bill.attempt_count,
        "attempted": bill.attempted,
        "auto_advance": bill.auto_advance,
        "billing_reason": bill.billing_reason,
        "collection_method": bill.collection_method,
        "created": int(bill.created),
        "currency": bill.currency,
        "customer": bill.customer,
        "customer_email": person.email,
        "customer_name": person.name,
        "default_payment_method": None,
        "due_date": seconds(bill.due_date),
        "effective_at": int(bill.created),
        "ending_balance": 0,
        "hosted_invoice_url": page,
        "invoice_pdf": None,
        "lines": {"object": "list", "data": [_line(bill)], "has_more": False, "url": f"/v1/invoices/{bill.id}/lines"},
        "livemode": False,
        "metadata": {},
        "next_payment_attempt": seconds(bill.next_payment_attempt),
        "number": bill.number,
        "parent": parent,
        "period_end": int(bill.period_end),
        "period_start": int(bill.period_start),
        "status": bill.status,
        "status_details": _status_details(bill),
        "status_transitions": {
            "finalized_at": int(bill.created),
            "marked_uncollectible_at": seconds(bill.uncollectible_at),
            "paid_at": seconds(bill.paid_at),
            "voided_at": seconds(bill.voided_at),
        },
        "subtotal": bill.amount_due,
        "total": bill.amount_due,
    }


def _line(bill: Invoice) -> Json:
    return {
        "id": "il_" + bill.id[3:],
        "object": "line_item",
        "amount": bill.amount_due,
        "currency": bill.currency,
        "description": "Subscription" if bill.subscription else "One-off work",
        "invoice": bill.id,
        "period": {"start": int(bill.period_start), "end": int(bill.period_end)},
        "quantity": 1,
    }


def _status_details(bill: Invoice) -> Json | None:
    return {"uncollectible": {"reason": "user_forgiven"}} if bill.status == "uncollectible" else None


def legacy_invoice(bill: Invoice) -> Json:
    """What acacia and earlier showed on top of today's invoice."""
    last = bill.charges[-1] if bill.charges else None
    return {
        "payment_intent": bill.payment_intent if bill.amount_due else None,
        "charge": last.id if last else None,
        "subscription": bill.subscription,
        "paid": bill.status == "paid",
        "paid_out_of_band": bill.paid_by == "out_of_band",
    }

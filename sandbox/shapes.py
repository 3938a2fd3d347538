"""Our records as Stripe's objects (2026-09-30.endive), plus what older API versions showed in addition.

Field names follow the official SDK's resource classes; the changes between versions are those of its changelog:
up to acacia invoices name their payment intent, charge and subscription at the top level, since basil they do not.
"""

from sandbox.records import Card, Charge, Customer, Decline, Invoice, Json, Subscription

API_VERSION = "2026-09-30.endive"
ZERO_DECIMAL = frozenset({"jpy"})
_MESSAGES = {
    "insufficient_funds": "Your card has insufficient funds.",
    "expired_card": "Your card has expired.",
    "processing_error": "An error occurred while processing your card. Try again in a little bit.",
    "authentication_required": "Your card was declined. This transaction requires authentication.",
    "incorrect_cvc": "Your card's security code is incorrect.",
}


def _s(at: float | None) -> int | None:
    return None if at is None else int(at)


def message(decline: Decline) -> str:
    """The sentence Stripe puts next to a refusal."""
    return _MESSAGES.get(decline.decline_code or decline.code, "Your card was declined.")


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
        "phone": None,
        "preferred_locales": [person.locale],
        "tax_exempt": "none",
    }


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
        "canceled_at": _s(plan.canceled_at),
        "cancellation_details": {"comment": None, "feedback": None, "reason": plan.cancel_reason},
        "collection_method": plan.collection_method,
        "created": int(plan.created),
        "currency": plan.currency,
        "customer": plan.customer,
        "default_payment_method": None,
        "ended_at": _s(plan.canceled_at),
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


def error(charge: Charge, decline: Decline) -> Json:
    """A refusal as `last_payment_error` and, with more around it, as the API's 402."""
    return {
        "advice_code": decline.advice_code,
        "charge": charge.id,
        "code": decline.code,
        "decline_code": decline.decline_code,
        "doc_url": f"https://stripe.com/docs/error-codes/{decline.code.replace('_', '-')}",
        "message": message(decline),
        "network_advice_code": decline.network_advice_code,
        "network_decline_code": decline.network_decline_code,
        "payment_method": charge.shown,
        "payment_method_type": "card",
        "type": "card_error",
    }


def outcome(decline: Decline | None) -> Json:
    """The `outcome` hash of a charge."""
    if decline is None:
        return {
            "advice_code": None,
            "network_advice_code": None,
            "network_decline_code": None,
            "network_status": "approved_by_network",
            "reason": None,
            "risk_level": "normal",
            "seller_message": "Payment complete.",
            "type": "authorized",
        }
    shown: Json = {
        "advice_code": decline.advice_code,
        "network_advice_code": decline.network_advice_code,
        "network_decline_code": decline.network_decline_code,
        "network_status": decline.network_status,
        "reason": decline.reason,
        "risk_level": decline.risk_level,
        "seller_message": "The bank returned the decline code `" + str(decline.reason) + "`.",
        "type": decline.outcome_type,
    }
    if decline.reason == "highest_risk_level":
        shown["rule"] = "block_if_high_risk__enabled"
    return shown


def charge(taken: Charge) -> Json:
    """A Charge, succeeded or failed."""
    ok = taken.decline is None
    return {
        "id": taken.id,
        "object": "charge",
        "amount": taken.amount,
        "amount_captured": taken.amount if ok else 0,
        "amount_refunded": taken.refunded,
        "billing_details": taken.shown["billing_details"],
        "captured": ok,
        "created": int(taken.at),
        "currency": taken.currency,
        "customer": taken.customer,
        "disputed": taken.disputed,
        "failure_code": None if taken.decline is None else taken.decline.code,
        "failure_message": None if taken.decline is None else message(taken.decline),
        "livemode": False,
        "metadata": {},
        "outcome": outcome(taken.decline),
        "paid": ok,
        "payment_intent": taken.payment_intent,
        "payment_method": taken.card.id,
        "payment_method_details": {"card": {**taken.shown["card"], "network": taken.card.brand}, "type": "card"},
        "receipt_email": None,
        "refunded": ok and taken.refunded >= taken.amount,
        "status": "succeeded" if ok else "failed",
    }


def dispute(key: str, taken: Charge, reason: str, at: float) -> Json:
    """A Dispute of a whole charge, just opened."""
    return {
        "id": key,
        "object": "dispute",
        "amount": taken.amount,
        "charge": taken.id,
        "created": int(at),
        "currency": taken.currency,
        "is_charge_refundable": False,
        "livemode": False,
        "metadata": {},
        "payment_intent": taken.payment_intent,
        "payment_method_details": {"card": {"brand": taken.card.brand}, "type": "card"},
        "reason": reason,
        "status": "needs_response",
    }


def payment_intent(bill: Invoice) -> Json:
    """The PaymentIntent of an invoice, as of its latest charge."""
    last = bill.charges[-1] if bill.charges else None
    decline = last.decline if last else None
    if bill.amount_paid and bill.paid_by not in ("out_of_band", "nothing_due"):
        status = "succeeded"
    elif bill.status in ("void", "paid"):
        status = "canceled"
    else:
        status = "requires_action" if decline is not None and decline.requires_action else "requires_payment_method"
    waiting = status == "requires_action"
    failed = status == "requires_payment_method" and last is not None and decline is not None
    return {
        "id": bill.payment_intent,
        "object": "payment_intent",
        "amount": bill.amount_due,
        "amount_received": bill.amount_paid if status == "succeeded" else 0,
        "canceled_at": _s(bill.voided_at),
        "capture_method": "automatic",
        "confirmation_method": "automatic",
        "created": int(bill.created),
        "currency": bill.currency,
        "customer": bill.customer,
        "last_payment_error": error(last, decline) if failed and last and decline else None,
        "latest_charge": last.id if last and not waiting else None,
        "livemode": False,
        "metadata": {},
        "next_action": {"type": "use_stripe_sdk", "use_stripe_sdk": {}} if waiting else None,
        "payment_method": last.card.id if last and not failed else None,
        "payment_method_types": ["card"],
        "setup_future_usage": "off_session",
        "status": status,
    }


def invoice_payment(bill: Invoice) -> Json:
    """The default InvoicePayment that links an invoice and its payment intent."""
    paid = bill.status == "paid" and bill.paid_by not in ("out_of_band", "nothing_due")
    return {
        "id": bill.payment,
        "object": "invoice_payment",
        "amount_paid": bill.amount_paid if paid else None,
        "amount_requested": bill.amount_due,
        "created": int(bill.created),
        "currency": bill.currency,
        "invoice": bill.id,
        "is_default": True,
        "livemode": False,
        "payment": {"payment_intent": bill.payment_intent, "type": "payment_intent"},
        "status": "paid" if paid else "canceled" if bill.status in ("void", "paid") else "open",
        "status_transitions": {"canceled_at": _s(bill.voided_at), "paid_at": _s(bill.paid_at) if paid else None},
    }


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
        "due_date": _s(bill.due_date),
        "effective_at": int(bill.created),
        "ending_balance": 0,
        "hosted_invoice_url": page,
        "invoice_pdf": None,
        "lines": {"object": "list", "data": [_line(bill)], "has_more": False, "url": f"/v1/invoices/{bill.id}/lines"},
        "livemode": False,
        "metadata": {},
        "next_payment_attempt": _s(bill.next_payment_attempt),
        "number": bill.number,
        "parent": parent,
        "period_end": int(bill.period_end),
        "period_start": int(bill.period_start),
        "status": bill.status,
        "status_details": _status_details(bill),
        "status_transitions": {
            "finalized_at": int(bill.created),
            "marked_uncollectible_at": _s(bill.uncollectible_at),
            "paid_at": _s(bill.paid_at),
            "voided_at": _s(bill.voided_at),
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

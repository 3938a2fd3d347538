"""Charges, payment intents and what the API says about a refusal, in Stripe's shapes."""

from sandbox.api.shapes import seconds
from sandbox.simulation.records import Charge, Decline, Invoice, Json

_MESSAGES = {
    "insufficient_funds": "Your card has insufficient funds.",
    "expired_card": "Your card has expired.",
    "processing_error": "An error occurred while processing your card. Try again in a little bit.",
    "authentication_required": "Your card was declined. This transaction requires authentication.",
    "incorrect_cvc": "Your card's security code is incorrect.",
}


def message(decline: Decline) -> str:
    """The sentence Stripe puts next to a refusal."""
    return _MESSAGES.get(decline.decline_code or decline.code, "Your card was declined.")


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
        "canceled_at": seconds(bill.voided_at),
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
        "status_transitions": {"canceled_at": seconds(bill.voided_at), "paid_at": seconds(bill.paid_at) if paid else None},
    }

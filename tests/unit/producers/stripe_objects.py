"""Stripe's objects as its API versions write them, reduced to what matters here; ids and amounts are made up."""

import json
from typing import Any

import stripe

from tests.support.secrets import a_secret

VERSIONS = (
    "2024-09-30.acacia",
    "2025-02-24.acacia",
    "2025-03-31.basil",
    "2025-10-29.clover",
    "2026-03-25.dahlia",
    "2026-09-30.endive",
    "2026-10-28.endive",
)
NOW = 1_795_000_000
SECRET = a_secret("of the tests")


def before_basil(version: str) -> bool:
    return version < "2025-03-31"


def an_invoice(version: str = VERSIONS[-1], **changes: Any) -> dict[str, Any]:
    invoice: dict[str, Any] = {
        "id": "in_1",
        "object": "invoice",
        "customer": "cus_1",
        "customer_email": "jo@payer.example",
        "customer_name": "Jo Payer",
        "status": "open",
        "currency": "usd",
        "amount_due": 4900,
        "amount_paid": 0,
        "amount_remaining": 4900,
        "attempt_count": 1,
        "auto_advance": True,
        "billing_reason": "subscription_cycle",
        "collection_method": "charge_automatically",
        "created": NOW - 3600,
        "next_payment_attempt": NOW + 259_200,
    }
    if before_basil(version):
        invoice |= {"subscription": "sub_1", "payment_intent": "pi_1", "charge": "ch_1", "paid": False, "paid_out_of_band": False}
    else:
        invoice["parent"] = {"type": "subscription_details", "subscription_details": {"metadata": {}, "subscription": "sub_1"}}
    if version == "2026-10-28.endive":
        invoice["amount_paid_off_stripe"] = 0
    return {**invoice, **changes}


def a_charge(version: str = VERSIONS[-1], **changes: Any) -> dict[str, Any]:
    charge: dict[str, Any] = {
        "id": "ch_1",
        "object": "charge",
        "amount": 4900,
        "amount_refunded": 0,
        "currency": "usd",
        "created": NOW - 10,
        "customer": "cus_1",
        "disputed": False,
        "failure_code": "card_declined",
        "outcome": {
            "type": "issuer_declined",
            "reason": "insufficient_funds",
            "network_status": "declined_by_network",
            "network_decline_code": "51",
            "network_advice_code": "02",
            "advice_code": "try_again_later",
        },
        "payment_intent": "pi_1",
        "payment_method": "pm_1",
        "payment_method_details": {"type": "card", "card": a_card()},
        "status": "failed",
    }
    if before_basil(version):
        charge["invoice"] = "in_1"
    return {**charge, **changes}


def a_card() -> dict[str, Any]:
    return {"brand": "visa", "fingerprint": "fp_1", "country": "US", "funding": "debit", "exp_month": 4, "exp_year": 2028, "last4": "0341"}


def a_method() -> dict[str, Any]:
    return {
        "id": "pm_1",
        "object": "payment_method",
        "type": "card",
        "card": a_card(),
        "customer": "cus_1",
        "billing_details": {"name": "Jo Payer"},
    }


def an_intent(version: str = VERSIONS[-1], **changes: Any) -> dict[str, Any]:
    intent: dict[str, Any] = {
        "id": "pi_1",
        "object": "payment_intent",
        "amount": 4900,
        "currency": "usd",
        "customer": "cus_1",
        "status": "requires_payment_method",
        "latest_charge": "ch_1",
        "last_payment_error": {
            "type": "card_error",
            "code": "card_declined",
            "decline_code": "insufficient_funds",
            "charge": "ch_1",
            "payment_method": a_method(),
        },
    }
    if before_basil(version):
        intent["invoice"] = "in_1"
    return {**intent, **changes}


def a_subscription(version: str = VERSIONS[-1], **changes: Any) -> dict[str, Any]:
    subscription: dict[str, Any] = {
        "id": "sub_1",
        "object": "subscription",
        "customer": "cus_1",
        "status": "past_due",
        "cancel_at_period_end": False,
        "cancel_at": None,
        "pause_collection": None,
    }
    end = NOW + 86_400
    if before_basil(version):
        return {**subscription, "current_period_end": end, "items": {"object": "list", "data": [{"id": "si_1"}]}, **changes}
    return {**subscription, "items": {"object": "list", "data": [{"id": "si_1", "current_period_end": end}]}, **changes}


def a_read_invoice(version: str = VERSIONS[-1], intent: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """An invoice as the API answers with everything expanded."""
    intent = an_intent(version, latest_charge=a_charge(version)) if intent is None else intent
    customer, subscription = {"id": "cus_1", "object": "customer"}, a_subscription(version)
    if before_basil(version):
        expanded = {"payment_intent": intent, "charge": intent.get("latest_charge"), "customer": customer, "subscription": subscription}
        return {**an_invoice(version), **expanded, **changes}
    payment = {
        "id": "inpay_1",
        "object": "invoice_payment",
        "is_default": True,
        "status": "open",
        "created": NOW,
        "payment": {"type": "payment_intent", "payment_intent": intent},
    }
    parent = {"type": "subscription_details", "subscription_details": {"subscription": subscription}}
    return {
        **an_invoice(version),
        "customer": customer,
        "parent": parent,
        "payments": {"object": "list", "data": [payment]},
        **changes,
    }


def a_dispute() -> dict[str, Any]:
    return {
        "id": "du_1",
        "object": "dispute",
        "amount": 4900,
        "currency": "usd",
        "charge": "ch_1",
        "payment_intent": "pi_1",
        "reason": "fraudulent",
    }


def an_event(type: str, object: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "id": "evt_1",
        "object": "event",
        "api_version": VERSIONS[-1],
        "type": type,
        "created": NOW,
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "data": {"object": object},
        **changes,
    }


def signed(body: bytes, at: int = NOW, secret: str = SECRET) -> bytes:
    """The header that Stripe's own package makes for these bytes."""
    return stripe.WebhookSignature.generate_signature_header(body.decode(), secret, at).encode()


def dumped(event: object) -> bytes:
    return json.dumps(event).encode()

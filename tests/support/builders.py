"""Facts and rows for tests, in the words of the business: what is not said has an ordinary value."""

from datetime import UTC, datetime, timedelta
from typing import Any

from recovery.contracts.customer import Account, Case, Customer
from recovery.contracts.facts import (
    Card,
    ChargeSettled,
    Decline,
    InvoiceChanged,
    InvoicePaid,
    InvoiceRead,
    InvoiceState,
    MessageSettled,
    PaymentFailed,
    ReadFailed,
    SeenAttempt,
    TimePassed,
)
from recovery.policy import Policy

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ACCOUNT, CUSTOMER, INVOICE, SUBSCRIPTION = "acct_1", "cus_1", "in_1", "sub_1"
VISA = Card(fingerprint="fp_visa", brand="visa", country="US", funding="credit")
MASTERCARD = Card(fingerprint="fp_mc", brand="mastercard", country="US", funding="debit")
SOFT = Decline(code="card_declined", decline_code="insufficient_funds", outcome_type="issuer_declined", method_type="card")
HARD = Decline(code="expired_card", decline_code="expired_card", outcome_type="issuer_declined", method_type="card")
FRAUD = Decline(code="card_declined", decline_code="fraudulent", outcome_type="issuer_declined", method_type="card")
PROCESSING = Decline(intent_status="processing", method_type="sepa_debit")
AUTH = Decline(code="authentication_required", decline_code="authentication_required", method_type="card")


def at(days: float = 0, hours: float = 0) -> datetime:
    """So long after the story's start."""
    return START + timedelta(days=days, hours=hours)


def a_policy(mode: str = "act", **fields: Any) -> Policy:
    """The default policy, in act mode."""
    return Policy(mode=mode, **fields)  # type: ignore[arg-type] # tests name the mode as a plain word


def an_account(policy: Policy | None = None, *, paused: bool = False) -> Account:
    return Account(policy_version=1, policy=policy or a_policy(), paused=paused)


def a_state(status: str = "open", amount: int = 4900, paid: int = 0, **fields: Any) -> InvoiceState:
    """An invoice of 49.00 EUR of a monthly subscription, collected automatically."""
    told: dict[str, Any] = {
        "currency": "eur",
        "amount_due": amount,
        "amount_paid": amount if status == "paid" else paid,
        "amount_remaining": 0 if status == "paid" else amount - paid,
        "attempt_count": 1,
        "billing_reason": "subscription_cycle",
        "collection_method": "charge_automatically",
        "subscription": SUBSCRIPTION,
        "created": START,
    }
    return InvoiceState(status=status, **(told | fields))


def header(id: str, when: datetime, invoice: str = INVOICE, **fields: Any) -> dict[str, Any]:
    told = {"id": id, "account": ACCOUNT, "customer": CUSTOMER, "invoice": invoice, "occurred_at": when, "received_at": when}
    return told | fields


def a_failure(id: str = "evt_failed", when: datetime = START, invoice: str = INVOICE, **fields: Any) -> PaymentFailed:
    return PaymentFailed(**header(id, when, invoice), **({"state": a_state()} | fields))


def a_payment(id: str = "evt_paid", when: datetime = START, invoice: str = INVOICE, **fields: Any) -> InvoicePaid:
    return InvoicePaid(**header(id, when, invoice), **({"state": a_state("paid")} | fields))


def a_change(id: str = "evt_changed", when: datetime = START, invoice: str = INVOICE, **fields: Any) -> InvoiceChanged:
    return InvoiceChanged(**header(id, when, invoice), **({"state": a_state()} | fields))


def an_attempt(charge: str = "ch_1", when: datetime = START, *, succeeded: bool = False, card: Card = VISA, **fields: Any) -> SeenAttempt:
    return SeenAttempt(charge=charge, at=when, succeeded=succeeded, fingerprint=card.fingerprint, brand=card.brand, **fields)


def a_reading(effect: str, when: datetime, decline: Decline | None = SOFT, invoice: str = INVOICE, **fields: Any) -> InvoiceRead:
    """The answer to a read: open, declined once at the start."""
    told: dict[str, Any] = {"state": a_state(), "decline": decline, "card": VISA, "attempts": (an_attempt(f"ch_{invoice}"),)}
    return InvoiceRead(**header(f"{effect}:outcome", when, invoice), effect=effect, **(told | fields))


def no_reading(effect: str, when: datetime, why: str = "timeout", invoice: str = INVOICE, **fields: Any) -> ReadFailed:
    return ReadFailed(**header(f"{effect}:outcome", when, invoice), effect=effect, why=why, **fields)


def a_settlement(effect: str, when: datetime, result: str, invoice: str = INVOICE, **fields: Any) -> ChargeSettled:
    told: dict[str, Any] = {"card": VISA, "charge": "" if result == "not_done" else f"ch_{effect}"}
    if result in {"declined", "needs_action"}:
        told["decline"] = SOFT if result == "declined" else AUTH
    return ChargeSettled(**header(f"{effect}:outcome", when, invoice), effect=effect, result=result, **(told | fields))  # type: ignore[arg-type] # a plain word


def a_mail_outcome(
    effect: str, when: datetime, result: str = "sent", why: str = "", invoice: str = INVOICE, **fields: Any
) -> MessageSettled:
    told: dict[str, Any] = {"medium": "email", "result": result, "why": why, "message": f"<{effect}@dunlin.example>"}
    return MessageSettled(**header(f"{effect}:outcome", when, invoice), effect=effect, **(told | fields))


def a_tick(when: datetime) -> TimePassed:
    return TimePassed(id=f"tick-{when.isoformat()}", account=ACCOUNT, occurred_at=when, received_at=when)


def a_case(**fields: Any) -> Case:
    """An open case, failed at the start, not classified yet."""
    told: dict[str, Any] = {
        "invoice": INVOICE,
        "subscription": SUBSCRIPTION,
        "currency": "eur",
        "outstanding_minor": 4900,
        "opened_at": START,
        "failed_at": START,
        "last_failed_at": START,
    }
    return Case(**(told | fields))


def a_customer(*cases: Case, **fields: Any) -> Customer:
    return Customer(account=ACCOUNT, customer=CUSTOMER, cases={case.invoice: case for case in cases}, **fields)


def a_fact_of(kind: Any, hours: float = 1, invoice: str = INVOICE, **fields: Any) -> Any:
    """A fact of this kind, so many hours after the start."""
    return kind(**header(f"{kind.__name__}-{hours}", at(hours=hours), invoice), **fields)

"""A stream of facts as a merchant's month makes them: mostly payments that went well, some failures with their reads and ends."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from recovery.contracts.facts import (
    Card,
    ChargeFailed,
    Decline,
    Fact,
    IntentFailed,
    InvoicePaid,
    InvoicePaymentSucceeded,
    InvoiceRead,
    InvoiceState,
    PaymentFailed,
    SeenAttempt,
    TimePassed,
)
from recovery.ids import effect_id, stream_key

ACCOUNT = "acct_1Bench"
START = datetime(2026, 1, 1, tzinfo=UTC)
EVERY = timedelta(milliseconds=200)
"""Business time between two facts."""
TICK_EVERY = 1_000
FAILS_EVERY = 7
"""One payment in so many fails first: about one in seven, as published (ml.md d.2)."""


def facts_of_a_month(count: int) -> Iterator[tuple[bytes, Fact]]:
    """`count` facts or a few more, with their keys; an empty key means every partition."""
    made = number = 0
    while made < count:
        now = START + EVERY * made
        story = failing(number, now) if number % FAILS_EVERY == 0 else paying(number, now)
        for fact in story:
            yield stream_key(ACCOUNT, fact.customer), fact
            made += 1
            if made % TICK_EVERY == 0:
                yield b"", TimePassed(id=f"time:{made}", account="*", occurred_at=now, received_at=now)
        number += 1


def paying(number: int, now: datetime) -> list[Fact]:
    """An invoice that is paid at once: two facts that concern nobody."""
    about = header(number, now)
    state = invoice_state("paid", now)
    return [
        InvoicePaid(id=f"{about['trace']}:1", state=state, **about),
        InvoicePaymentSucceeded(id=f"{about['trace']}:2", state=state, **about),
    ]


def failing(number: int, now: datetime) -> list[Fact]:
    """An invoice that fails, is read and classified, and half of the time is paid a little later."""
    about = header(number, now)
    decline = Decline(
        code="card_declined", decline_code="insufficient_funds", outcome_type="issuer_declined", intent_status="requires_payment_method"
    )
    card = Card(fingerprint=f"fp{number}", brand="visa", country="US", funding="debit", exp_month=4, exp_year=2029, method=f"pm_{number}")
    state = invoice_state("open", now)
    money = {"amount_minor": 2_900, "currency": "usd", "payment_intent": f"pi_{number}"}
    attempts = (SeenAttempt(charge=f"ch_{number}", at=now, succeeded=False, fingerprint=card.fingerprint, brand="visa"),)
    read = effect_id(ACCOUNT, about["invoice"], "read", 1)
    story: list[Fact] = [
        ChargeFailed(id=f"{about['trace']}:1", charge=f"ch_{number}", decline=decline, card=card, **money, **(about | {"invoice": ""})),
        IntentFailed(id=f"{about['trace']}:2", decline=decline, card=card, **money, **(about | {"invoice": ""})),
        PaymentFailed(id=f"{about['trace']}:3", state=state, **about),
        InvoiceRead(id=f"{read}:outcome", effect=read, state=state, decline=decline, card=card, attempts=attempts, **about),
    ]
    return story + (paying(number, now + timedelta(seconds=30)) if number % 2 else [])


def header(number: int, now: datetime) -> dict[str, object]:
    """The header fields of everything about one imaginary customer's invoice."""
    return {
        "account": ACCOUNT,
        "customer": f"cus_{number}",
        "invoice": f"in_{number}",
        "occurred_at": now,
        "received_at": now,
        "trace": f"{ACCOUNT}:evt_{number}.{int(now.timestamp() * 1000)}",
    }


def invoice_state(status: str, now: datetime) -> InvoiceState:
    """A monthly invoice of 29 dollars, paid or open."""
    paid = 2_900 if status == "paid" else 0
    return InvoiceState(
        status=status,
        currency="usd",
        amount_due=2_900,
        amount_paid=paid,
        amount_remaining=2_900 - paid,
        attempt_count=1,
        billing_reason="subscription_cycle",
        collection_method="charge_automatically",
        subscription="sub_bench",
        created=now,
    )

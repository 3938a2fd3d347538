"""What a subscription's object tells of its end and of pauses."""

from datetime import UTC, datetime
from typing import Any

import pytest

from producers.providers.stripe import translate
from recovery.contracts.facts import SubscriptionChanged
from recovery.stripe.shapes import reading
from tests.unit.producers.stripe_objects import NOW, VERSIONS, a_read_invoice, a_subscription, an_event

DAY = 86_400
WALL = datetime(2026, 12, 1, tzinfo=UTC)


def paused(kind: str) -> dict[str, Any]:
    details = {"type": "subscription", "transitioned_at": NOW, "subscription": {"type": kind}}
    return {"status": "paused", "status_details": {"paused": details}}


def fact_of(subscription: dict[str, Any]) -> SubscriptionChanged:
    told = translate("acct_1", an_event("customer.subscription.updated", subscription), WALL)
    assert isinstance(told, list)
    assert isinstance(told[0], SubscriptionChanged)
    return told[0]


@pytest.mark.parametrize(
    ("subscription", "suspends", "unclear"),
    [
        (paused("first_payment_failure"), False, False),
        (paused("final_payment_failure"), False, False),
        (paused("pause_requested"), True, False),
        (paused("trial_end_without_payment_method"), True, False),
        (paused("a_word_of_tomorrow"), True, False),
        ({"status": "paused"}, True, True),
        ({"status": "paused", "status_details": {"paused": None}}, True, True),
        ({"status": "paused", "pause_collection": {"behavior": "void"}}, True, False),
        (paused("final_payment_failure") | {"pause_collection": {"behavior": "void"}}, True, False),
        ({"pause_collection": {"behavior": "keep_as_draft"}}, True, False),
        ({}, False, False),
    ],
)
def test_a_pause_by_request_suspends_and_one_for_a_failed_payment_does_not(
    subscription: dict[str, Any], suspends: bool, unclear: bool
) -> None:
    """B69, B101, B102; the webhook and the read say the same."""
    fact = fact_of(a_subscription(**subscription))
    assert (fact.paused, fact.pause_unclear) == (suspends, unclear)
    invoice = a_read_invoice()
    invoice["parent"]["subscription_details"]["subscription"] = a_subscription(**subscription)
    assert reading(invoice).subscription_paused is suspends


@pytest.mark.parametrize(
    ("subscription", "ending"),
    [
        ({"cancel_at": NOW + DAY, "canceled_at": NOW - 60 * DAY}, False),
        ({"cancel_at": NOW + DAY, "canceled_at": NOW + 60}, True),
        ({"cancel_at": NOW + DAY, "canceled_at": None}, True),
        ({"cancel_at": NOW + DAY, "canceled_at": NOW - 60 * DAY, "cancel_at_period_end": True}, True),
        ({"canceled_at": NOW - 60 * DAY}, False),
    ],
)
def test_an_end_set_before_the_invoice_was_made_is_a_term_and_no_cancellation(subscription: dict[str, Any], ending: bool) -> None:
    """B68."""
    invoice = a_read_invoice(created=NOW)
    invoice["parent"]["subscription_details"]["subscription"] = a_subscription(**subscription)
    assert reading(invoice).subscription_ending is ending


def test_the_webhook_tells_since_when_an_end_by_date_is_set() -> None:
    by_date = {"cancel_at": NOW + DAY, "canceled_at": NOW}
    assert fact_of(a_subscription(**by_date)).ending_since == datetime.fromtimestamp(NOW, UTC)
    assert fact_of(a_subscription(**by_date, cancel_at_period_end=True)).ending_since is None
    assert fact_of(a_subscription(canceled_at=NOW)).ending_since is None


@pytest.mark.parametrize("version", VERSIONS)
def test_stripes_reason_of_a_cancellation_is_told_by_webhook_and_read(version: str) -> None:
    """B67."""
    subscription = a_subscription(version, status="canceled", cancellation_details={"reason": "payment_failed"})
    assert fact_of(subscription).why == "payment_failed"
    invoice = a_read_invoice(version)
    if "parent" in invoice:
        invoice["parent"]["subscription_details"]["subscription"] = subscription
    else:
        invoice["subscription"] = subscription
    assert reading(invoice).subscription_why == "payment_failed"

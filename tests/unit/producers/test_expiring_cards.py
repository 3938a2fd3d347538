"""Cards that expire before the next charge: the last day of the month counts, and nobody is alarmed without need (F68)."""

from datetime import UTC, datetime
from typing import Any

import pytest

from producers.providers.expiring_cards import expiring
from recovery.contracts.encoding.codec import decode_fact, encode
from recovery.stripe.fields import UnknownShape

TODAY = datetime(2026, 11, 1, 9, tzinfo=UTC)
CHARGE = datetime(2026, 12, 3, 9, tzinfo=UTC)


def a_card(month: int, year: int = 2026, **fields: Any) -> dict[str, Any]:
    card = {
        "brand": "visa",
        "country": "DE",
        "funding": "credit",
        "fingerprint": "fp_1",
        "exp_month": month,
        "exp_year": year,
        "last4": "4242",
    }
    return {"id": "pm_1", "object": "payment_method", "type": "card", "card": card | fields}


def a_subscription(card: dict[str, Any] | None, charge: datetime = CHARGE, **fields: Any) -> dict[str, Any]:
    item = {"current_period_end": int(charge.timestamp()), "price": {"unit_amount": 2450}, "quantity": 2}
    customer = {"id": "cus_1", "object": "customer", "invoice_settings": {"default_payment_method": card}}
    told = {
        "id": "sub_1",
        "object": "subscription",
        "status": "active",
        "currency": "eur",
        "customer": customer,
        "default_payment_method": None,
        "collection_method": "charge_automatically",
        "cancel_at_period_end": False,
        "items": {"object": "list", "data": [item]},
    }
    return told | fields


def found(subscription: dict[str, Any], today: datetime = TODAY):
    return expiring("acct_1", subscription, today, today)


def test_a_card_that_ends_before_the_charge_is_told_with_what_will_be_charged():
    """F68"""
    fact = found(a_subscription(a_card(11)))
    assert (fact.customer, fact.subscription, fact.next_charge_at, fact.amount_minor, fact.currency) == (
        "cus_1",
        "sub_1",
        CHARGE,
        4900,
        "eur",
    )
    assert (fact.card.exp_month, fact.card.exp_year, fact.updater_covers) == (11, 2026, False)
    assert decode_fact(encode(fact)) == fact
    assert b"4242" not in encode(fact)


@pytest.mark.parametrize(
    ("month", "charge", "told"),
    [
        (11, datetime(2026, 11, 30, 23, 59, tzinfo=UTC), False),  # good to the last day of its month
        (11, datetime(2026, 12, 1, tzinfo=UTC), True),
        (12, datetime(2026, 12, 31, 23, tzinfo=UTC), False),
        (12, datetime(2027, 1, 1, tzinfo=UTC), True),
        (10, datetime(2026, 11, 5, tzinfo=UTC), True),
        (1, datetime(2027, 3, 1, tzinfo=UTC), False),  # too far ahead to look at
        (9, datetime(2026, 10, 31, tzinfo=UTC), False),  # that charge is over
    ],
)
def test_the_last_day_of_the_month_counts(month, charge, told):
    """F68"""
    assert (found(a_subscription(a_card(month), charge)) is not None) is told


@pytest.mark.parametrize(
    "change",
    [
        {"cancel_at_period_end": True},
        {"pause_collection": {"behavior": "void"}},
        {"collection_method": "send_invoice"},
        {"default_payment_method": a_card(12, 2030)},
        {"default_payment_method": "pm_2"},
        {"default_source": "src_1"},
        {"customer": "cus_1"},
        {"items": {"data": []}},
    ],
)
def test_what_will_not_be_charged_on_that_card_alarms_nobody(change):
    assert found(a_subscription(a_card(11), **change)) is None


def test_the_subscriptions_own_card_goes_before_the_customers_default():
    fact = found(a_subscription(a_card(12, 2030), default_payment_method=a_card(11) | {"id": "pm_own"}))
    assert fact.card.method == "pm_own"


@pytest.mark.parametrize(
    ("fields", "covered"),
    [({"country": "US"}, True), ({"country": "US", "funding": "prepaid"}, False), ({"country": "US", "brand": "jcb"}, False), ({}, False)],
)
def test_the_updater_covers_what_its_networks_tell(fields, covered):
    """F68"""
    assert found(a_subscription(a_card(11, **fields))).updater_covers is covered


def test_the_same_card_and_charge_keep_their_id_and_another_charge_has_another():
    assert found(a_subscription(a_card(11))).id == found(a_subscription(a_card(11)), TODAY.replace(day=9)).id
    assert found(a_subscription(a_card(11))).id != found(a_subscription(a_card(11), CHARGE.replace(day=9))).id


def test_a_period_told_in_the_old_place_is_found():
    old = a_subscription(a_card(11), items={"data": [{"price": {"unit_amount": 100}}]}, current_period_end=int(CHARGE.timestamp()))
    assert found(old).next_charge_at == CHARGE


@pytest.mark.parametrize("price", [{"unit_amount": None}, {}])
def test_an_amount_that_no_price_tells_is_left_open(price):
    items = {"data": [{"current_period_end": int(CHARGE.timestamp()), "price": price}]}
    assert found(a_subscription(a_card(11), items=items)).amount_minor == 0


def test_a_shape_that_stripe_does_not_document_is_refused():
    with pytest.raises(UnknownShape, match="items"):
        found(a_subscription(a_card(11), items="many"))

"""A read invoice gives the same reading in every API version, and what it lacks is named."""

from datetime import UTC, datetime

import pytest

from recovery.stripe.shapes import (
    UnknownShape,
    card_of_charge,
    card_of_method,
    decline_of_charge,
    decline_of_error,
    decline_of_intent,
    moment,
    reading,
    seen_attempt,
    subscription_of,
)
from tests.unit.producers.stripe_objects import (
    NOW,
    VERSIONS,
    a_charge,
    a_method,
    a_read_invoice,
    a_subscription,
    an_intent,
    an_invoice,
    before_basil,
)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_api_version_gives_the_same_reading(version):
    read = reading(a_read_invoice(version))
    assert read == reading(a_read_invoice(VERSIONS[-1]))
    assert (read.decline.decline_code, read.decline.network_decline_code, read.decline.intent_status) == (
        "insufficient_funds",
        "51",
        "requires_payment_method",
    )
    assert (read.card.fingerprint, read.card.method) == ("fp_1", "pm_1")
    assert [attempt.charge for attempt in read.attempts] == ["ch_1"]
    assert (read.subscription_status, read.subscription_ending, read.customer_deleted, read.disputed) == ("past_due", False, False, False)


@pytest.mark.parametrize("version", VERSIONS)
def test_further_charges_count_once_each_and_oldest_first(version):
    old = a_charge(version, id="ch_0", created=NOW - 86_400, disputed=True)
    read = reading(a_read_invoice(version), [a_charge(version), old])
    assert [attempt.charge for attempt in read.attempts] == ["ch_0", "ch_1"]
    assert read.disputed


@pytest.mark.parametrize("version", VERSIONS)
def test_an_unexpanded_charge_is_taken_from_the_charges_given(version):
    invoice = a_read_invoice(version, an_intent(version))
    if before_basil(version):
        invoice["charge"] = "ch_1"
    assert [attempt.charge for attempt in reading(invoice, [a_charge(version)]).attempts] == ["ch_1"]


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"payments": {"data": [{"payment": {"payment_intent": "pi_1"}}]}}, r"invoice\.payments\.data\[0\]\.payment\.payment_intent"),
        ({"customer": "cus_1"}, r"invoice\.customer"),
        ({"parent": {"subscription_details": {"subscription": "sub_1"}}}, r"invoice\.parent\.subscription_details\.subscription"),
        ({"payments": {"data": [5]}}, r"invoice\.payments\.data"),
        ({"status": None}, r"invoice\.status"),
    ],
)
def test_what_was_not_expanded_is_refused_with_its_path(changes, path):
    with pytest.raises(UnknownShape, match=path):
        reading(a_read_invoice(**changes))


def test_an_unexpanded_charge_is_refused():
    with pytest.raises(UnknownShape, match=r"payment_intent\.latest_charge is only an id"):
        reading(a_read_invoice(intent=an_intent()))


def test_an_invoice_without_any_payment_has_no_decline_and_no_attempts():
    read = reading(a_read_invoice(payments={"data": []}))
    assert (read.decline, read.card, read.attempts) == (None, None, ())


def test_a_paid_invoice_has_no_decline():
    paid = an_intent(
        status="succeeded", last_payment_error=None, latest_charge=a_charge(status="succeeded", outcome=None, failure_code=None)
    )
    read = reading(a_read_invoice(intent=paid, status="paid"))
    assert read.decline is None
    assert [attempt.succeeded for attempt in read.attempts] == [True]


def test_the_default_payment_counts_before_a_newer_one():
    default = {"is_default": True, "created": 1, "payment": {"payment_intent": an_intent(latest_charge=a_charge())}}
    other_intent = an_intent(id="pi_2", last_payment_error={"code": "expired_card"}, latest_charge=None)
    other = {"is_default": False, "created": 2, "payment": {"payment_intent": other_intent}}
    read = reading(a_read_invoice(payments={"data": [default, other]}))
    assert read.decline.decline_code == "insufficient_funds"


def test_of_one_card_the_charge_tells_more_and_another_card_is_not_mistaken_for_it():
    sparse = {"code": "card_declined", "charge": "ch_1", "payment_method": {"id": "pm_1", "card": {"brand": "visa"}}}
    assert reading(a_read_invoice(intent=an_intent(last_payment_error=sparse, latest_charge=a_charge()))).card.fingerprint == "fp_1"
    other = {"code": "card_declined", "payment_method": {"id": "pm_2", "card": {"brand": "amex", "fingerprint": "fp_2"}}}
    assert reading(a_read_invoice(intent=an_intent(last_payment_error=other, latest_charge=a_charge()))).card.fingerprint == "fp_2"


def test_a_deleted_customer_is_recognised():
    assert reading(a_read_invoice(customer={"id": "cus_1", "deleted": True})).customer_deleted


@pytest.mark.parametrize("version", VERSIONS)
def test_the_subscription_is_found_in_either_shape(version):
    """B7."""
    assert subscription_of(an_invoice(version)) == "sub_1"
    assert subscription_of(a_read_invoice(version)) == "sub_1"


def test_a_one_off_invoice_has_no_subscription():
    assert subscription_of(an_invoice(parent=None)) == ""


def test_an_expanded_subscription_says_that_it_is_paused():
    paused = {"subscription_details": {"subscription": a_subscription(pause_collection={"behavior": "void"})}}
    assert reading(a_read_invoice(parent=paused)).subscription_paused


@pytest.mark.parametrize("version", VERSIONS)
def test_invoice_and_subscription_tell_the_method_that_each_names_itself(version):
    """B36."""
    plan = a_subscription(version, default_payment_method="pm_plan")
    parent = {"parent": {"subscription_details": {"subscription": plan}}}
    seen = reading(a_read_invoice(version, default_source="card_own", **(parent if version >= "2025-03-31" else {"subscription": plan})))
    assert (seen.state.own_method, seen.subscription_method) == ("card_own", "pm_plan")
    seen = reading(a_read_invoice(version))
    assert (seen.state.own_method, seen.subscription_method) == ("", "")


def test_an_api_error_and_a_last_payment_error_are_read_alike():
    error = {"code": "card_declined", "decline_code": "do_not_honor", "advice_code": "do_not_try_again", "payment_method": a_method()}
    decline = decline_of_error(error)
    assert (decline.code, decline.decline_code, decline.advice_code, decline.method_type) == (
        "card_declined",
        "do_not_honor",
        "do_not_try_again",
        "card",
    )


def test_an_issuers_decline_gives_the_charge_its_code_and_a_block_does_not():
    assert decline_of_charge(a_charge()).decline_code == "insufficient_funds"
    blocked = {"type": "blocked", "reason": "highest_risk_level", "network_status": "not_sent_to_network"}
    decline = decline_of_charge(a_charge(outcome=blocked))
    assert (decline.decline_code, decline.outcome_type, decline.outcome_reason) == ("", "blocked", "highest_risk_level")


def test_the_outcome_of_another_attempt_is_not_mixed_in():
    later_error = {"code": "authentication_required", "charge": "ch_2"}
    decline = decline_of_intent(an_intent(last_payment_error=later_error, latest_charge=a_charge()))
    assert (decline.code, decline.network_decline_code, decline.outcome_type) == ("authentication_required", "", "")


def test_an_error_without_a_charge_does_not_take_the_last_charges_outcome():
    decline = decline_of_intent(an_intent(last_payment_error={"code": "processing_error"}, latest_charge=a_charge()))
    assert (decline.code, decline.outcome_type) == ("processing_error", "")


def test_an_intent_that_was_never_tried_is_empty_but_for_its_status():
    decline = decline_of_intent({"id": "pi_1", "status": "requires_payment_method"})
    assert (decline.intent_status, decline.code, decline.outcome_type) == ("requires_payment_method", "", "")


def test_a_block_did_not_reach_the_network():
    assert seen_attempt(a_charge()).reached_network
    assert not seen_attempt(a_charge(outcome={"type": "blocked", "network_status": "not_sent_to_network"})).reached_network


def test_a_bank_debit_has_no_card():
    assert card_of_charge(a_charge(payment_method_details={"type": "sepa_debit", "sepa_debit": {}})) is None
    assert card_of_method({"id": "pm_2", "type": "sepa_debit"}) is None


def test_unix_seconds_become_aware_utc():
    first, last = 1_262_304_000, 4_102_444_800  # 2010 and 2100: the limits of a moment
    assert moment(first) == datetime(2010, 1, 1, tzinfo=UTC)
    assert moment(last) == datetime(2100, 1, 1, tzinfo=UTC)
    for seconds in (-1, 0, first - 1, last + 1, 10**15):
        with pytest.raises(UnknownShape):
            moment(seconds)


def test_what_was_paid_beside_stripe_is_told_with_its_amount():
    """The late versions tell the amount, the early ones a flag (B71)."""
    state = reading(a_read_invoice(VERSIONS[-1], amount_paid=900, amount_paid_off_stripe=400)).state
    assert (state.paid_off_stripe, state.paid_out_of_band) == (400, True)
    assert reading(a_read_invoice(VERSIONS[0])).state.paid_off_stripe == 0

"""Stripe's events become facts: one each, the same for every API version, without anything personal."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.providers.stripe import EVENT_TYPES, Ignored, UnknownShape, key_object, translate
from recovery.contracts.encoding.codec import decode_fact, encode
from recovery.contracts.facts import (
    CustomerChanged,
    DisputeOpened,
    InvoiceChanged,
    MethodChanged,
    PaymentFailed,
    SubscriptionChanged,
    SubscriptionEnded,
)
from tests.unit.producers.stripe_objects import (
    NOW,
    VERSIONS,
    a_charge,
    a_dispute,
    a_method,
    a_subscription,
    an_event,
    an_intent,
    an_invoice,
)

WALL = datetime(2026, 11, 24, 12, tzinfo=UTC)
OBJECTS = {
    "invoice": an_invoice,
    "charge.dispute": a_dispute,
    "charge": a_charge,
    "payment_intent": an_intent,
    "customer.subscription": a_subscription,
    "customer": lambda: {"id": "cus_1", "object": "customer", "email": "jo@payer.example", "name": "Jo Payer"},
    "payment_method": a_method,
}


def object_of(kind):
    return next(make for prefix, make in OBJECTS.items() if kind.startswith(prefix + "."))()


def event_of(kind):
    """An event of this type that has a meaning."""
    previous = {"card": {"exp_month": 4, "exp_year": 2026}} if kind == "payment_method.updated" else None
    return an_event(kind, object_of(kind), data={"object": object_of(kind), "previous_attributes": previous})


def the_fact(event):
    made = translate("acct_1", event, WALL)
    assert isinstance(made, list)
    [fact] = made
    return fact


@pytest.mark.parametrize("kind", EVENT_TYPES)
def test_every_event_type_becomes_one_fact_with_a_derived_id(kind):
    fact = the_fact(event_of(kind))
    assert (fact.id, fact.account, fact.cause) == ("acct_1:evt_1", "acct_1", "evt_1")
    assert (fact.occurred_at, fact.received_at) == (datetime.fromtimestamp(NOW, UTC), WALL)
    assert decode_fact(encode(fact)) == fact


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("invoice.payment_failed", "payment_failed"),
        ("invoice.payment_action_required", "payment_action_required"),
        ("invoice.paid", "invoice_paid"),
        ("invoice.payment_succeeded", "invoice_payment_succeeded"),
        ("invoice.updated", "invoice_changed"),
        ("invoice.payment_attempt_required", "invoice_changed"),
        ("invoice.voided", "invoice_voided"),
        ("invoice.marked_uncollectible", "invoice_written_off"),
        ("charge.failed", "charge_failed"),
        ("charge.refunded", "charge_refunded"),
        ("charge.dispute.created", "dispute_opened"),
        ("charge.dispute.funds_withdrawn", "dispute_opened"),
        ("payment_intent.payment_failed", "intent_failed"),
        ("customer.updated", "customer_changed"),
        ("customer.deleted", "customer_deleted"),
        ("customer.subscription.updated", "subscription_changed"),
        ("customer.subscription.paused", "subscription_changed"),
        ("customer.subscription.resumed", "subscription_changed"),
        ("customer.subscription.deleted", "subscription_ended"),
        ("payment_method.attached", "method_changed"),
        ("payment_method.automatically_updated", "method_changed"),
        ("payment_method.updated", "method_changed"),
    ],
)
def test_each_event_type_has_its_own_meaning(kind, expected):
    assert the_fact(event_of(kind)).__struct_config__.tag == expected


@pytest.mark.parametrize("kind", EVENT_TYPES)
def test_no_fact_holds_anything_personal(kind):
    told = encode(the_fact(event_of(kind))).lower()
    assert b"payer" not in told
    assert b"@" not in told
    assert b"0341" not in told


@pytest.mark.parametrize("kind", EVENT_TYPES)
def test_every_fact_names_its_customer_but_the_dispute(kind):
    fact = the_fact(event_of(kind))
    assert fact.customer == ("" if isinstance(fact, DisputeOpened) else "cus_1")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", [kind for kind in EVENT_TYPES if kind.startswith("invoice.")])
def test_an_invoice_of_any_api_version_becomes_the_same_fact(kind, version):
    fact = the_fact(an_event(kind, an_invoice(version), api_version=version))
    assert fact == the_fact(an_event(kind, an_invoice()))
    assert (fact.invoice, fact.state.subscription) == ("in_1", "sub_1")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_failed_charge_tells_the_networks_codes_and_the_card(version):
    fact = the_fact(an_event("charge.failed", a_charge(version)))
    decline = fact.decline
    assert (decline.code, decline.decline_code, decline.network_decline_code) == ("card_declined", "insufficient_funds", "51")
    assert (decline.outcome_type, decline.network_status, decline.method_type) == ("issuer_declined", "declined_by_network", "card")
    assert (fact.card.fingerprint, fact.card.brand, fact.card.method) == ("fp_1", "visa", "pm_1")
    assert fact.invoice == ("in_1" if version < "2025-03-31" else "")


def test_a_failed_payment_names_the_request_that_caused_it():
    event = an_event("invoice.payment_failed", an_invoice(), request={"id": "req_1", "idempotency_key": "dunlin-x"})
    fact = the_fact(event)
    assert isinstance(fact, PaymentFailed)
    assert (fact.request_id, fact.request_key, fact.decline) == ("req_1", "dunlin-x", None)


def test_a_request_given_as_an_id_alone_is_read():
    assert the_fact(an_event("invoice.paid", an_invoice(), request="req_1")).request_id == "req_1"


def customer(method=None, source=None):
    return {"id": "cus_1", "object": "customer", "default_source": source, "invoice_settings": {"default_payment_method": method}}


@pytest.mark.parametrize(
    ("previous", "now", "changed", "default"),
    [
        ({"invoice_settings": {"default_payment_method": "pm_0"}}, customer("pm_1"), True, "pm_1"),
        ({"invoice_settings": {"default_payment_method": None}}, customer({"id": "pm_1"}, "card_1"), True, "pm_1"),
        ({"default_source": None}, customer(source="card_1"), True, "card_1"),
        ({"default_source": "card_0"}, customer("pm_1", "card_1"), False, "pm_1"),  # the source is not what is charged
        ({"invoice_settings": {"default_payment_method": "pm_0"}}, customer(), False, ""),  # removed
        ({"invoice_settings": {"default_payment_method": "pm_0"}}, customer(source="card_1"), False, "card_1"),
        ({"default_source": "card_0"}, customer(), False, ""),
        ({"invoice_settings": {"footer": "x"}}, customer("pm_1"), False, "pm_1"),
        ({"email": "old@payer.example"}, {"id": "cus_1"}, False, ""),
        (None, {"id": "cus_1"}, False, ""),
    ],
)
def test_a_new_default_method_is_told_and_a_removed_one_is_none(previous, now, changed, default):
    """B36: what was there before stands in the previous attributes; what is charged from now on decides."""
    fact = the_fact(an_event("customer.updated", now, data={"object": now, "previous_attributes": previous}))
    assert fact.default_method == default
    assert isinstance(fact, CustomerChanged)
    assert fact.default_method_changed is changed
    assert fact.email_changed is (previous is not None and "email" in previous)


@pytest.mark.parametrize(
    ("previous", "how"),
    [
        ({"card": {"exp_month": 4, "exp_year": 2026}}, "expiry_changed"),
        ({"card": {"exp_year": 2026}}, "expiry_changed"),
        ({"billing_details": {"name": "Jo"}}, ""),
        ({"card": {"networks": {"preferred": "visa"}}}, ""),
        ({"card": None}, ""),
        (None, ""),
    ],
)
def test_a_stored_card_that_was_updated_counts_where_its_expiry_changed(previous, how):
    """B38: Stripe sends this event alone when somebody corrects the date."""
    event = an_event("payment_method.updated", a_method(), data={"object": a_method(), "previous_attributes": previous})
    if how:
        assert (the_fact(event).how, the_fact(event).card.method) == (how, "pm_1")
    else:
        assert isinstance(translate("acct_1", event, WALL), Ignored)


def test_a_bank_account_that_stripe_blocked_is_no_renewed_card():
    """stripe.md 1.7: it is told by the event of a renewal."""
    blocked = {"status_details": {"blocked": {"network_code": "R02", "reason": "bank_account_closed"}}}
    account = {"id": "pm_3", "type": "us_bank_account", "customer": "cus_1", "us_bank_account": blocked}
    assert isinstance(translate("acct_1", an_event("payment_method.automatically_updated", account), WALL), Ignored)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("changes", "ending", "paused"),
    [
        ({}, False, False),
        ({"cancel_at_period_end": True}, True, False),
        ({"cancel_at": NOW + 86_400}, True, False),
        ({"cancel_at": NOW + 86_400_000}, False, False),
        ({"pause_collection": {"behavior": "void"}}, False, True),
        ({"status": "paused"}, False, True),
    ],
)
def test_an_ending_or_paused_subscription_is_recognised(version, changes, ending, paused):
    fact = the_fact(an_event("customer.subscription.updated", a_subscription(version, **changes)))
    assert isinstance(fact, SubscriptionChanged)
    assert (fact.cancel_at_period_end, fact.paused) == (ending, paused)
    assert fact.pause_behavior == changes.get("pause_collection", {}).get("behavior", "")  # B69


@pytest.mark.parametrize(
    ("object", "previous", "method", "changed"),
    [
        ({"default_payment_method": "pm_2"}, {"default_payment_method": None}, "pm_2", True),
        ({"default_payment_method": None, "default_source": "card_1"}, {"default_payment_method": "pm_1"}, "card_1", True),
        ({"default_payment_method": None}, {"default_source": "card_1"}, "", True),
        ({"default_payment_method": {"id": "pm_2"}}, {"status": "active"}, "pm_2", False),
        ({}, None, "", False),
    ],
)
def test_a_subscription_tells_the_method_that_it_names_itself(object, previous, method, changed):
    """B36."""
    told = a_subscription(**object)
    event = an_event("customer.subscription.updated", told, data={"object": told, "previous_attributes": previous})
    fact = the_fact(event)
    assert isinstance(fact, SubscriptionChanged)
    assert (fact.own_method, fact.own_method_changed) == (method, changed)


@pytest.mark.parametrize(
    ("object", "method"),
    [
        ({"invoice_settings": {"default_payment_method": "pm_2"}, "default_source": "card_1"}, "pm_2"),
        ({"invoice_settings": {"default_payment_method": None}, "default_source": "card_1"}, "card_1"),
        ({}, ""),
    ],
)
def test_a_customer_tells_the_default_method(object, method):
    """B36."""
    fact = the_fact(an_event("customer.updated", {"id": "cus_1", **object}))
    assert isinstance(fact, CustomerChanged)
    assert fact.default_method == method


def test_a_cancelled_subscription_tells_why():
    ended = a_subscription(status="canceled", cancellation_details={"reason": "payment_failed"})
    fact = the_fact(an_event("customer.subscription.deleted", ended))
    assert isinstance(fact, SubscriptionEnded)
    assert fact.why == "payment_failed"


def test_a_method_that_is_no_card_is_told_by_its_id():
    fact = the_fact(an_event("payment_method.attached", {"id": "pm_2", "type": "sepa_debit", "customer": "cus_1"}))
    assert isinstance(fact, MethodChanged)
    assert (fact.card.method, fact.card.fingerprint, fact.how) == ("pm_2", "", "attached")


@pytest.mark.parametrize("changes", [{"paid_out_of_band": True}, {"amount_paid_off_stripe": 4900}])
def test_a_payment_outside_of_stripe_is_recognised_in_old_and_new_shapes(changes):
    assert the_fact(an_event("invoice.paid", an_invoice(**changes))).state.paid_out_of_band
    assert not the_fact(an_event("invoice.paid", an_invoice())).state.paid_out_of_band


def test_a_change_of_the_invoice_brings_stripes_next_attempt():
    fact = the_fact(an_event("invoice.updated", an_invoice()))
    assert isinstance(fact, InvoiceChanged)
    assert fact.state.next_payment_attempt == datetime.fromtimestamp(NOW + 259_200, UTC)


@pytest.mark.parametrize("kind", ["invoice.created", "", "mandate.updated", "made.up"])
def test_a_type_without_meaning_is_ignored_with_a_reason(kind):
    made = translate("acct_1", an_event(kind, {}), WALL)
    assert isinstance(made, Ignored)
    assert made.why


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"status": None}, "invoice.status"),
        ({"currency": 5}, "invoice.currency"),
        ({"created": "yesterday"}, "invoice.created"),
        ({"created": -1}, "invoice.created"),
        ({"amount_due": 1.5}, "invoice.amount_due"),
        ({"amount_due": 2**63}, "invoice.amount_due"),
        ({"amount_due": True}, "invoice.amount_due"),
        ({"id": ""}, "invoice.id"),
        ({"parent": "x"}, "invoice.parent"),
        ({"auto_advance": "yes"}, "invoice.auto_advance"),
    ],
)
def test_an_unknown_shape_names_the_path_and_not_the_content(change, path):
    with pytest.raises(UnknownShape) as caught:
        translate("acct_1", an_event("invoice.paid", an_invoice(**change)), WALL)
    assert path in str(caught.value)
    assert "yesterday" not in str(caught.value)


def test_an_object_without_a_customer_is_keyed_by_itself():
    assert key_object(the_fact(an_event("charge.dispute.created", a_dispute()))) == "du_1"
    assert key_object(the_fact(an_event("charge.failed", a_charge(customer=None)))) == "ch_1"
    assert key_object(the_fact(an_event("invoice.paid", an_invoice(customer=None)))) == "in_1"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*an_invoice(), *a_charge(), "data", "object"]), inner, max_size=5)
    ),
    max_leaves=8,
)


@given(
    kind=st.sampled_from(EVENT_TYPES),
    changes=st.dictionaries(st.sampled_from([*an_invoice(), *a_charge(), *an_intent()]), json_values, max_size=4),
)
def test_any_content_is_a_fact_that_can_be_written_or_an_unknown_shape(kind, changes):
    try:
        made = translate("acct_1", an_event(kind, {**object_of(kind), **changes}), WALL)
    except UnknownShape:
        return
    for fact in [] if isinstance(made, Ignored) else made:
        assert decode_fact(encode(fact)) == fact

"""Ids follow from their cause: the same cause, the same id; another cause, another one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recovery import ids

names = st.text(st.characters(codec="ascii", exclude_categories=["C"]), min_size=1, max_size=30)


def test_keys_are_account_and_customer_or_account_and_object():
    assert ids.stream_key("acct_1", "cus_1") == b"acct_1/cus_1"
    assert ids.stub_key("acct_1", "du_1") == b"acct_1/~du_1"


def test_fact_ids_name_account_and_event_or_the_effect():
    assert ids.webhook_fact_id("acct_1", "evt_1") == "acct_1:evt_1"
    assert ids.outcome_fact_id("acct_1.in_1.charge.1") == "acct_1.in_1.charge.1:outcome"
    assert ids.event_id(2, 10, 0) == "2-10-0"


def test_an_effects_key_leads_back_to_it():
    effect = ids.effect_id("acct_1", "in_1", "charge", 2)
    key = ids.idempotency_key(effect)
    assert ids.is_ours(key)
    assert ids.effect_of_key(key) == effect
    assert len(key) <= 255


@pytest.mark.parametrize("length", [100, 200, 228, 229, 230, 255])
def test_no_key_is_longer_than_stripe_takes_and_each_is_of_one_effect(length):
    keys = {ids.idempotency_key(ids.effect_id("acct_1", "i" * length, "charge", number)) for number in range(1, 4)}
    assert len(keys) == 3
    assert all(len(key) <= 255 and ids.is_ours(key) for key in keys)
    assert {ids.effect_of_key(key) for key in keys} <= {"", *(f"acct_1.{'i' * length}.charge.{number}" for number in range(1, 4))}


def test_somebody_elses_key_is_not_ours():
    assert not ids.is_ours("merchant-key")
    assert ids.effect_of_key("merchant-key") == ""


@given(first=st.tuples(names, names, st.integers(1, 99)), second=st.tuples(names, names, st.integers(1, 99)))
def test_different_requests_have_different_keys(first, second):
    def key(account, invoice, number):
        return ids.idempotency_key(ids.effect_id(account.replace(".", "_"), invoice.replace(".", "_"), "charge", number))

    same = (first[0].replace(".", "_"), first[1].replace(".", "_"), first[2]) == (
        second[0].replace(".", "_"),
        second[1].replace(".", "_"),
        second[2],
    )
    assert (key(*first) == key(*second)) is same


def test_a_mails_id_is_the_same_each_time():
    assert ids.message_id("acct_1.in_1.message.1", "heron.example") == "<acct_1.in_1.message.1@heron.example>"


def test_a_callers_trace_is_kept():
    trace = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    assert ids.trace_of(trace, "x") == trace.decode()


@pytest.mark.parametrize("sent", [b"", b"00-a-b-01", b"00-" + b"0" * 32 + b"-00f067aa0ba902b7-01", b"\xff" * 55, b"00-4bf9" + b"x" * 500])
def test_what_is_no_trace_is_not_taken_for_one(sent):
    assert ids.trace_of(sent, "x") == "x"


def test_an_effect_names_its_invoice_and_what_is_about_something_else_names_none():
    assert ids.invoice_of("acct_1", ids.effect_id("acct_1", "in_9", "message", 3)) == "in_9"
    assert ids.invoice_of("acct_1", ids.effect_id("acct_1", "~sub_1~1767225600", "notice", 1)) == ""
    assert ids.invoice_of("acct_1", "") == ""

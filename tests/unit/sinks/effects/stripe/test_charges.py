"""Charges: one attempt per effect, and the truth about it."""

from datetime import timedelta

import msgspec
import pytest

from sinks.effects.performer import ClaimRefused, InDoubt, RetryLater, Settled
from sinks.effects.stripe.charges import Charges
from sinks.effects.stripe.client import Declined, KeyReused, NotAllowed, ObjectGone, RateLimited, RequestRefused, StripeUnreachable

HOUR = timedelta(hours=1)


@pytest.fixture
def charges(door, accounts, clocks):
    return Charges(door, accounts, clocks)


def result(answer):
    assert isinstance(answer, Settled), answer
    return answer.fact.result, answer.fact.why


def test_an_open_invoice_is_paid_once_under_the_key_of_the_effect(charges, door, charge, job, an_invoice):
    door.pays = [an_invoice("paid", "succeeded")]
    answer = charges(job(charge))
    assert result(answer) == ("succeeded", "")
    assert (answer.fact.charge, answer.fact.cause, answer.fact.id) == ("ch_1", charge.id, f"{charge.id}:outcome")
    assert door.keys == ["dunlin-acct_1.in_1.charge.1"]


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"status": "paid"}, "already_paid"),
        ({"status": "void"}, "voided"),
        ({"status": "uncollectible"}, "written_off"),
        ({"status": "draft"}, "draft"),
        ({"amount_remaining": 0}, "nothing_owed"),
        ({"intent": "processing"}, "processing"),
        ({"customer": {"id": "cus_1", "deleted": True}}, "customer_deleted"),
    ],
)
def test_an_invoice_that_may_not_be_charged_is_left_alone(charges, door, charge, job, an_invoice, more, why):
    door.invoices = [an_invoice(**more)]
    assert result(charges(job(charge))) == ("not_done", why)
    assert door.keys == []


@pytest.mark.parametrize(
    ("subscription", "why"),
    [
        ({"status": "canceled"}, "cancelled"),
        ({"status": "past_due", "cancel_at_period_end": True}, "cancelled"),
        ({"status": "past_due", "pause_collection": {"behavior": "void"}}, "paused"),
    ],
)
def test_a_cancelled_or_paused_subscription_is_not_charged(charges, door, charge, job, an_invoice, subscription, why):
    parent = {"subscription_details": {"subscription": {"id": "sub_1", **subscription}}}
    door.invoices = [an_invoice(parent=parent)]
    assert result(charges(job(charge))) == ("not_done", why)


@pytest.mark.parametrize(("hours", "why"), [(5, "stripe_attempt_near"), (-5, "stripe_attempt_near"), (7, None), (-7, None)])
def test_stripes_own_attempt_within_the_gap_on_either_side_stops_ours(charges, door, charge, job, an_invoice, now, hours, why):
    door.invoices = [an_invoice(next_payment_attempt=int((now + hours * HOUR).timestamp()))]
    door.pays = [an_invoice("paid", "succeeded")]
    answer = charges(job(msgspec.structs.replace(charge, stripe_gap_hours=6)))
    assert result(answer) == (("not_done", why) if why else ("succeeded", ""))


def test_an_account_that_only_observes_is_not_charged(charges, accounts, door, charge, job):
    accounts.may = False
    assert result(charges(job(charge))) == ("not_done", "observe")
    assert door.keys == []


@pytest.mark.parametrize(("code", "expected"), [("insufficient_funds", "declined"), ("authentication_required", "needs_action")])
def test_a_decline_is_told_with_its_code_card_and_charge(charges, door, charge, job, code, expected):
    door.pays = [Declined({"code": "card_declined", "decline_code": code, "charge": "ch_9"})]
    answer = charges(job(charge))
    assert result(answer) == (expected, "")
    assert (answer.fact.decline.decline_code, answer.fact.charge, answer.fact.card.fingerprint) == (code, "ch_9", "fp_1")


def test_a_bank_debit_on_its_way_is_processing(charges, door, charge, job, an_invoice):
    door.pays = [an_invoice("open", "processing")]
    assert result(charges(job(charge))) == ("processing", "")


@pytest.mark.parametrize("trouble", [RateLimited("429"), StripeUnreachable("refused")])
def test_trouble_before_anything_was_done_waits(charges, door, charge, job, trouble):
    door.invoices = [trouble]
    assert isinstance(charges(job(charge)), RetryLater)


@pytest.mark.parametrize(("trouble", "kind"), [(RateLimited("429"), RetryLater), (StripeUnreachable("cut"), InDoubt)])
def test_only_an_unknown_outcome_is_a_doubt(charges, door, charge, job, trouble, kind):
    door.pays = [trouble]
    assert isinstance(charges(job(charge)), kind)


def test_an_invoice_paid_between_look_and_charge_is_not_ours(charges, door, charge, job, an_invoice):
    door.invoices = [an_invoice(), an_invoice("paid", "succeeded")]
    door.pays = [RequestRefused("Invoice is already paid")]
    assert result(charges(job(charge))) == ("not_done", "already_paid")


@pytest.mark.parametrize(("trouble", "why"), [(ObjectGone("no"), "gone"), (NotAllowed("key"), "not_allowed: key")])
def test_what_can_never_work_is_told_at_once(charges, door, charge, job, trouble, why):
    door.invoices = [trouble]
    assert result(charges(job(charge))) == ("not_done", why)


def test_a_refused_claim_charges_nothing(charges, door, charge, job):
    def refuse():
        raise ClaimRefused("withdrawn")

    with pytest.raises(ClaimRefused):
        charges(job(charge, claim=refuse))
    assert door.keys == []


def test_a_young_doubt_repeats_the_same_key_and_tells_its_answer(charges, door, charge, job, an_invoice, now):
    door.pays = [an_invoice("paid", "succeeded")]
    assert result(charges(job(charge, possibly_done_since=now - HOUR, in_doubt_count=1))) == ("succeeded", "")
    assert door.keys == ["dunlin-acct_1.in_1.charge.1"]


def test_a_young_doubt_on_a_paid_invoice_asks_the_key_whose_success_it_was(charges, door, charge, job, an_invoice, now):
    door.invoices = [an_invoice("paid", "succeeded")]
    door.pays = [RequestRefused("Invoice is already paid")]
    assert result(charges(job(charge, possibly_done_since=now - HOUR, in_doubt_count=1))) == ("not_done", "already_paid")


@pytest.mark.parametrize(
    ("echo", "expected"),
    [("invoice.paid", "succeeded"), ("invoice.payment_failed", "declined"), ("invoice.payment_action_required", "needs_action")],
)
def test_an_old_doubt_is_settled_from_the_echo_and_never_repeated(charges, door, charge, job, now, echo, expected):
    door.echo = {"type": echo}
    assert result(charges(job(charge, possibly_done_since=now - 24 * HOUR, in_doubt_count=1))) == (expected, "read_back")
    assert door.keys == []


def test_an_old_doubt_without_a_trace_is_looked_for_again_and_then_not_done(charges, door, charge, job, now):
    assert isinstance(charges(job(charge, possibly_done_since=now - 24 * HOUR, in_doubt_count=1, attempt=0)), InDoubt)
    assert result(charges(job(charge, possibly_done_since=now - 24 * HOUR, in_doubt_count=1, attempt=3))) == ("not_done", "not_seen")
    assert door.keys == []


def test_a_withdrawn_doubt_is_read_back_and_never_repeated(charges, door, charge, job, now):
    assert result(charges(job(charge, possibly_done_since=now, in_doubt_count=1, attempt=3, withdrawn="withdrawn"))) == (
        "not_done",
        "withdrawn",
    )
    door.echo = {"type": "invoice.paid"}
    assert result(charges(job(charge, possibly_done_since=now, in_doubt_count=1, withdrawn="withdrawn"))) == ("succeeded", "read_back")
    assert door.keys == []


def test_a_doubt_whose_invoice_may_not_be_charged_any_more_is_never_repeated(charges, door, charge, job, an_invoice, now):
    door.invoices = [an_invoice("void")]
    assert result(charges(job(charge, possibly_done_since=now, in_doubt_count=1, attempt=3))) == ("not_done", "voided")
    assert door.keys == []


def test_an_expired_doubt_is_never_repeated(charges, door, charge, job, now):
    late = msgspec.structs.replace(charge, not_after=now - HOUR)
    assert result(charges(job(late, possibly_done_since=now - 2 * HOUR, in_doubt_count=1, attempt=3))) == ("not_done", "not_seen")
    assert door.keys == []


def test_an_answer_stored_as_500_is_settled_from_the_echo(charges, door, charge, job, now):
    door.echo = {"type": "invoice.payment_failed"}
    assert result(charges(job(charge, possibly_done_since=now, in_doubt_count=2))) == ("declined", "read_back")
    assert door.keys == []


def test_a_key_used_with_other_parameters_is_read_back(charges, door, charge, job):
    door.pays, door.echo = [KeyReused("other parameters")], {"type": "invoice.paid"}
    assert result(charges(job(charge))) == ("succeeded", "read_back")


@pytest.mark.parametrize("trouble", [RateLimited("429"), StripeUnreachable("down"), NotAllowed("key")])
def test_a_doubt_stays_a_doubt_while_stripe_cannot_be_asked(charges, door, charge, job, now, trouble):
    door.invoices = [trouble]
    assert isinstance(charges(job(charge, possibly_done_since=now, in_doubt_count=1)), InDoubt)

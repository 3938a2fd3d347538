"""How cases end, who is credited, and what remains."""

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from recovery.contracts import facts
from recovery.contracts.customer import CardAttempt
from recovery.contracts.facts import (
    ChargeFailed,
    ChargeRefunded,
    CustomerDeleted,
    Decline,
    DisputeOpened,
    InvoicePaymentSucceeded,
    InvoiceVoided,
    InvoiceWrittenOff,
    ResumeRequested,
    StopRequested,
    SubscriptionChanged,
    SubscriptionEnded,
    WebhookIgnored,
    WebhookParked,
)
from recovery.decide import advance as module
from recovery.decide.advance import advance
from recovery.decide.handlers.collection.case_closing import paid_amount, part_paid
from recovery.decide.rules import attribution, attribution_audit, budgets
from recovery.decide.transition import Transition
from tests.support import builders as a
from tests.support.story import Story
from tests.support.transcript import told

SUB = a.SUBSCRIPTION
ENDINGS = [
    (InvoiceVoided(**a.header("e", a.at(hours=2)), state=a.a_state("void")), "voided"),  # B16
    (InvoiceWrittenOff(**a.header("e", a.at(hours=2)), state=a.a_state("uncollectible")), "written_off"),  # B16
    (SubscriptionEnded(**a.header("e", a.at(hours=2), ""), subscription=SUB), "cancelled"),  # B67
    (SubscriptionChanged(**a.header("e", a.at(hours=2), ""), subscription=SUB, status="canceled"), "cancelled"),  # B67
    (SubscriptionChanged(**a.header("e", a.at(hours=2), ""), subscription=SUB, status="past_due", cancel_at_period_end=True), "cancelled"),
    (CustomerDeleted(**a.header("e", a.at(hours=2), "")), "customer_deleted"),  # B10
    (a.a_change("e", a.at(hours=2), state=a.a_state("void")), "voided"),
]


@pytest.mark.parametrize(("fact", "reason"), ENDINGS)
def test_an_ending_stops_everything_at_once(fact: Any, reason: str) -> None:
    """B10, B16, B67, B68."""
    story = Story().opened(a.HARD)
    assert story.case().pending_effect is not None
    story.tell(fact)
    assert (story.last("case_closed").reason, story.case().status) == (reason, "closed")
    assert story.withdrawals() == [story.mails()[0].id]
    assert story.last("effect_withdrawn").effect == story.mails()[0].id
    assert (story.last("case_closed").next_action, story.last("case_closed").next_action_at) == ("", None)
    assert not story.days(100)


def test_a_charge_that_is_about_to_be_made_is_taken_back() -> None:
    story = Story().opened()
    story.days(1)
    story.tell(SubscriptionEnded(**a.header("e", story.now, ""), subscription=SUB, why="cancellation_requested"))
    assert story.withdrawals() == [story.charges()[0].id]
    assert story.last("case_closed").details == {"why": "cancellation_requested"}


def test_what_comes_late_leaves_the_last_word_to_the_ending() -> None:
    """The present state of a case is read from its latest event that says where it stands."""
    story = Story().opened()
    story.days(1)
    story.tell(SubscriptionEnded(**a.header("e", story.now, ""), subscription=SUB))
    story.charge_answered("not_done", why="withdrawn")
    assert (story.events[-1].event_type, story.events[-1].reason, story.events[-1].status) == ("retry_skipped", "withdrawn", "")
    standing = [event for event in story.events if event.status][-1]
    assert (standing.event_type, standing.reason, standing.status) == ("case_closed", "cancelled", "closed")


def test_another_subscription_is_left_alone() -> None:
    story = Story().opened()
    story.tell(SubscriptionEnded(**a.header("e", a.at(hours=1), ""), subscription="sub_other"))
    assert story.case().active
    assert story.events[-1].event_type == "fact_had_no_effect"


def test_a_planned_retry_dies_with_the_case() -> None:
    story = Story().opened()
    story.tell(InvoiceVoided(**a.header("e", a.at(hours=2)), state=a.a_state("void")))
    assert (story.last("case_closed").next_action, story.last("case_closed").next_action_at) == ("", None)


def test_a_payment_told_before_the_case_is_found_by_the_look_even_after_a_cancellation() -> None:
    """B4, B73: the look goes on when the case ends."""
    story = Story()
    story.tell(a.a_payment(when=a.at(hours=1)))
    story.tell(a.a_failure())
    story.tell(SubscriptionEnded(**a.header("e", a.at(hours=2), ""), subscription=SUB))
    assert not story.withdrawals()
    attempts = (a.an_attempt("ch_1"), a.an_attempt("ch_2", a.at(hours=1), succeeded=True))
    story.tell(a.a_reading(story.reads()[0].id, a.at(hours=2), None, state=a.a_state("paid"), attempts=attempts))
    assert story.case().status == "recovered"


def test_a_debit_of_ours_that_the_look_shows_as_paid_is_ours() -> None:
    """F60, B34."""
    story = Story().opened()
    story.days(1)
    story.charge_answered("processing", charge="py_1")
    story.days(1)
    attempts = (a.an_attempt("ch_1"), a.an_attempt("py_1", a.at(days=1), succeeded=True))
    story.tell(a.a_reading(story.reads()[-1].id, story.now, None, state=a.a_state("paid"), attempts=attempts))
    assert story.last("payment_recovered").recovered_by == "our_retry"


def test_money_out_of_band_counts_though_stripe_took_none() -> None:
    """B71."""
    story = Story().opened()
    told = a.a_state("paid", paid_out_of_band=True, amount_paid=0)
    story.tell(a.a_payment("evt_p", a.at(hours=5), state=told, request_id="req_1"))
    assert (story.last("payment_recovered").recovered_by, story.last("payment_recovered").recovered_minor) == ("external", 4900)


def test_a_written_off_invoice_that_is_paid_later_counts() -> None:
    """B16, B73."""
    story = Story().opened()
    story.tell(InvoiceWrittenOff(**a.header("e", a.at(hours=2)), state=a.a_state("uncollectible")))
    story.tell(a.a_payment("evt_p", a.at(days=9), request_id="req_1"))
    assert (story.case().status, story.last("payment_recovered").recovered_by) == ("recovered", "customer")


@pytest.mark.parametrize(
    ("fields", "cause"),
    [
        ({"request_id": "", "request_key": ""}, "stripe_retry"),
        ({"request_id": "req_1", "request_key": "shop-7"}, "customer"),
        ({"request_id": "req_1"}, "customer"),
        ({"request_id": "req_1", "state": a.a_state("paid", paid_out_of_band=True)}, "external"),  # B71
        ({"request_id": "req_1", "request_key": "dunlin-acct_1.in_1.charge.9"}, "our_retry"),
        ({"request_id": "req_1", "request_key": "dunlin-acct_1.in_10.charge.9"}, "customer"),
    ],
)
def test_money_has_exactly_one_cause(fields: dict[str, Any], cause: str) -> None:
    """F60, B71."""
    story = Story().opened()
    story.tell(a.a_payment("evt_p", a.at(hours=5), **fields))
    assert story.last("payment_recovered").recovered_by == cause


def test_only_the_increase_since_the_failure_is_recovered() -> None:
    """A part paid before is no recovery; a part paid since is."""
    story = Story()
    story.tell(a.a_failure(state=a.a_state(paid=1000)))
    story.tell(a.a_change("evt_part", a.at(hours=1), state=a.a_state(paid=2000)))
    assert story.case().outstanding_minor == 2900
    story.tell(a.a_payment("evt_p", a.at(hours=2), request_id="req_1"))
    part, rest = story.last("partial_payment"), story.last("payment_recovered")
    assert (part.recovered_minor, rest.recovered_minor) == (1000, 2900)
    assert (part.recovered_by, rest.recovered_by, part.status) == ("stripe_retry", "customer", "retrying")


def test_an_invoice_settled_by_a_credit_note_is_no_recovery() -> None:
    """B13, B70."""
    story = Story().opened()
    story.tell(a.a_payment("evt_p", a.at(hours=2), state=a.a_state("paid", amount=0)))
    assert story.last("case_closed").reason == "credited"
    assert "payment_recovered" not in story.types()


def test_both_webhooks_of_one_payment_count_once() -> None:
    story = Story().opened()
    story.tell(InvoicePaymentSucceeded(**a.header("evt_s", a.at(hours=2)), state=a.a_state("paid")))
    story.tell(a.a_payment("evt_p", a.at(hours=2)))
    assert story.types().count("payment_recovered") == 1
    assert (story.events[-1].event_type, story.events[-1].reason) == ("fact_had_no_effect", "already_paid")


def test_a_refund_and_a_dispute_take_the_recovery_back() -> None:
    """F67, B72: the total is told, each unit once."""
    story = Story().opened()
    story.days(1)
    story.charge_answered("succeeded")
    charge = story.case().recovered_charge
    for number, total in enumerate((1000, 1000, 1500)):
        story.tell(ChargeRefunded(**a.header(f"evt_r{number}", story.now, ""), charge=charge, amount_refunded=total, currency="eur"))
    story.tell(DisputeOpened(**a.header("evt_d", story.now, ""), dispute="dp_1", charge=charge, amount_minor=9900, currency="eur"))
    reversals = [(event.result, event.recovered_minor) for event in story.events if event.event_type == "recovery_reversed"]
    assert reversals == [("refund", 1000), ("refund", 500), ("dispute", 3400)]


def test_a_paused_subscription_waits_and_goes_on_where_it_stood() -> None:
    """B69."""
    story = Story().opened(a.HARD)
    story.mail_answered()
    pause = {"subscription": SUB, "status": "past_due"}
    story.tell(SubscriptionChanged(**a.header("evt_1", a.at(days=1), ""), **pause, paused=True))
    for _ in range(9):
        story.days(1)
        story.tell(a.a_reading(story.reads()[-1].id, story.now, a.HARD, subscription_paused=True))
    assert len(story.mails()) == 1
    story.tell(SubscriptionChanged(**a.header("evt_2", a.at(days=11), ""), **pause))
    story.tell(a.a_reading(story.reads()[-1].id, a.at(days=11), a.HARD))
    story.until(a.at(days=12.9))
    assert len(story.mails()) == 1
    story.until(a.at(days=13.1))
    assert [mail.step for mail in story.mails()] == [1, 2]


def test_a_charge_webhook_counts_in_the_budget_and_names_the_reason() -> None:
    """B2: the same charge in the reading is not counted twice; its code is used where the look fails."""
    story = Story()
    story.tell(a.a_failure())
    failed = ChargeFailed(
        **a.header("evt_c", a.START, ""), charge="ch_in_1", amount_minor=4900, currency="eur", decline=a.HARD, card=a.VISA
    )
    story.tell(failed)
    assert story.case().decline == a.HARD
    story.tell(a.a_reading(story.reads()[0].id, story.now))
    assert story.customer is not None
    assert len(story.customer.attempts) == 1


def test_an_ended_case_shrinks_and_the_row_goes_in_the_end() -> None:
    story = Story().opened()
    open_size = len(story.row or b"")
    story.tell(InvoiceVoided(**a.header("e", a.at(hours=2)), state=a.a_state("void")))
    assert len(story.row or b"") < open_size
    assert (story.case().decline, story.case().card) == (None, None)
    assert (story.case().outstanding_minor, story.case().requests, story.case().sequence) == (4900, 1, 5)
    story.days(179)
    assert story.row is not None
    story.days(2)
    assert story.row is None


def test_an_ignored_or_parked_webhook_is_told_and_leaves_no_row() -> None:
    """Product decision 26."""
    ignored = WebhookIgnored(**a.header("e1", a.START, ""), event_type="customer.created", why="unknown type")
    parked = WebhookParked(**a.header("e2", a.START, ""), event_type="invoice.paid", why="no status")
    for fact, event_type in ((ignored, "webhook_ignored"), (parked, "webhook_parked")):
        step = advance(None, fact, a.START, a.an_account())
        assert step.customer is None
        assert [(event.event_type, event.reason) for event in step.events] == [(event_type, fact.why)]


def test_every_type_of_fact_about_a_customer_has_a_handler() -> None:
    from recovery.contracts import facts

    told_elsewhere = {facts.PolicyPublished, facts.PauseSet, facts.TimePassed}
    assert set(facts.AnyFact.__args__) - told_elsewhere == set(module.HANDLERS)


def test_a_pause_is_looked_at_daily_then_weekly_and_has_an_end() -> None:
    """B69, B40: every case ends; money that comes later still counts."""
    story = Story().opened(subscription_paused=True)
    looks: list[datetime] = []
    while story.case().active and len(looks) < 60:
        asked = len(story.reads())
        story.until(story.now + timedelta(hours=12))
        if len(story.reads()) > asked:
            looks.append(story.now)
            story.tell(a.a_reading(story.reads()[-1].id, story.now, subscription_paused=True))
    gaps = [round((later - earlier) / timedelta(days=1)) for earlier, later in pairwise(looks)]
    assert set(gaps[:12]) == {1}
    assert set(gaps[16:]) == {7}
    assert (story.case().status, story.case().reason) == ("closed", "paused_too_long")
    assert a.at(days=180) <= story.now < a.at(days=188)
    story.tell(a.a_payment("evt_p", story.now))
    assert story.case().status == "recovered"


def test_a_pause_whose_looks_fail_has_an_end_too() -> None:
    story = Story().opened(subscription_paused=True)
    for _ in range(400):
        asked = len(story.reads())
        story.until(story.now + timedelta(hours=12))
        if len(story.reads()) > asked:
            story.tell(a.no_reading(story.reads()[-1].id, story.now))
    assert story.case().reason == "paused_too_long"


def test_what_is_told_late_keeps_its_own_time() -> None:
    """B3: the decision is of now, the event of then."""
    story = Story().opened()
    story.days(0.5)
    story.tell(told(facts.InvoiceVoided, a.at(hours=2), state=a.a_state("void")))
    assert (story.last("case_closed").occurred_at, story.case().ended_at) == (a.at(hours=2), a.at(hours=2))


def test_a_payment_after_the_end_of_which_nothing_is_left_is_noted_as_a_credit() -> None:
    """B13."""
    story = Story().opened()
    story.tell(told(facts.InvoiceVoided, a.at(hours=1), state=a.a_state("void")))
    story.tell(a.a_payment("evt_p", a.at(hours=2), state=a.a_state("paid", amount_paid=0)))
    assert (story.events[-1].event_type, story.events[-1].reason) == ("fact_had_no_effect", "credited")


@pytest.mark.parametrize(("left", "outstanding_minor"), [(0, 3900), (2000, 4900)])
def test_a_part_takes_from_what_is_owed_where_nothing_shows_the_rest(left: int, outstanding_minor: int) -> None:
    """stripe.md 4.4."""
    case = a.a_case()
    turn = Transition(a.a_customer(case), a.a_tick(a.START), a.START, a.an_account())
    state = a.a_state(amount_paid=1000, amount_remaining=left)
    assert part_paid(turn, case, 1000, state, attribution.Credit("customer", {"evidence": "request"}))
    assert (case.outstanding_minor, case.part_minor) == (outstanding_minor, 1000)


def test_a_part_and_a_payment_out_of_band_sum_to_what_was_owed() -> None:
    """B71, stripe.md 4.4: Stripe took 10.00, the rest came beside it and is not in what Stripe says is paid."""
    story = Story().opened()
    story.tell(a.a_change("evt_c", a.at(hours=5), state=a.a_state(paid=1000), request_id="req_1"))
    outside = a.a_state("paid", paid_out_of_band=True, amount_paid=1000)
    story.tell(a.a_payment("evt_p", a.at(hours=6), state=outside, request_id="req_2"))
    assert attribution_audit.parts(story.events) == {"eur": {"customer": 1000, "external": 3900}}
    assert attribution_audit.problems(story.events) == []


@pytest.mark.parametrize(
    ("part", "before", "paid", "out_of_band", "amount"),
    [
        (0, 0, 4900, False, 4900),
        (0, 500, 4900, False, 4400),
        (0, 0, 0, False, 0),
        (0, 0, 0, True, 3900),
        (1000, 0, 1000, True, 4900),
        (1000, 0, 4900, True, 4900),
        (1000, 0, 1000, False, 1000),
    ],
)
def test_what_came_back_is_the_increase_or_all_that_was_at_stake(part: int, before: int, paid: int, out_of_band: bool, amount: int) -> None:
    """B71."""
    case = a.a_case(outstanding_minor=3900, part_minor=part, paid_before=before)
    assert paid_amount(case, a.a_state("paid", amount_paid=paid, paid_out_of_band=out_of_band)) == amount


def test_what_comes_after_the_end_says_so_and_what_concerns_no_case_too() -> None:
    """B16."""
    story = Story().opened()
    for id, invoice in (("evt_v", "in_1"), ("evt_w", "in_1"), ("evt_x", "in_9")):
        story.tell(InvoiceVoided(**a.header(id, a.at(hours=1), invoice), state=a.a_state("void")))
    assert [event.reason for event in story.events[-2:]] == ["case_ended", "no_case"]


def partly_paid(hours: float, paid: int) -> Any:
    state = a.a_state(paid=paid)
    return a.a_fact_of(facts.InvoicePaymentSucceeded, hours, state=state, request_id="req_1")


def test_two_parts_by_one_cause_are_one_sum_of_it() -> None:
    """F60."""
    story = Story().opened()
    story.tell(partly_paid(1, 1000))
    story.tell(partly_paid(2, 1900))
    assert story.case().recovered_by_cause == {"customer": 1900}


def test_one_cent_is_a_recovery() -> None:
    story = Story()
    story.tell(a.a_failure(state=a.a_state(amount=1)))
    story.tell(a.a_payment("evt_p", a.at(hours=1), state=a.a_state("paid", amount=1), request_id="r"))
    assert (story.case().status, story.last("payment_recovered").recovered_minor) == ("recovered", 1)


def test_a_part_that_came_is_told_once_and_without_a_second_word_about_the_invoice() -> None:
    story = Story().opened()
    for number in range(2):
        story.tell(a.a_change(f"evt_{number}", a.at(hours=5), state=a.a_state(paid=1000), request_id="req_1"))
    assert story.types().count("partial_payment") == 1
    assert story.events[-1].event_type == "fact_had_no_effect"


def test_an_invoice_with_nothing_left_to_pay_is_closed_only_by_the_newest_word() -> None:
    """B3, B70."""
    story = Story().opened()
    story.tell(a.a_change("evt_new", a.at(hours=6)))
    story.tell(a.a_change("evt_old", a.at(hours=5), state=a.a_state(amount=0)))
    assert story.case().active


LOST = Decline(code="card_declined", decline_code="lost_card", outcome_type="issuer_declined", method_type="card")


def test_a_card_that_says_never_after_its_case_is_over_is_barred_for_the_others() -> None:
    """B22: the answer of a charge comes after the customer has paid another way."""
    story = Story().opened()
    story.days(1)
    story.tell(a.a_payment(when=a.at(days=1, hours=1)))
    story.charge_answered("declined", decline=LOST)
    assert story.customer is not None
    assert story.customer.barred == [a.VISA.fingerprint]


def test_a_case_that_was_stopped_by_hand_is_not_resumed_for_somebody_who_has_cancelled() -> None:
    """B60, B67."""
    story = Story().opened()
    story.tell(StopRequested(**a.header("cmd_1", a.at(hours=1)), who="ada"))
    story.tell(SubscriptionEnded(**a.header("evt_s", a.at(hours=2), ""), subscription=a.SUBSCRIPTION))
    story.tell(ResumeRequested(**a.header("cmd_2", a.at(hours=3)), who="ada"))
    story.days(30)
    assert (story.case().status, story.case().reason) == ("closed", "cancelled")
    assert (story.charges(), story.mails()) == ([], [])


def test_old_attempts_on_an_open_case_are_not_forgotten() -> None:
    """Product decision 10: the attempts on an invoice are limited for good, those on a card within days."""
    old, now = a.START, a.START + budgets.KEEP + timedelta(days=1)
    attempts = [CardAttempt("ch_1", old, "in_1", "fp_1", "visa", False), CardAttempt("ch_2", old, "in_2", "fp_1", "visa", False)]
    row = a.a_customer(a.a_case(), attempts=attempts)
    budgets.forget(row, now)
    assert [known.charge for known in row.attempts] == ["ch_1"]
    row.cases["in_1"].status = "abandoned"
    budgets.forget(row, now)
    assert row.attempts == []

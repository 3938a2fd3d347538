"""Small print that a change of one word or sign would break unnoticed elsewhere."""

from datetime import timedelta

import pytest

from recovery.contracts.facts import Decline, MethodChanged, PauseSet, PaymentActionRequired, PolicyPublished
from recovery.decide.handlers.account import account_changed
from recovery.decide.handlers.collection.retries import PATIENCE
from recovery.decide.rules import contactability, experiment, schedule
from recovery.policy import DEFAULT_LADDER, Experiment, RetryPolicy, SmsPolicy
from tests.support import builders as a
from tests.support.story import Story


def advised(code: str) -> Decline:
    return Decline(
        code="card_declined",
        decline_code="insufficient_funds",
        network_advice_code=code,
        outcome_type="issuer_declined",
        method_type="card",
    )


@pytest.mark.parametrize(
    ("card", "code", "barred"),
    [(a.MASTERCARD, "03", True), (a.MASTERCARD, "21", True), (a.MASTERCARD, "02", False), (a.VISA, "03", False)],
    ids=["never", "consent withdrawn", "later", "another brand"],
)
def test_only_mastercards_own_stop_signals_bar_a_mastercard(card, code, barred):
    """B20, B22, product decision 10."""
    story = Story().opened(advised(code), card=card)
    assert (card.fingerprint in story.customer.barred) is barred


def test_each_attempt_counts_once():
    """B39, B40."""
    story = Story().opened()
    for number, days in enumerate((1, 2, 3), 1):
        story.days(days)
        story.charge_answered()
        assert story.last("retry_attempted").retry_count == number
    assert story.case().retry_count == 3


def test_requests_that_come_to_nothing_end_in_dunning():
    """B40: every case ends."""
    story = Story().opened()
    for _ in range(PATIENCE):
        story.until(story.case().retry_at or story.now)
        story.charge_answered("not_done", why="refused: not today")
    assert (story.case().status, story.case().reason, story.case().consecutive_noops) == ("dunning", "requests_came_to_nothing", PATIENCE)
    assert story.last("dunning_scheduled").reason == "requests_came_to_nothing"


@pytest.mark.parametrize("kind", ["policy", "switch"])
def test_what_an_account_is_told_keeps_the_times_and_the_trace_of_its_fact(kind):
    """B93."""
    head = {"account": a.ACCOUNT, "occurred_at": a.START, "received_at": a.at(hours=1), "trace": "t-1", "who": "ada", "why": "audit"}
    policy = PolicyPublished(id="p", number=1, policy=a.a_policy(), **head)
    _, events = account_changed(a.an_account(), policy if kind == "policy" else PauseSet(id="s", paused=True, **head))
    assert {(event.occurred_at, event.received_at, event.trace, event.cause) for event in events} == {
        (a.START, a.at(hours=1), "t-1", "p" if kind == "policy" else "s")
    }
    assert events[0].details["who"] == "ada"


def test_without_an_experiment_everybody_is_treated_for_certain():
    """B77."""
    assert experiment.draw(Experiment(), a.ACCOUNT, a.CUSTOMER) == ("treated", 1.0)
    arm, propensity = experiment.draw(Experiment(holdout_share=0.25, explore_share=0.25, salt="s"), a.ACCOUNT, a.CUSTOMER)
    assert propensity == (0.5 if arm == "treated" else 0.25)


def test_a_text_that_may_not_go_says_why():
    """B52, B53."""
    off, on = a.a_policy(), a.a_policy(sms=SmsPolicy(enabled=True))
    assert contactability.sms(None, a.START, off) == contactability.Forbidden("sms_disabled")
    assert contactability.sms(None, a.START, on) == contactability.Forbidden("no_consent")


def test_invoices_that_fall_due_together_are_spread_over_the_hour_and_no_further():
    """B42."""
    cases = [a.a_case(invoice=f"in_{number}") for number in range(400)]
    moved = [schedule.spread(case, a.START) - a.START for case in cases]
    assert timedelta() <= min(moved) < timedelta(minutes=2)
    assert timedelta(minutes=58) < max(moved) < timedelta(hours=1)


def test_a_method_attached_is_not_one_renewed_by_its_network():
    """B38, F60: it decides who is credited."""
    story = Story().opened(a.HARD)
    story.new_card("evt_m", a.at(hours=1))
    assert story.case().method == "attached"
    story = Story().opened(a.HARD)
    story.tell(MethodChanged(**a.header("evt_m", a.at(hours=1), ""), card=a.VISA, how="automatically_updated"))
    assert story.case().method == "automatically_updated"


def test_charges_that_nobody_answers_are_counted_towards_giving_up():
    """B33, B40."""
    story = Story(a.an_account(a.a_policy(retry=RetryPolicy(max_retries=5, ladder_hours=DEFAULT_LADDER, window_days=60)))).opened()
    for expected in (1, 2):
        while len(story.charges()) < expected:
            story.days(1)
        story.until(story.charges()[-1].not_after + timedelta(hours=1))
        assert story.case().consecutive_noops == expected
        story.tell(a.a_reading(story.reads()[-1].id, story.now))
        story.tell(a.a_settlement(story.charges()[-1].id, story.now, "not_done", why="withdrawn"))


def test_a_bank_that_asks_for_the_customer_while_a_case_is_open_changes_its_way():
    """B17."""
    story = Story().opened()
    story.tell(PaymentActionRequired(**a.header("evt_a", a.at(hours=2)), state=a.a_state()))
    story.days(2)
    assert story.case().status == "action_required"
    assert (len(story.charges()), len(story.mails())) == (0, 1)

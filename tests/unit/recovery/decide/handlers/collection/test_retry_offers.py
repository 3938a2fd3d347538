"""Offered times: taken where every rule allows them, refused with the reason where not; the ladder holds whenever there is none."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from recovery.contracts import facts
from recovery.contracts.customer import RetryOffer
from recovery.contracts.effects import RetryTimesRequested
from recovery.contracts.facts import Card, Decline, RetryTimesOffered, Slot
from recovery.decide.rules.experiment import draw
from recovery.policy import Experiment, RetryPolicy
from tests.support import builders as a
from tests.support.story import Story

ASKING = RetryPolicy(use_models=True)
MINUTES = timedelta(minutes=10)


def an_offer(*hours: float, when: float = 1, id: str = "offer_1", **fields: Any) -> RetryTimesOffered:
    slots = tuple(Slot(at=a.at(hours=hour), probability=0.3) for hour in hours)
    told: dict[str, Any] = {"slots": slots, "source": "model", "model_version": "m7"}
    return RetryTimesOffered(**a.header(id, a.at(hours=when)), **(told | fields))


def asked(story: Story) -> list[RetryTimesRequested]:
    return [effect for effect in story.effects if isinstance(effect, RetryTimesRequested)]


def test_an_offered_time_takes_the_place_of_the_ladders() -> None:
    """F12, B39: the event says which source chose the time."""
    story = Story().opened()
    assert story.last("retry_scheduled").details == {"source": "ladder"}
    story.tell(an_offer(30))
    scheduled = story.last("retry_scheduled")
    assert scheduled.reason == "plan_1"
    assert scheduled.details == {"source": "model", "probability": "0.3", "model_version": "m7", "slot_propensity": "1"}
    assert story.last("retry_times_accepted").details["times"] == "1"
    story.days(2)
    [charge] = story.charges()
    assert (charge.because, charge.attempt) == ("plan_1", 1)
    assert a.at(hours=30) <= charge.occurred_at < a.at(hours=30) + MINUTES


def test_offered_times_on_a_round_hour_are_spread_by_invoice() -> None:
    """B42: a batch of offers for midnight is not a burst at midnight."""
    story = Story()
    for number in range(14):
        story.tell(a.a_failure(f"evt_{number}", a.START, f"in_{number}"))
        story.tell(a.a_reading(story.reads()[-1].id, a.START, invoice=f"in_{number}"))
        story.tell(RetryTimesOffered(**a.header(f"o_{number}", a.START, f"in_{number}"), slots=(Slot(at=a.at(hours=30)),), source="model"))
    assert story.customer is not None
    times = {case.retry_at for case in story.customer.cases.values()}
    assert len(times) > 10
    assert all(time is not None and timedelta() <= time - a.at(hours=30) < MINUTES for time in times)


def test_a_plan_never_adds_attempts_and_the_ladder_follows_when_it_is_spent() -> None:
    """B39, B40: three retries whatever is offered."""
    story = Story().opened()
    story.tell(an_offer(30, 50))
    for _ in range(40):
        story.days(0.25)
        if story.case().pending_effect is not None and story.case().pending_effect.kind == "charge":  # type: ignore[union-attr] # looked at in the line
            story.charge_answered()
    assert [charge.because for charge in story.charges()] == ["plan_1", "plan_2", "ladder_3"]
    assert story.case().status == "dunning"


@pytest.mark.parametrize("hours", [0.5, 24 * 14.1, -3])
def test_times_outside_the_window_are_not_used(hours: float) -> None:
    """B87, product decision 13."""
    story = Story().opened()
    story.tell(an_offer(hours))
    assert story.last("retry_times_refused").reason == "no_usable_time"
    assert story.case().retry_at == a.at(hours=24)


def test_the_first_time_that_no_rule_forbids_is_used() -> None:
    """B29, B31, product decision 10: the network's wait, Stripe's own attempt on both sides."""
    late = Decline(decline_code="insufficient_funds", network_advice_code="25")  # a day, of Mastercard
    story = Story().opened(late, card=a.MASTERCARD, state=a.a_state(next_payment_attempt=a.at(hours=40)))
    story.tell(an_offer(12, 30, 45, 60))
    retry_at = story.case().retry_at
    assert retry_at is not None
    assert a.at(hours=60) <= retry_at < a.at(hours=60) + MINUTES


def test_a_time_at_which_the_cards_budget_is_spent_is_not_used() -> None:
    """B31, B87."""
    made = tuple(a.an_attempt(f"ch_{n}", a.at(days=-29, hours=n)) for n in range(14))
    story = Story()
    story.tell(a.a_failure("evt_other", a.START, "in_other"))
    story.tell(a.a_reading(story.reads()[0].id, a.START, a.HARD, "in_other", attempts=made))
    story.tell(a.a_failure())
    story.tell(a.a_reading(story.reads()[-1].id, a.START))
    story.tell(an_offer(20, 50))  # the fifteenth of thirty days is this failure; the first is forgotten after 24 h
    retry_at = story.case().retry_at
    assert retry_at is not None
    assert a.at(hours=50) <= retry_at < a.at(hours=50) + MINUTES


def test_a_hard_decline_is_not_unblocked_by_an_offer() -> None:
    """B87."""
    story = Story().opened(a.HARD)
    story.tell(an_offer(30))
    assert story.last("retry_times_refused").reason == "not_retrying"
    story.days(20)
    assert not story.charges()


@pytest.mark.parametrize("retry", [RetryPolicy(mode="fixed"), RetryPolicy(ladder_hours=(24, 72, 100))])
def test_fixed_times_stay_fixed(retry: RetryPolicy) -> None:
    """Product decision 1."""
    story = Story(a.an_account(a.a_policy(retry=retry))).opened()
    story.tell(an_offer(30))
    assert (story.last("retry_times_refused").reason, story.case().retry_at) == ("fixed_ladder", a.at(hours=24))


def test_an_accepted_plan_ends_when_the_policy_becomes_fixed() -> None:
    """B58: the case follows the new policy at its next decision."""
    story = Story().opened()
    story.tell(an_offer(30, 40, 50))
    story.account = a.an_account(a.a_policy(retry=RetryPolicy(mode="fixed")))
    story.days(1.5)
    story.charge_answered()
    assert story.case().retry_at == a.at(hours=72)


@pytest.mark.parametrize("late", [{"attempt": 2}, {"request": "somebody-elses"}])
def test_an_offer_for_another_step_or_another_request_is_stale(late: dict[str, Any]) -> None:
    story = Story().opened()
    story.tell(an_offer(30, **late))
    assert (story.last("retry_times_refused").reason, story.case().retry_at) == ("stale_plan", a.at(hours=24))


def test_an_offer_does_not_delay_a_new_card() -> None:
    """B35."""
    story = Story().opened(state=a.a_state(next_payment_attempt=a.at(hours=8)))
    story.new_card("evt_m", a.at(hours=1), a.MASTERCARD)
    story.tell(an_offer(60, when=2))
    assert story.last("retry_times_refused").reason == "not_retrying"
    story.days(1)
    assert [charge.because for charge in story.charges()] == ["new_method"]


def test_an_offer_for_an_ended_or_unknown_case_is_told() -> None:
    story = Story().opened()
    story.tell(a.a_payment(when=a.at(hours=1)))
    story.tell(an_offer(30, when=2))
    assert story.events[-1].reason == "case_ended"
    stranger = Story()
    stranger.tell(an_offer(30))
    assert [(event.event_type, event.reason) for event in stranger.events] == [("fact_had_no_effect", "no_case")]


def test_nobody_is_asked_unless_the_policy_says_so() -> None:
    story = Story().opened()
    story.days(2)
    assert not asked(story)


def test_a_plan_is_asked_for_once_for_each_step_and_nobody_waits_for_it() -> None:
    """Product decision 17: no answer, and the ladder runs."""
    story = Story(a.an_account(a.a_policy(retry=ASKING))).opened()
    [first] = asked(story)
    assert (first.attempt, first.attempts_left, first.latest) == (1, 3, a.at(days=14))
    assert (first.decline_kind, first.decline_code, first.attempts_on_card) == ("soft", "insufficient_funds", 1)
    assert (first.card_brand, first.card_country, first.card_funding) == ("visa", "US", "credit")
    assert story.last("retry_scheduled").details["offer_request"] == first.id
    story.days(1)
    story.charge_answered()
    story.days(2)
    story.charge_answered()
    assert [(charge.attempt, charge.occurred_at) for charge in story.charges()] == [(1, a.at(hours=24)), (2, a.at(hours=72))]
    assert [(request.attempt, request.attempts_left) for request in asked(story)] == [(1, 3), (2, 2), (3, 1)]


def test_a_step_planned_anew_is_not_asked_about_again() -> None:
    """Another attempt of Stripe, and the decline is judged again: the same step, the same question."""
    story = Story(a.an_account(a.a_policy(retry=ASKING))).opened()
    story.tell(a.a_failure("evt_2", a.at(hours=5)))
    story.tell(a.a_reading(story.reads()[-1].id, story.now, Decline(decline_code="processing_error")))
    assert story.types().count("retry_scheduled") == 2
    assert len(asked(story)) == 1


def test_a_card_of_which_nothing_is_known_does_not_stop_the_question() -> None:
    for card in (None, Card(brand="visa")):
        story = Story(a.an_account(a.a_policy(retry=ASKING))).opened(card=card)
        assert [request.attempts_on_card for request in asked(story)] == [0]


@pytest.mark.parametrize("arm", ["holdout", "explore"])
def test_nobody_is_asked_about_customers_of_an_experiment(arm: str) -> None:
    """B77: their times are not the model's to choose."""
    shares = {f"{arm}_share": 0.5}
    salt = next(f"s{n}" for n in range(99) if draw(Experiment(**shares, salt=f"s{n}"), a.ACCOUNT, a.CUSTOMER)[0] == arm)
    story = Story(a.an_account(a.a_policy(retry=ASKING, experiment=Experiment(**shares, salt=salt)))).opened()
    assert not asked(story)
    story.tell(an_offer(30))
    assert story.last("retry_times_refused").reason == ("holdout" if arm == "holdout" else "drawn_by_lot")


def test_no_more_than_twenty_offered_times_are_kept() -> None:
    story = Story().opened()
    story.tell(an_offer(*range(30, 80)))
    offer = story.case().retry_offer
    assert offer is not None
    assert len(offer.slots) == 20


def test_the_answer_to_the_request_is_taken() -> None:
    story = Story(a.an_account(a.a_policy(retry=ASKING))).opened()
    story.tell(an_offer(30, request=asked(story)[0].id))
    assert story.case().reason == "plan_1"


def test_an_exploring_customer_gets_a_time_drawn_evenly_with_its_propensity() -> None:
    """B85: what is chosen by lot says with which probability."""
    policy = a.a_policy(experiment=Experiment(explore_share=1.0, salt="spring"))
    story = Story(a.an_account(policy)).opened()
    scheduled = story.last("retry_scheduled")
    assert (scheduled.reason, scheduled.details["source"], scheduled.details["arm"]) == ("explored_1", "explore", "explore")
    choices = 72  # whole hours from the first, after the failure, to the ladder's second step
    assert scheduled.details["slot_propensity"] == f"{1 / choices:.6g}"
    assert scheduled.next_action_at is not None
    assert a.at(hours=1) <= scheduled.next_action_at <= a.at(hours=72)
    story.tell(an_offer(30))
    assert story.last("retry_times_refused").reason == "drawn_by_lot"


def test_drawn_times_reach_every_hour_and_no_other() -> None:
    policy = a.a_policy(experiment=Experiment(explore_share=1.0, salt="spring"))
    story, hours = Story(a.an_account(policy)), set()
    for number in range(400):
        story = Story(a.an_account(policy))
        story.tell(a.a_failure(f"evt_{number}", a.START, f"in_{number}"))
        story.tell(a.a_reading(story.reads()[-1].id, a.START, invoice=f"in_{number}"))
        retry_at = story.case(f"in_{number}").retry_at
        assert retry_at is not None
        hours.add((retry_at - a.START) / timedelta(hours=1))
    assert hours <= set(range(1, 73))
    assert len(hours) > 65


NEVER = datetime.max.replace(tzinfo=UTC)
"""How some models say that a time is not to be used."""


@pytest.mark.parametrize("hours", [(30, NEVER), (NEVER, 30), (30, NEVER, NEVER), (-5, 30, 24 * 14 + 1)])
def test_of_an_offer_only_the_times_within_the_window_are_kept(hours: tuple[Any, ...]) -> None:
    """B87: a time that no attempt can be made at must not stay in the row, where every later decision meets it."""
    story = Story().opened()
    slots = tuple(Slot(at=hour if isinstance(hour, datetime) else a.at(hours=hour)) for hour in hours)
    story.tell(an_offer(slots=slots))
    offer = story.case().retry_offer
    assert offer is not None
    assert [slot.at for slot in offer.slots] == [a.at(hours=30)]
    story.days(2)
    story.charge_answered()
    assert story.last("retry_scheduled").reason == "ladder_2"


def test_an_offer_of_which_no_time_lies_within_the_window_is_refused() -> None:
    story = Story().opened()
    story.tell(an_offer(slots=(Slot(at=NEVER), Slot(at=a.at(hours=-1)))))
    assert story.last("retry_times_refused").reason == "no_usable_time"
    assert story.case().retry_offer is None


def test_a_far_time_that_an_older_program_had_kept_does_no_harm() -> None:
    story = Story().opened()
    story.tell(an_offer(30))
    row = story.customer
    assert row is not None
    row.cases[a.INVOICE].retry_offer = RetryOffer((Slot(at=a.at(hours=30)), Slot(at=NEVER)), "model")
    story.begin(row, story.now)
    story.days(2)
    story.charge_answered()
    assert story.last("retry_scheduled").reason == "ladder_2"


def test_an_offered_plan_keeps_its_propensity() -> None:
    """B85."""
    story = Story().opened()
    slots = (facts.Slot(at=a.at(days=2)),)
    story.tell(a.a_fact_of(facts.RetryTimesOffered, 1, slots=slots, source="model", propensity=0.25))
    offer = story.case().retry_offer
    assert offer is not None
    assert offer.propensity == 0.25


def test_a_plan_that_comes_while_a_charge_is_under_way_is_refused() -> None:
    """B86."""
    story = Story().opened()
    story.days(1)
    story.tell(a.a_fact_of(facts.RetryTimesOffered, 24.5, slots=(facts.Slot(at=a.at(days=2)),), source="model"))
    assert story.last("retry_times_refused").reason == "not_retrying"

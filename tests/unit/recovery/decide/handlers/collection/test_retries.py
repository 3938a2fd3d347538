"""The ladder, and everything that keeps a retry from being made."""

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from recovery.contracts.customer import CardAttempt
from recovery.contracts.facts import Decline
from recovery.decide.handlers.collection.retries import PATIENCE, proceed
from recovery.decide.rules.classify import classify
from recovery.decide.transition import Transition
from recovery.ids import idempotency_key
from recovery.policy import Budgets, RetryPolicy
from tests.support import builders as a
from tests.support.story import Story


def test_three_retries_at_24_72_and_144_hours_then_the_mails() -> None:
    """F11, B40: three retries are four attempts, and the case is handed over when the third is spent."""
    story = Story().opened()
    for hours in (24, 72, 144):
        story.until(a.at(hours=hours))
        assert story.charges()[-1].occurred_at == a.at(hours=hours)
        story.charge_answered()
    assert [charge.attempt for charge in story.charges()] == [1, 2, 3]
    assert story.case().status == "dunning"
    assert story.last("dunning_scheduled").reason == "retries_exhausted"
    assert story.mails()[0].step == 1


def test_a_request_says_what_it_must_not_collide_with() -> None:
    """B28, B44, B29."""
    story = Story().opened()
    story.days(1)
    charge = story.charges()[0]
    assert (charge.amount_minor, charge.currency, charge.stripe_gap_hours, charge.only_if) == (4900, "eur", 12, "invoice_open")
    assert charge.not_after == charge.occurred_at + timedelta(hours=24)
    assert charge.because == "ladder_1"


def test_a_stolen_card_is_barred_for_the_customers_other_invoices() -> None:
    """B20, B22: sticky per card."""
    story = Story().opened()
    story.tell(a.a_failure("evt_2", a.at(hours=1), "in_2"))
    story.tell(a.a_reading(story.reads()[-1].id, story.now, Decline(decline_code="stolen_card"), "in_2"))
    story.days(2)
    assert not story.charges()
    assert story.last("retry_skipped").reason == "card_barred"


def test_retries_switched_off_go_to_the_mails_at_once() -> None:
    """Product decision 27."""
    story = Story(a.an_account(a.a_policy(retry=RetryPolicy(enabled=False)))).opened()
    assert (story.case().status, story.last("dunning_scheduled").reason) == ("dunning", "retries_disabled")


def test_a_planned_retry_is_not_made_after_the_switch() -> None:
    story = Story().opened()
    story.account = a.an_account(a.a_policy(retry=RetryPolicy(enabled=False)))
    story.days(2)
    assert not story.charges()
    assert (story.last("retry_skipped").reason, story.case().status) == ("disabled", "dunning")


def test_observe_mode_recommends_and_charges_nothing() -> None:
    """Product decision 5."""
    story = Story(a.an_account(a.a_policy("observe"))).opened()
    story.days(40)
    assert story.types().count("retry_recommended") == 3
    assert not story.charges() + story.mails()
    assert {event.reason for event in story.events if event.event_type == "dunning_skipped"} == {"observe_mode"}
    assert story.case().status == "abandoned"
    assert story.case().retry_count == 0


def test_nothing_is_retried_while_stripe_is_about_to() -> None:
    """B29: on both sides of Stripe's own attempt."""
    story = Story().opened(state=a.a_state(next_payment_attempt=a.at(hours=30)))
    story.until(a.at(hours=25))
    skipped = story.last("retry_skipped")
    assert (skipped.reason, skipped.next_action_at) == ("stripe_attempt_near", a.at(hours=42))
    story.until(a.at(hours=42))
    assert [charge.occurred_at for charge in story.charges()] == [a.at(hours=42)]
    assert story.charges()[0].attempt == 1


def test_stripes_schedule_may_arrive_later() -> None:
    """B30: null did not mean exhausted."""
    story = Story().opened()
    story.tell(a.a_change("evt_c", a.at(hours=20), state=a.a_state(next_payment_attempt=a.at(hours=26))))
    assert story.last("case_updated").reason == "invoice_changed"
    story.until(a.at(hours=25))
    assert story.last("retry_skipped").reason == "stripe_attempt_near"


def test_nothing_is_retried_after_the_window() -> None:
    story = Story(a.an_account(a.a_policy(retry=RetryPolicy(window_days=2)))).opened()
    story.days(1)
    story.charge_answered()
    assert (story.case().status, story.case().reason) == ("dunning", "window_over")


@pytest.mark.parametrize("used", [13, 14, 15])
def test_the_cards_budget_counts_all_attempts_of_all_invoices(used: int) -> None:
    """B31: this failure is one of the fifteen."""
    story = Story()
    story.tell(a.a_failure())
    others = tuple(a.an_attempt(f"ch_{n}", a.at(days=-20, hours=n)) for n in range(used - 1))
    story.tell(a.a_failure("evt_other", a.START, "in_other"))
    story.tell(a.a_reading(story.reads()[1].id, story.now, a.HARD, "in_other", attempts=others))
    story.tell(a.a_reading(story.reads()[0].id, story.now))
    story.until(a.at(hours=24))
    assert bool(story.charges()) == (used < 15)


def test_eight_attempts_on_one_invoice_are_enough() -> None:
    story = Story().opened(attempts=tuple(a.an_attempt(f"ch_{n}") for n in range(8)))
    story.days(1)
    assert not story.charges()
    assert (story.last("retry_skipped").reason, story.case().status) == ("invoice_budget", "dunning")
    assert story.last("retry_skipped").details == {"used": "8", "limit": "8"}


def test_a_radar_block_is_no_attempt_on_the_card() -> None:
    """B23."""
    story = Story(a.an_account(a.a_policy(budgets=Budgets(per_invoice=2)))).opened(
        attempts=(a.an_attempt("ch_1"), a.an_attempt("ch_2", reached_network=False))
    )
    story.days(1)
    assert len(story.charges()) == 1


def test_the_networks_wait_counts_from_the_latest_failure() -> None:
    """Product decision 10."""
    story = Story().opened(Decline(decline_code="insufficient_funds", network_advice_code="27"), card=a.MASTERCARD)
    assert story.case().retry_at == a.at(hours=96)


def test_an_unknown_code_has_one_retry_after_72_hours() -> None:
    """B26."""
    unknown = Decline(decline_code="new_word")
    story = Story().opened(unknown)
    story.until(a.at(hours=72))
    story.charge_answered("declined", decline=unknown)
    assert [charge.occurred_at for charge in story.charges()] == [a.at(hours=72)]
    assert story.case().status == "dunning"


def test_late_slots_keep_their_distance() -> None:
    """A week of downtime does not fire three retries at once."""
    story = Story().opened()
    story.now = a.at(days=7)
    for _ in range(3):
        story.until(story.now)
        story.charge_answered()
        story.days(0.6)
    times = [charge.occurred_at for charge in story.charges()]
    assert all(later - earlier >= timedelta(hours=12) for earlier, later in pairwise(times))


def test_the_first_failure_starts_the_ladder_even_when_heard_of_late() -> None:
    story = Story()
    story.tell(a.a_failure(when=a.at(hours=10)))
    story.tell(a.a_reading(story.reads()[0].id, story.now, attempts=(a.an_attempt("ch_0", a.START), a.an_attempt("ch_1", a.at(hours=10)))))
    assert story.case().retry_at == a.at(hours=24)


def test_an_attempt_known_by_its_charge_counts_once() -> None:
    """B2."""
    story = Story().opened()
    story.days(1)
    story.charge_answered()
    charge = story.case().charges[story.charges()[0].id]
    story.tell(a.a_failure("evt_2", a.at(hours=30)))
    story.tell(a.a_reading(story.reads()[-1].id, story.now, attempts=(a.an_attempt("ch_in_1"), a.an_attempt(charge, a.at(hours=24)))))
    assert story.customer is not None
    assert [attempt.charge for attempt in story.customer.attempts] == ["ch_in_1", charge]
    assert all(isinstance(attempt, CardAttempt) for attempt in story.customer.attempts)


def test_an_attempt_of_stripe_moves_the_networks_wait() -> None:
    """Product decision 10: a day after the latest failure, whoever tried."""
    velocity = Decline(decline_code="card_velocity_exceeded")
    story = Story().opened(velocity)
    story.tell(a.a_failure("evt_2", a.at(hours=10)))
    story.tell(a.a_reading(story.reads()[-1].id, story.now, velocity))
    story.until(a.at(hours=30))
    assert story.last("retry_skipped").reason == "advised_wait"
    story.until(a.at(hours=34))
    assert [charge.occurred_at for charge in story.charges()] == [a.at(hours=34)]


def test_a_card_whose_budget_is_not_free_in_time_is_given_up() -> None:
    """B31."""
    story = Story(a.an_account(a.a_policy(budgets=Budgets(per_invoice=99)))).opened(
        attempts=tuple(a.an_attempt(f"ch_{n}", a.at(hours=-n)) for n in range(15))
    )
    story.days(2)
    assert not story.charges()
    assert (story.last("retry_skipped").reason, story.case().status) == ("card_budget", "dunning")


def test_an_older_failure_webhook_moves_the_ladder_to_the_first_failure() -> None:
    """B3."""
    story = Story()
    story.tell(a.a_failure("evt_2", a.at(hours=10)))
    story.tell(a.a_failure("evt_1", a.START))
    story.tell(a.a_reading(story.reads()[0].id, story.now, attempts=(a.an_attempt("ch_2", a.at(hours=10)),)))
    assert story.case().retry_at == a.at(hours=24)


def test_a_look_older_than_a_webhook_is_repeated() -> None:
    """B3."""
    story = Story()
    story.tell(a.a_failure())
    story.tell(a.a_change("evt_c", a.at(hours=3), state=a.a_state(amount=100)))
    story.tell(a.a_reading(story.reads()[0].id, a.at(hours=2)))
    assert (story.case().verdict, story.case().outstanding_minor) == (None, 100)
    assert len(story.reads()) == 2


def test_requests_that_come_to_nothing_end_in_dunning():
    """B40: every case ends."""
    story = Story().opened()
    for _ in range(PATIENCE):
        story.until(story.case().retry_at or story.now)
        story.charge_answered("not_done", why="refused: not today")
    assert (story.case().status, story.case().reason, story.case().consecutive_noops) == ("dunning", "requests_came_to_nothing", PATIENCE)
    assert story.last("dunning_scheduled").reason == "requests_came_to_nothing"


SOFT = classify(a.SOFT, a.VISA)


@pytest.mark.parametrize(("not_done", "reason"), [(PATIENCE - 1, "ladder_1"), (PATIENCE, "requests_came_to_nothing")])
def test_patience_ends_with_the_last_of_its_requests(not_done: int, reason: str) -> None:
    """B40: the mails count from the latest failure."""
    case = a.a_case(verdict=SOFT, consecutive_noops=not_done)
    turn = Transition(a.a_customer(case), a.a_tick(a.at(hours=2)), a.at(hours=2), a.an_account())
    proceed(turn, case)
    assert (case.reason, case.dunning_from) == (reason, a.START if not_done == PATIENCE else None)


def test_an_attempt_starts_the_patience_anew() -> None:
    """B40."""
    story = Story().opened()
    story.days(1)
    story.charge_answered("not_done", why="refused: not today")
    assert story.case().consecutive_noops == 1
    story.days(0.2)
    story.charge_answered()
    assert story.case().consecutive_noops == 0


@pytest.mark.parametrize(
    ("policy", "why"),
    [({"retry": RetryPolicy(enabled=False)}, "retries_disabled"), ({"budgets": Budgets(per_invoice=1)}, "invoice_budget")],
)
def test_a_due_retry_that_is_given_up_says_why_the_mails_begin(policy: dict[str, Any], why: str) -> None:
    """B31, B40: the policy changed after the retry was planned."""
    story = Story().opened()
    story.account = a.an_account(a.a_policy(**policy))
    story.days(1)
    assert (story.last("dunning_scheduled").reason, story.case().reason, story.charges()) == (why, why, [])


def test_a_failure_that_is_not_ours_beside_a_planned_retry_is_looked_at() -> None:
    """B29: Stripe's attempt counts."""
    story = Story().opened()
    reads = len(story.reads())
    story.tell(a.a_failure("evt_stripe", a.at(hours=3), request_key=""))
    assert len(story.reads()) == reads + 1
    charging = Story().opened()
    charging.days(1)
    reads = len(charging.reads())
    charging.tell(a.a_failure("evt_ours", a.at(days=1), request_key=idempotency_key(charging.charges()[0].id)))
    assert len(charging.reads()) == reads

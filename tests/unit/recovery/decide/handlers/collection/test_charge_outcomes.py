"""What became of a charge, and what follows."""

from datetime import timedelta

import pytest

from recovery.contracts.facts import ChargeSettled, Decline, StopRequested
from tests.support import builders as a
from tests.support.story import Story


def test_a_successful_retry_recovers_the_money_once() -> None:
    story = Story().opened()
    story.days(1)
    key = "dunlin-" + story.charges()[0].id
    story.charge_answered("succeeded")
    story.tell(a.a_payment("evt_paid", story.now, request_key=key, request_id="req_1"))
    assert story.last("retry_attempted").result == "succeeded"
    recovered = [event for event in story.events if event.event_type == "payment_recovered"]
    assert [(event.recovered_minor, event.recovered_by) for event in recovered] == [(4900, "our_retry")]
    assert story.events[-1].event_type == "fact_had_no_effect"


def test_the_webhook_may_tell_of_our_success_first() -> None:
    story = Story().opened()
    story.days(1)
    story.tell(a.a_payment("evt_paid", story.now, request_key="dunlin-" + story.charges()[0].id, request_id="req_1"))
    assert story.last("payment_recovered").recovered_by == "our_retry"
    assert not story.withdrawals()
    story.charge_answered("succeeded")
    assert story.types().count("payment_recovered") == 1
    assert story.case().recovered_charge


def test_a_later_hard_code_ends_the_retries() -> None:
    """B19, B22."""
    story = Story().opened()
    story.days(1)
    story.charge_answered("declined", decline=a.HARD)
    assert (story.case().status, story.case().retry_at) == ("dunning", None)


def test_no_answer_means_look_and_never_assume() -> None:
    """B33: the request is taken back and the invoice looked at; the doubtful position is not used a second time."""
    story = Story().opened()
    story.until(a.at(hours=49))
    assert story.withdrawals() == [story.charges()[0].id]
    story.tell(a.a_reading(story.reads()[-1].id, story.now))
    story.days(3)
    assert [charge.attempt for charge in story.charges()] == [1, 2]
    assert story.charges()[0].id != story.charges()[1].id


def test_a_request_that_was_not_carried_out_spends_its_number_and_not_the_position() -> None:
    """B32, B39."""
    story = Story().opened()
    story.days(1)
    story.charge_answered("not_done", why="busy")
    story.days(0.1)
    assert [charge.attempt for charge in story.charges()] == [1, 1]
    assert len({charge.id for charge in story.charges()}) == 2
    assert story.case().retry_count == 0


def test_requests_that_come_to_nothing_end_too() -> None:
    """B40: every case terminates."""
    story = Story().opened()
    for _ in range(5):
        story.days(1)
        story.charge_answered("not_done", why="busy")
    assert (story.case().status, story.last("dunning_scheduled").reason) == ("dunning", "requests_came_to_nothing")


@pytest.mark.parametrize("why", ["already_paid", "voided", "written_off", "cancelled", "paused", "customer_deleted", "disputed"])
def test_a_refused_charge_is_followed_by_a_look(why: str) -> None:
    """B28."""
    story = Story().opened()
    story.days(1)
    story.charge_answered("not_done", why=why)
    assert story.last("retry_skipped").reason == why
    assert len(story.reads()) == 2


def test_a_technical_failure_is_no_decline() -> None:
    """B25."""
    story = Story().opened()
    story.days(1)
    story.charge_answered("declined", decline=Decline(code="lock_timeout"))
    assert (story.last("retry_skipped").reason, story.case().ladder_used) == ("technical", 0)


def test_a_debit_on_its_way_freezes_everything() -> None:
    """B34, B74."""
    story = Story().opened()
    story.days(1)
    story.charge_answered("processing")
    for _ in range(4):
        story.days(1)
        processing = Decline(intent_status="processing", method_type="sepa_debit")
        story.tell(a.a_reading(story.reads()[-1].id, story.now, processing))
    assert len(story.charges()) == 1
    assert not story.mails()
    assert story.case().active
    failed = Decline(code="insufficient_funds", intent_status="requires_payment_method", method_type="sepa_debit")
    story.days(1)
    story.tell(a.a_reading(story.reads()[-1].id, story.now, failed))
    assert story.case().status == "dunning"


def test_the_bank_may_ask_for_the_customer_at_a_retry() -> None:
    story = Story().opened()
    story.days(1)
    story.charge_answered("needs_action")
    assert (story.case().status, story.last("retry_attempted").result) == ("action_required", "needs_action")
    assert story.mails()


def test_money_that_comes_late_from_a_withdrawn_charge_still_counts() -> None:
    """B73."""
    story = Story().opened()
    story.days(1)
    story.tell(a.a_failure("evt_x", story.now, request_key="dunlin-" + story.charges()[0].id))
    story.tell(a.a_change("evt_void", story.now, state=a.a_state("void")))
    story.charge_answered("succeeded")
    assert [event.event_type for event in story.events[-2:]] == ["retry_attempted", "payment_recovered"]
    assert story.case().status == "recovered"


def test_a_debit_is_not_waited_for_without_end() -> None:
    """B34, B40."""
    story = Story().opened()
    story.days(1)
    story.charge_answered("processing")
    for _ in range(16):
        story.days(1)
        processing = Decline(code="payment_failed", intent_status="processing", method_type="sepa_debit")
        story.tell(a.a_reading(story.reads()[-1].id, story.now, processing))
    assert story.case().processing_since is None
    assert story.last("decline_classified").reason == "unknown_code"


def test_our_own_blocked_attempt_is_none_on_the_card() -> None:
    """B23."""
    story = Story().opened()
    story.days(1)
    story.charge_answered("declined", decline=Decline(decline_code="insufficient_funds", network_status="not_sent_to_network"))
    assert story.customer is not None
    assert [attempt.charge for attempt in story.customer.attempts] == ["ch_in_1"]


def test_an_echo_after_the_outcome_asks_for_no_look() -> None:
    story = Story().opened()
    story.days(1)
    story.charge_answered()
    story.tell(a.a_failure("evt_echo", story.now, request_key="dunlin-" + story.charges()[0].id))
    assert len(story.reads()) == 1


def test_a_new_attempt_with_the_same_words_is_classified_anew() -> None:
    story = Story().opened()
    story.days(1)
    story.charge_answered("not_done", why="disputed")
    attempts = (a.an_attempt("ch_in_1"), a.an_attempt("ch_2", a.at(hours=20)))
    story.tell(a.a_reading(story.reads()[-1].id, story.now, attempts=attempts))
    assert story.types().count("decline_classified") == 2


def test_needs_action_is_authentication_whatever_the_code() -> None:
    story = Story().opened()
    story.days(1)
    story.charge_answered("needs_action", decline=a.SOFT)
    assert (story.case().status, story.last("decline_classified").decline_kind) == ("action_required", "needs_auth")


def test_a_charge_refused_for_stripes_attempt_is_planned_after_it() -> None:
    """B29: the sink saw a schedule that we had not heard of."""
    story = Story().opened()
    story.days(1)
    story.charge_answered("not_done", why="stripe_attempt_near", state=a.a_state(next_payment_attempt=a.at(hours=30)))
    assert (story.case().retry_at, story.case().stripe_next) == (a.at(hours=42), a.at(hours=30))


def test_a_charge_that_nobody_awaits_any_more_still_pays_its_case() -> None:
    """B73: the answer of a withdrawn charge."""
    story = Story().opened()
    story.days(1)
    effect = story.charges()[-1].id
    story.tell(StopRequested(**a.header("c1", a.at(days=1, hours=1)), who="ada"))
    settled = ChargeSettled(**a.header("x", a.at(days=1, hours=2)), effect=effect, result="succeeded", card=a.VISA, charge="ch_9")
    story.tell(settled)
    assert (story.case().status, story.last("payment_recovered").recovered_by) == ("recovered", "our_retry")
    assert story.case().ended_at == a.at(days=1, hours=2)
    assert not story.until(story.now + timedelta(days=30))


def test_a_charge_that_was_not_made_is_told_with_its_result() -> None:
    """B23."""
    story = Story().opened()
    story.days(1)
    story.charge_answered("not_done", why="stripe_attempt_near")
    event = story.last("retry_skipped")
    assert (event.reason, event.result, event.effect) == ("stripe_attempt_near", "not_done", story.charges()[0].id)


def test_a_charge_that_paid_more_than_was_known_counts_what_the_invoice_says() -> None:
    story = Story().opened()
    story.days(1)
    story.charge_answered("succeeded", state=a.a_state("paid", amount=5100))
    assert story.last("payment_recovered").recovered_minor == 5100


def test_a_charge_held_back_by_a_pause_is_made_after_it() -> None:
    """B45."""
    story = Story().opened()
    story.days(1)
    story.charge_answered("not_done", why="account_paused")
    planned = story.last("retry_scheduled")
    assert planned.reason == "account_paused"
    assert planned.next_action_at is not None
    assert timedelta(hours=1) <= planned.next_action_at - story.now <= timedelta(hours=2)

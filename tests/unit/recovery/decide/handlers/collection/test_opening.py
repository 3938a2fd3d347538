"""What opens a case, what does not, and what the first look decides."""

from datetime import timedelta
from typing import Any

import pytest

from recovery.contracts.customer import Customer
from recovery.contracts.facts import Decline, PaymentActionRequired
from recovery.decide.advance import advance
from recovery.decide.handlers.collection.invoice_reads import REPEATS
from recovery.decide.transition import Transition
from tests.support import builders as a
from tests.support.story import Story


def test_a_failure_opens_a_case_and_asks_for_one_look() -> None:
    story = Story()
    step = story.tell(a.a_failure())
    assert story.types() == ["payment_failed", "read_requested"]
    opened = step.events[0]
    assert (opened.amount_minor, opened.currency, opened.status, opened.next_action) == (4900, "eur", "retrying", "await_read")
    assert (opened.cause, opened.cause_type, opened.policy_version, opened.sequence) == ("evt_failed", "payment_failed", 1, 1)
    assert story.reads()[0].not_after == a.at(hours=24)


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ({"billing_reason": "subscription_create"}, "first_invoice"),  # B11
        ({"collection_method": "send_invoice"}, "sent_invoice"),  # B12
        ({"amount": 0}, "nothing_owed"),  # B13
        ({"subscription": ""}, "one_off_invoice"),  # B14
    ],
)
def test_some_failures_open_no_case_and_leave_no_row(state: dict[str, Any], why: str) -> None:
    """B11 to B14."""
    story = Story()
    step = story.tell(a.a_failure(state=a.a_state(**state), livemode=True))
    assert step.customer is None
    assert [(event.event_type, event.reason) for event in step.events] == [("failure_ignored", why)]
    assert not step.effects


def test_a_failed_first_invoice_in_test_mode_opens_a_case_marked_test() -> None:
    """Product decision 23: so that the test card of the manual shows up."""
    story = Story()
    story.tell(a.a_failure(state=a.a_state(billing_reason="subscription_create")))
    assert story.last("payment_failed").details["test"] == "true"
    assert story.case().test
    off = Story(a.an_account(a.a_policy(test_first_invoices=False)))
    off.tell(a.a_failure(state=a.a_state(billing_reason="subscription_create")))
    assert off.last("failure_ignored").reason == "first_invoice"
    live = Story(a.an_account(a.a_policy(livemode=True)))
    live.tell(a.a_failure(state=a.a_state(billing_reason="subscription_create")))
    assert live.last("failure_ignored").reason == "first_invoice"


def test_a_failed_trial_conversion_and_a_wanted_one_off_open_a_case() -> None:
    """B11, B14."""
    story = Story(a.an_account(a.a_policy(one_off_invoices=True)))
    story.tell(a.a_failure(state=a.a_state(subscription="", billing_reason="manual")))
    assert story.types()[0] == "payment_failed"


def test_payments_that_never_failed_leave_no_row() -> None:
    story = Story()
    step = story.tell(a.a_payment())
    assert step.customer is None
    assert [(event.event_type, event.reason, event.sequence) for event in step.events] == [("fact_had_no_effect", "no_case", 0)]


def test_a_fact_without_a_row_is_told_with_all_that_is_said_of_it() -> None:
    """As any other event is: it is told in a shorter way, because most facts are of that kind."""
    account, fact = a.an_account(), a.a_payment()
    turn = Transition(Customer(account=fact.account, customer=fact.customer), fact, a.START, account)
    turn.record_unscoped("fact_had_no_effect", "no_case")
    assert advance(None, fact, a.START, account) == (None, [], turn.events)


def test_a_case_opened_after_its_invoice_was_paid_closes_silently() -> None:
    """B4: paid came before failed, and Stripe lists no failed attempt before the payment."""
    story = Story()
    story.tell(a.a_payment(when=a.START))
    story.tell(a.a_failure(when=a.at(hours=1)))
    paid = a.an_attempt(when=a.START, succeeded=True)
    story.tell(a.a_reading(story.reads()[0].id, a.at(hours=1.1), None, state=a.a_state("paid"), attempts=(paid,)))
    assert (story.last("case_closed").reason, story.case().status) == ("never_failed", "closed")
    story.tell(a.a_payment("evt_again", a.at(hours=2)))
    assert "payment_recovered" not in story.types()


def test_a_payment_told_before_its_failure_still_counts_when_it_did_fail() -> None:
    """B4: Stripe lists the failed attempt, so the money was recovered."""
    story = Story()
    story.tell(a.a_payment(when=a.at(hours=2)))
    story.tell(a.a_failure(when=a.START))
    attempts = (a.an_attempt("ch_1", a.START), a.an_attempt("ch_2", a.at(hours=2), succeeded=True))
    story.tell(a.a_reading(story.reads()[0].id, a.at(hours=2.1), None, state=a.a_state("paid"), attempts=attempts))
    recovered = story.last("payment_recovered")
    assert (recovered.recovered_minor, recovered.recovered_by) == (4900, "unknown")


@pytest.mark.parametrize(
    ("reading", "event", "reason"),
    [
        ({"state": a.a_state("void")}, "case_closed", "voided"),
        ({"state": a.a_state("uncollectible")}, "case_closed", "written_off"),
        ({"subscription_status": "canceled"}, "case_closed", "cancelled"),  # B67
        ({"subscription_ending": True, "subscription_status": "past_due"}, "case_closed", "cancelled"),  # B68
        ({"customer_deleted": True}, "case_closed", "customer_deleted"),  # B10
        ({"disputed": True}, "case_closed", "disputed"),  # B72
    ],
)
def test_the_look_may_end_the_case(reading: dict[str, Any], event: str, reason: str) -> None:
    """B10, B16, B67, B68, B72."""
    story = Story().opened(**reading)
    assert story.last(event).reason == reason
    assert not story.case().active
    assert not story.days(60)
    assert not story.charges() + story.mails()


def test_a_draft_waits() -> None:
    """B16."""
    story = Story().opened(state=a.a_state("draft"))
    assert (story.case().reason, story.case().read_at) == ("draft", story.now + timedelta(days=1))


@pytest.mark.parametrize(
    ("decline", "kind", "status", "follows"),
    [
        (a.SOFT, "soft", "retrying", "retry_scheduled"),
        (a.HARD, "hard", "dunning", "dunning_requested"),  # B59
        (a.FRAUD, "fraud", "blocked", "case_blocked"),  # B24
        (a.AUTH, "needs_auth", "action_required", "dunning_requested"),  # B17
    ],
)
def test_each_class_goes_its_way(decline: Decline, kind: str, status: str, follows: str) -> None:
    """B24, B59, product decisions 7 and 8."""
    story = Story().opened(decline)
    classified = story.last("decline_classified")
    assert (classified.decline_kind, story.case().status) == (kind, status)
    assert story.types()[-1] == follows


def test_fraud_is_neither_tried_again_nor_written_about() -> None:
    """B24."""
    story = Story().opened(a.FRAUD)
    story.days(60)
    assert not story.charges() + story.mails()


def test_the_raw_words_and_the_first_code_are_kept() -> None:
    """B19."""
    story = Story().opened(a.SOFT)
    story.days(2)
    story.charge_answered("declined", decline=a.HARD)
    classified = story.last("decline_classified")
    assert classified.details["first_code"] == "insufficient_funds"
    assert (classified.decline_code, classified.details["decline_code"]) == ("expired_card", "expired_card")


def test_authentication_asked_for_opens_an_action_required_case() -> None:
    """B17: told by an event, even where the code says something else."""
    story = Story()
    story.tell(PaymentActionRequired(**a.header("evt_a", a.START), state=a.a_state()))
    assert story.case().status == "action_required"
    story.tell(a.a_reading(story.reads()[0].id, story.now, a.SOFT))
    assert (story.case().status, story.last("decline_classified").decline_kind) == ("action_required", "needs_auth")
    assert story.mails()
    assert not story.charges()


def test_a_look_that_fails_is_asked_for_again_and_then_the_webhook_must_do() -> None:
    """B25, B26: nothing known at all is treated as an unknown code."""
    story = Story()
    story.tell(a.a_failure())
    for _ in range(REPEATS + 1):
        story.tell(a.no_reading(story.reads()[-1].id, story.now))
        story.until(story.now + timedelta(hours=2))
    assert len(story.reads()) == REPEATS + 1
    assert (story.last("decline_classified").reason, story.case().retry_at) == ("unknown_code", a.at(hours=72))


def test_a_webhook_that_named_the_decline_is_enough_where_the_look_fails() -> None:
    story = Story()
    story.tell(a.a_failure(decline=a.HARD))
    for _ in range(REPEATS + 1):
        story.tell(a.no_reading(story.reads()[-1].id, story.now))
        story.until(story.now + timedelta(hours=2))
    assert story.last("decline_classified").decline_code == "expired_card"


def test_a_look_without_any_answer_is_taken_back_and_repeated() -> None:
    story = Story()
    story.tell(a.a_failure())
    story.days(1.2)
    assert story.withdrawals() == [story.reads()[0].id]
    assert len(story.reads()) == 2
    assert story.reads()[0].id != story.reads()[1].id


def test_an_invoice_that_is_gone_ends_its_case() -> None:
    story = Story()
    story.tell(a.a_failure())
    story.tell(a.no_reading(story.reads()[0].id, story.now, "no such invoice", gone=True))
    assert story.last("case_closed").reason == "invoice_gone"


def test_an_older_webhook_does_not_overwrite_newer_state() -> None:
    """B3; a look wins over a webhook of the same second."""
    story = Story().opened()
    read_at = story.now
    story.tell(a.a_change("evt_old", a.at(hours=-1), state=a.a_state(amount=100)))
    story.tell(a.a_change("evt_tie", read_at, state=a.a_state(amount=200)))
    assert story.case().outstanding_minor == 4900
    story.tell(a.a_change("evt_new", a.at(hours=3), state=a.a_state(amount=4000)))
    assert story.case().outstanding_minor == 4000


def test_the_same_fact_again_does_nothing_but_is_told() -> None:
    """B2."""
    story = Story().opened()
    before = story.row
    step = story.tell(a.a_failure())
    assert [event.event_type for event in step.events] == ["duplicate_fact_ignored"]
    assert not step.effects
    assert before is not None
    assert story.case().retry_at == a.at(hours=24)


def test_a_second_failure_joins_the_open_case() -> None:
    """B29: Stripe's attempt moves its schedule and is read for the budgets, the ladder stays."""
    story = Story().opened()
    story.tell(a.a_failure("evt_2", a.at(hours=5), state=a.a_state(attempt_count=2, next_payment_attempt=a.at(days=5))))
    case = story.case()
    assert (case.retry_at, case.stripe_next, case.ladder_used) == (a.at(hours=24), a.at(days=5), 0)
    assert story.last("attempt_failed_again").reason == "other_attempt"
    assert len(story.reads()) == 2


def test_the_echo_of_our_own_attempt_only_confirms() -> None:
    story = Story().opened()
    story.days(1)
    story.tell(a.a_failure("evt_echo", story.now, request_key="dunlin-" + story.charges()[0].id))
    assert story.last("attempt_failed_again").reason == "our_attempt"
    assert len(story.reads()) == 1
    assert story.case().retry_count == 0


def test_a_failure_after_the_end_is_noted() -> None:
    story = Story().opened(state=a.a_state("void"))
    story.tell(a.a_failure("evt_late", a.at(days=1)))
    assert (story.events[-1].event_type, story.events[-1].reason) == ("fact_had_no_effect", "case_ended")


@pytest.mark.parametrize(("hours", "remaining", "status"), [(5, 4900, "recovered"), (6, 4900, "retrying"), (6, 0, "recovered")])
def test_a_recovered_invoice_opens_again_only_for_a_later_failure_with_something_owed(hours: int, remaining: int, status: str) -> None:
    """B72, B3: within the same second the order is not known."""
    story = Story().opened()
    story.tell(a.a_payment("evt_p", a.at(hours=5), request_id="r"))
    story.tell(a.a_failure("evt_again", a.at(hours=hours), state=a.a_state(amount=remaining)))
    assert story.case().status == status

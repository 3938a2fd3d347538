"""Charges that are out count in their card's budget until it is told what became of them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from recovery.contracts.customer import CardAttempt, Case, Verdict
from recovery.contracts.facts import Card, Decline, RetryRequested
from recovery.decide.rules import budgets
from recovery.decide.transition import MARGIN, VALID
from recovery.policy import DEFAULT_LADDER, Budgets, RetryPolicy
from tests.support import builders as a
from tests.support.story import Story

SHORT = Verdict("soft", "insufficient_funds", "insufficient_funds", retry_allowed=True)
LOST = Decline(code="card_declined", decline_code="lost_card", outcome_type="issuer_declined", method_type="card")
DUE = a.at(days=1)


def declined_before(card: Card, count: int, within: timedelta) -> list[CardAttempt]:
    return [CardAttempt(f"ch_{n}", DUE - within * (n + 1) / (count + 2), "", card.fingerprint, card.brand, False) for n in range(count)]


def due_at_once(
    count: int, card: Card | None = a.VISA, attempts: Sequence[CardAttempt] = (), limits: Budgets | None = None, **more: Any
) -> Story:
    """So many invoices of one card whose retry is due."""
    cases = [
        a.a_case(invoice=f"in_{n}", verdict=SHORT, decline=a.SOFT, card=card, retry_at=DUE, reason="ladder_1", failed_at=a.at(hours=n / 60))
        for n in range(count)
    ]
    story = Story(a.an_account(a.a_policy(budgets=limits or Budgets())))
    story.begin(a.a_customer(*cases, attempts=list(attempts), **more), DUE)
    story.tell(a.a_tick(DUE))
    return story


def answer(story: Story, invoice: str, result: str = "declined", minutes: float = 1, **fields: Any) -> None:
    charge = next(charge for charge in reversed(story.charges()) if charge.invoice == invoice)
    story.tell(a.a_settlement(charge.id, story.now + timedelta(minutes=minutes), result, invoice, **fields))


@pytest.mark.parametrize(
    ("card", "limits", "made", "within"),
    [
        (a.VISA, Budgets(), 14, timedelta(days=20)),
        (a.VISA, Budgets(visa_30_days=20), 19, timedelta(days=20)),
        (a.VISA, Budgets(visa_30_days=20), 15, timedelta(days=20)),
        (a.MASTERCARD, Budgets(), 9, timedelta(hours=20)),
        (a.MASTERCARD, Budgets(), 0, timedelta(hours=20)),
        (Card(fingerprint="fp_amex", brand="amex"), Budgets(other_30_days=3), 1, timedelta(days=20)),
    ],
)
def test_invoices_due_at_once_are_charged_no_more_often_than_the_card_has_attempts_left(
    card: Card, limits: Budgets, made: int, within: timedelta
) -> None:
    """B31."""
    story = due_at_once(12, card, declined_before(card, made, within), limits)
    most = min(most for most, window in budgets.windows(card.brand, limits))
    assert len(story.charges()) == most - made
    skipped = [event for event in story.events if event.event_type == "retry_skipped"]
    assert {event.reason for event in skipped} == {"attempts_out"}
    assert {event.details["limit"] for event in skipped} == {str(most)}


def test_the_others_go_on_as_soon_as_the_answer_leaves_room() -> None:
    """A charge that was not made takes nothing from the card."""
    story = due_at_once(3, attempts=declined_before(a.VISA, 14, timedelta(days=20)))
    assert [charge.invoice for charge in story.charges()] == ["in_0"]
    answer(story, "in_0", "not_done", why="stripe_attempt_near")
    assert [charge.invoice for charge in story.charges()] == ["in_0", "in_1"]
    answer(story, "in_1", "succeeded")
    assert [charge.invoice for charge in story.charges()] == ["in_0", "in_1", "in_2"]


def test_the_others_wait_for_the_budget_when_the_answer_takes_the_last_attempt() -> None:
    before = declined_before(a.VISA, 14, timedelta(days=5))
    story = due_at_once(3, attempts=before)
    answer(story, "in_0")
    assert len(story.charges()) == 1
    last = [event.reason for event in story.events if event.invoice == "in_2" and event.event_type == "retry_skipped"][-1]
    assert last == "card_budget"  # beyond the window: it is left to the mails
    assert story.case("in_2").status == "dunning"


def test_a_charge_that_nobody_answers_counts_as_made() -> None:
    """It is in doubt: the card may have been charged."""
    story = due_at_once(2, attempts=declined_before(a.VISA, 14, timedelta(days=20)))
    story.until(DUE + VALID + MARGIN)
    assert len(story.charges()) == 1
    assert story.events[-1].details.get("used") == "15"
    story.until(DUE + timedelta(days=5))
    assert len(story.charges()) == 1


def test_a_charge_on_a_card_that_is_not_known_counts_on_each_card_of_the_customer() -> None:
    """It may be that very card."""
    unknown = CardAttempt("acct_1.in_9.charge.2", DUE - timedelta(hours=1), "in_9", "", "", False)
    for out, charged in (([], 1), ([unknown], 0)):
        story = due_at_once(2, attempts=declined_before(a.VISA, 14, timedelta(days=20)), out=list(out))
        assert len(story.charges()) == charged


def test_the_look_of_a_person_does_not_pass_the_charges_that_are_out() -> None:
    story = due_at_once(2, attempts=declined_before(a.VISA, 14, timedelta(days=20)))
    story.tell(RetryRequested(**a.header("cmd_1", DUE, "in_1"), who="ada"))
    assert (story.last("command_refused").reason, len(story.charges())) == ("attempts_out", 1)


def test_a_card_barred_by_one_answer_is_barred_for_all_invoices_that_wait() -> None:
    """B22: the charges that are out are taken back where that is still possible, and the invoices looked at."""
    story = due_at_once(10, limits=Budgets(visa_30_days=4))
    out = [charge.id for charge in story.charges()]
    assert len(out) == 4
    answer(story, "in_0", decline=LOST)
    assert story.withdrawals() == out[1:]
    assert {read.invoice for read in story.reads()} == {"in_1", "in_2", "in_3"}
    story.until(DUE + timedelta(days=15))
    assert len(story.charges()) == 4
    assert {event.reason for event in story.events if event.invoice == "in_7" and event.event_type == "retry_skipped"} == {
        "attempts_out",
        "card_barred",
    }


def test_a_charge_that_left_before_it_could_be_taken_back_still_counts_once() -> None:
    story = due_at_once(3)
    answer(story, "in_0", decline=LOST)
    answer(story, "in_1", "succeeded")
    assert story.case("in_1").recovered_by == "our_retry"
    answer(story, "in_2", "not_done", why="withdrawn")
    row = story.customer
    assert row is not None
    assert row.out == []
    assert [attempt.invoice for attempt in row.attempts] == ["in_0", "in_1"]


def test_charges_that_are_out_are_forgotten_with_the_attempts() -> None:
    row = a.a_customer(out=[CardAttempt("acct_1.in_1.charge.2", a.START, "in_1", "fp", "visa", False)])
    budgets.forget(row, a.START + budgets.KEEP)
    assert row.out == []
    row = a.a_customer(a.a_case(), out=[CardAttempt("acct_1.in_1.charge.2", a.START, "in_1", "fp", "visa", False)])
    budgets.forget(row, a.at(400))
    assert len(row.out) == 1, "an open invoice's own budget has no end"
    assert budgets.ANSWER == VALID + MARGIN


def as_told_twice(story: Story, invoice: str, when: datetime) -> tuple[int, int, int]:
    case: Case = story.case(invoice)
    attempts = sum(event.event_type == "retry_attempted" and event.invoice == invoice for event in story.events)
    return attempts, case.retry_count, case.ladder_used


@pytest.mark.parametrize("invoices", [5, 70, 300])
def test_outcomes_that_are_told_twice_count_once_however_many_were_told_in_between(invoices: int) -> None:
    """B2: an outcome is recognised by its own effect."""
    story = due_at_once(invoices, limits=Budgets(visa_30_days=20, mastercard_24_hours=10), card=None)
    outcomes = [a.a_settlement(charge.id, DUE, "declined", charge.invoice, card=None) for charge in story.charges()]
    assert len(outcomes) == invoices
    for _ in (1, 2):
        for outcome in outcomes:
            story.tell(outcome)
    assert {as_told_twice(story, f"in_{n}", DUE) for n in range(invoices)} == {(1, 1, 1)}
    assert sum(event.event_type == "duplicate_fact_ignored" for event in story.events) == invoices


@pytest.mark.parametrize("result", ["sent", "skipped", "unknown"])
def test_a_mails_outcome_told_again_much_later_counts_once(result: str) -> None:
    story = Story().opened(a.HARD)
    mail = story.mails()[-1]
    outcome = a.a_mail_outcome(mail.id, story.now, result, "expired" if result == "skipped" else "")
    story.tell(outcome)
    before = story.case()
    for number in range(200):
        story.tell(a.a_change(f"evt_{number}", story.now, "in_other"))
    told = story.tell(outcome).events
    assert [event.event_type for event in told] == ["duplicate_fact_ignored"]
    after = story.case()
    assert (after.mails_sent, after.dunning_step) == (before.mails_sent, before.dunning_step)


def test_an_id_that_is_none_of_the_invoices_requests_is_an_outcome_like_any_other() -> None:
    """Its own id still tells a repeat."""
    story = Story().opened()
    for effect in ("acct_1.in_10.charge.1", "nonsense", "acct_1.in_1.charge.0x1", "acct_1.in_1.a.b.1"):
        first = story.tell(a.a_settlement(effect, story.now, "declined"))
        assert "retry_attempted" in [event.event_type for event in first.events]
        assert [event.event_type for event in story.tell(a.a_settlement(effect, story.now, "declined")).events] == [
            "duplicate_fact_ignored"
        ]
    assert story.case().answered == [1]


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

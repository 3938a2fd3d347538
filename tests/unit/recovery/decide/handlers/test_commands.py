"""What people ask for by hand is done or refused with the reason, and told with who and why."""

from datetime import timedelta
from typing import Any

import pytest

from recovery.contracts import facts
from recovery.contracts.customer import Hold
from recovery.contracts.facts import ExcludeRequested, ResumeRequested, RetryRequested, SnoozeRequested, StopRequested
from recovery.decide.handlers import commands
from recovery.decide.transition import Transition
from recovery.policy import Budgets, Experiment, RetryPolicy
from tests.support import builders as a
from tests.support.story import Story

WHO = {"who": "dana", "why": "on the phone"}


def asked(kind: type[Any], days: float = 1, invoice: str = a.INVOICE, **fields: Any) -> Any:
    return kind(**a.header(f"{kind.__name__}:{days}:{invoice}", a.at(days=days), invoice), **WHO, **fields)


def test_every_command_is_told_with_who_and_why() -> None:
    """B93."""
    story = Story().opened()
    story.tell(asked(SnoozeRequested, 0.1, until=a.at(days=2)))
    taken = story.last("command_accepted")
    assert taken.reason == "snooze_requested"
    assert taken.details == {"command": "snooze_requested", "who": "dana", "why": "on the phone", "until": a.at(days=2).isoformat()}


def test_a_retry_asked_for_is_made_at_once() -> None:
    """F29."""
    story = Story().opened()
    story.tell(asked(RetryRequested, 0.3))
    [charge] = story.charges()
    assert (charge.because, charge.occurred_at, charge.attempt) == ("by_hand", a.at(days=0.3), 1)
    story.charge_answered()
    assert story.case().retry_at == a.at(hours=72)  # it took the first step's place (B39)


def test_a_retry_may_be_asked_for_when_the_ladder_is_spent() -> None:
    """The customer says that there is money on the card now."""
    story = Story().opened()
    for hours in (24, 72, 144):
        story.until(a.at(hours=hours))
        story.charge_answered()
    story.mail_answered()
    story.tell(asked(RetryRequested, 8))
    assert story.charges()[-1].because == "by_hand"
    story.charge_answered()
    assert story.case().status == "dunning"
    story.days(1)
    assert len(story.charges()) == 4


@pytest.mark.parametrize(("decline", "reason"), [(a.HARD, "hard_decline"), (a.AUTH, "authentication_required")])
def test_no_person_turns_a_hard_decline_into_a_retry(decline: Any, reason: str) -> None:
    """B20, B87."""
    story = Story().opened(decline)
    story.tell(asked(RetryRequested))
    assert not story.charges()
    assert story.last("command_refused").reason == reason
    assert story.last("command_refused").details["who"] == "dana"


def test_the_budgets_hold_for_people_too() -> None:
    """B31: and it is told what an attempt would cost."""
    story = Story(a.an_account(a.a_policy(budgets=Budgets(per_invoice=99)))).opened(
        attempts=tuple(a.an_attempt(f"ch_{n}", a.at(hours=-n)) for n in range(15))
    )
    story.tell(asked(RetryRequested, 0.5))
    refused = story.last("command_refused")
    assert (story.charges(), refused.reason) == ([], "card_budget")
    assert (refused.details["used"], refused.details["limit"], refused.details["fee_minor"]) == ("15", "15", "0")


def test_a_retry_asked_for_near_stripes_own_is_refused() -> None:
    """B29."""
    story = Story().opened(state=a.a_state(next_payment_attempt=a.at(hours=14)))
    story.tell(asked(RetryRequested, 0.5))
    assert (story.charges(), story.last("command_refused").reason) == ([], "stripe_attempt_near")


def test_a_closed_case_is_not_retried() -> None:
    story = Story().opened()
    story.tell(a.a_payment(when=a.at(hours=1)))
    story.tell(asked(RetryRequested))
    assert (story.charges(), story.last("command_refused").reason) == ([], "case_ended")


def test_a_second_retry_while_one_is_under_way_is_refused() -> None:
    """Never two charges at once."""
    story = Story().opened()
    story.tell(asked(RetryRequested, 0.3))
    story.tell(asked(RetryRequested, 0.31))
    assert (len(story.charges()), story.last("command_refused").reason) == (1, "attempt_under_way")


def test_a_retry_for_a_customer_without_a_case_is_refused_and_leaves_no_row() -> None:
    story = Story()
    step = story.tell(asked(RetryRequested))
    assert step.customer is None
    assert [(event.event_type, event.reason) for event in step.events] == [("command_refused", "no_open_case")]


@pytest.mark.parametrize(
    ("account", "reason"),
    [
        (a.an_account(a.a_policy("observe")), "observe_mode"),
        (a.an_account(paused=True), "account_paused"),
    ],
)
def test_what_stands_above_a_person_still_stands(account: Any, reason: str) -> None:
    """B45, product decision 5."""
    story = Story().opened()
    story.account = account
    story.tell(asked(RetryRequested, 0.3))
    assert (story.charges(), story.last("command_refused").reason) == ([], reason)


def test_a_held_out_customer_is_not_retried_by_hand_either() -> None:
    """B77: it would spoil what is measured; in Stripe itself it can be done."""
    story = Story(a.an_account(a.a_policy(experiment=Experiment(holdout_share=0.5, salt="s1")))).opened()
    assert story.customer is not None
    customer = story.customer
    if customer.arm != "holdout":
        pytest.fail("choose a salt that draws the customer")
    story.tell(asked(RetryRequested, 0.3))
    assert (story.charges(), story.last("command_refused").reason) == ([], "holdout")


def test_a_stop_ends_everything_and_holds() -> None:
    """B60: a later failure of the same invoice must not restart the sequence."""
    story = Story().opened(a.HARD)
    story.tell(asked(StopRequested, 0.01))
    assert story.last("case_closed").reason == "stopped_by_hand"
    assert story.last("effect_withdrawn").reason == "stopped_by_hand"
    story.tell(a.a_failure("evt_2", a.at(days=1)))
    story.days(300)
    story.tell(a.a_failure("evt_3", story.now))
    story.days(60)
    assert len(story.mails()) == 1
    assert not story.charges()
    assert story.last("failure_ignored").reason == "stopped_by_hand"


def test_another_invoice_is_not_stopped_with_it() -> None:
    story = Story().opened()
    story.tell(asked(StopRequested, 0.01))
    story.tell(a.a_failure("evt_2", a.at(days=1), "in_2"))
    assert story.case("in_2").active


def test_a_stop_before_the_first_failure_holds() -> None:
    story = Story()
    story.tell(asked(StopRequested, 0))
    story.tell(a.a_failure("evt_1", a.at(days=400)))
    assert story.last("failure_ignored").reason == "stopped_by_hand"


def test_money_that_comes_after_a_stop_still_counts() -> None:
    """B73."""
    story = Story().opened()
    story.tell(asked(StopRequested, 0.1))
    story.tell(a.a_payment(when=a.at(days=2)))
    assert story.last("payment_recovered").recovered_minor == 4900


def test_a_stopped_case_can_be_taken_up_again() -> None:
    story = Story().opened()
    story.tell(asked(StopRequested, 0.1))
    story.tell(asked(ResumeRequested, 0.5))
    assert story.case().active
    story.tell(a.a_reading(story.reads()[-1].id, story.now))
    story.days(1)
    assert len(story.charges()) == 1
    assert len({effect.id for effect in story.effects}) == len(story.effects)


def test_a_snooze_puts_everything_off_to_its_end() -> None:
    """B60: it has an end date, and the case goes on behind it."""
    story = Story().opened()
    story.tell(asked(SnoozeRequested, 0.1, until=a.at(days=20)))
    story.until(a.at(days=19.9))
    assert not story.charges() + story.mails()
    assert [event.reason for event in story.events if event.event_type == "retry_skipped"] == ["snoozed"]
    story.days(1)
    [charge] = story.charges()
    assert a.at(days=20) <= charge.occurred_at <= a.at(days=20) + timedelta(hours=1)
    assert charge.because == "ladder_1"
    assert (story.customer.holds if story.customer else None) == {}


@pytest.mark.parametrize("invoice", [a.INVOICE, ""])
def test_what_comes_next_is_shown_behind_the_end_of_a_snooze(invoice: str) -> None:
    """B60: also where the whole customer is left alone; a resumption shows it again as it was."""
    story = Story().opened()
    before = story.last("retry_scheduled").next_action_at
    story.tell(asked(SnoozeRequested, 0.1, invoice, until=a.at(days=20)))
    shown = next(event for event in reversed(story.events) if event.invoice == a.INVOICE)
    assert shown.next_action == "retry"
    assert shown.next_action_at is not None
    assert a.at(days=20) <= shown.next_action_at <= a.at(days=20) + timedelta(hours=1)
    story.tell(asked(ResumeRequested, 0.2, invoice))
    shown = next(event for event in reversed(story.events) if event.invoice == a.INVOICE)
    assert (shown.next_action, shown.next_action_at) == ("retry", before)


def test_an_answer_that_is_awaited_is_shown_during_a_snooze() -> None:
    story = Story().opened(a.HARD)
    story.tell(asked(SnoozeRequested, 0.01, until=a.at(days=20)))
    assert story.last("command_accepted").next_action == "await_message"


def test_retries_switched_off_during_a_snooze_stay_off_behind_it() -> None:
    """Product decision 27."""
    story = Story().opened()
    story.tell(asked(SnoozeRequested, 0.1, until=a.at(days=20)))
    story.days(2)
    story.account = a.an_account(a.a_policy(retry=RetryPolicy(enabled=False)))
    story.days(20)
    assert not story.charges()
    assert story.last("retry_skipped").reason == "disabled"


def test_a_snooze_of_the_customer_does_not_soften_the_stop_of_an_invoice() -> None:
    """B60."""
    story = Story()
    story.tell(asked(StopRequested, 0))
    story.tell(asked(SnoozeRequested, 0.1, "", until=a.at(days=5)))
    story.tell(a.a_failure("evt_1", a.at(days=1)))
    assert story.last("failure_ignored").reason == "stopped_by_hand"


def test_a_snooze_does_not_make_the_last_notice_come_first() -> None:
    story = Story().opened(a.HARD)
    story.mail_answered()
    story.tell(asked(SnoozeRequested, 1, until=a.at(days=30)))
    story.days(29.1)
    assert [mail.step for mail in story.mails()] == [1, 2]


def test_a_charge_under_way_is_taken_back_by_a_snooze_and_looked_after() -> None:
    """B33: whether it was made is found out at the end."""
    story = Story().opened()
    story.days(1)
    story.tell(asked(SnoozeRequested, 1.01, until=a.at(days=3)))
    assert story.withdrawals() == [story.charges()[0].id]
    story.days(2.2)
    assert len(story.reads()) == 2


def test_resuming_a_snooze_goes_on_at_once() -> None:
    story = Story().opened()
    story.tell(asked(SnoozeRequested, 0.1, until=a.at(days=20)))
    story.days(2)
    story.tell(asked(ResumeRequested, 2.2))
    assert len(story.charges()) == 1


def test_a_snooze_into_the_past_is_refused() -> None:
    story = Story().opened()
    story.tell(asked(SnoozeRequested, 1, until=a.at(days=0.5)))
    assert story.last("command_refused").reason == "until_in_the_past"


def test_an_excluded_customer_is_left_alone_until_the_end_date() -> None:
    """B60."""
    story = Story().opened()
    story.tell(asked(ExcludeRequested, 0.1, "", until=a.at(days=30)))
    assert story.last("case_closed").reason == "excluded_by_hand"
    story.tell(a.a_failure("evt_2", a.at(days=10), "in_2"))
    assert story.last("failure_ignored").reason == "excluded_by_hand"
    story.tell(a.a_failure("evt_3", a.at(days=31), "in_3"))
    assert story.case("in_3").active
    assert not story.charges() + story.mails()


def test_an_exclusion_for_ever_outlives_every_case() -> None:
    """Architecture 1: manual stops stay."""
    story = Story().opened()
    story.tell(asked(ExcludeRequested, 0.1, ""))
    story.days(400)
    assert story.customer is not None
    assert (story.customer.cases, story.customer.next_due_at) == ({}, None)
    story.tell(a.a_failure("evt_2", story.now, "in_2"))
    assert story.last("failure_ignored").reason == "excluded_by_hand"


def test_resuming_what_nobody_held_is_refused() -> None:
    story = Story().opened()
    story.tell(asked(ResumeRequested))
    assert story.last("command_refused").reason == "not_held"


def test_a_snooze_does_not_soften_an_exclusion() -> None:
    story = Story().opened()
    story.tell(asked(ExcludeRequested, 0.1, ""))
    story.tell(asked(SnoozeRequested, 0.2, "", until=a.at(days=1)))
    story.tell(a.a_failure("evt_2", a.at(days=3), "in_2"))
    assert story.last("failure_ignored").reason == "excluded_by_hand"


def test_the_same_command_told_twice_is_one() -> None:
    """B2."""
    story = Story().opened()
    story.tell(asked(RetryRequested, 0.3))
    story.charge_answered()
    story.tell(asked(RetryRequested, 0.3))
    assert len(story.charges()) == 1


def test_without_an_invoice_all_open_ones_are_retried_and_ended_ones_are_left_out() -> None:
    story = Story().opened()
    for number in (2, 3):
        story.tell(a.a_failure(f"evt_{number}", a.at(hours=1), f"in_{number}"))
        story.tell(a.a_reading(story.reads()[-1].id, story.now, invoice=f"in_{number}"))
    story.tell(a.a_payment("evt_p", a.at(hours=2), "in_3"))
    story.tell(asked(RetryRequested, 0.2, ""))
    assert sorted(charge.invoice for charge in story.charges()) == ["in_1", "in_2"]
    assert "command_refused" not in story.types()


@pytest.mark.parametrize("kind", [SnoozeRequested, ExcludeRequested])
def test_an_end_that_is_now_is_no_wait(kind: Any) -> None:
    story = Story().opened()
    story.tell(asked(kind, 1, until=a.at(days=1)))
    assert story.last("command_refused").reason == "until_in_the_past"
    assert story.case().active


def test_resuming_a_snooze_brings_its_mail_at_once() -> None:
    story = Story().opened(a.HARD)
    story.mail_answered()
    story.tell(asked(SnoozeRequested, 1, until=a.at(days=20)))
    story.days(3)
    story.tell(asked(ResumeRequested, 5))
    assert [(mail.step, mail.occurred_at) for mail in story.mails()][1:] == [(2, a.at(days=5))]


def test_a_stop_of_one_invoice_is_not_taken_back_with_another() -> None:
    story = Story().opened()
    story.tell(asked(StopRequested, 0.1))
    story.tell(asked(ResumeRequested, 0.2, "in_2"))
    assert story.last("command_refused").reason == "not_held"
    assert not story.case().active


def test_an_exclusion_is_not_taken_back_for_one_invoice() -> None:
    """Whoever excluded the customer meant all of it."""
    story = Story().opened()
    story.tell(asked(ExcludeRequested, 0.1, ""))
    story.tell(asked(ResumeRequested, 0.2))
    assert story.last("command_refused").reason == "excluded_by_hand"
    assert not story.case().active
    story.tell(asked(ResumeRequested, 0.3, ""))
    assert story.case().active


def test_a_paid_case_is_not_opened_again() -> None:
    story = Story().opened()
    story.tell(asked(StopRequested, 0.1))
    story.tell(a.a_payment(when=a.at(days=0.2)))
    story.tell(asked(ResumeRequested, 0.3))
    assert story.case().status == "recovered"


@pytest.mark.parametrize("undecided", ["processing", "subscription_paused"])
def test_a_frozen_case_is_not_retried(undecided: str) -> None:
    """B34, B69."""
    reading: dict[str, Any] = {"decline": a.PROCESSING} if undecided == "processing" else {"subscription_paused": True}
    story = Story().opened(**reading)
    story.tell(asked(RetryRequested, 0.2))
    assert (story.charges(), story.last("command_refused").reason) == ([], undecided)


def test_a_snoozed_case_is_not_retried_by_hand() -> None:
    story = Story().opened()
    story.tell(asked(SnoozeRequested, 0.1, until=a.at(days=2)))
    story.tell(asked(RetryRequested, 0.2))
    assert (story.charges(), story.last("command_refused").reason) == ([], "snoozed")


def two_cases() -> Story:
    story = Story().opened()
    story.tell(a.a_failure("evt_2", a.at(hours=1), "in_2"))
    story.tell(a.a_reading(story.reads()[-1].id, story.now, invoice="in_2"))
    return story


def test_resuming_everything_takes_back_every_stop_snooze_and_exclusion() -> None:
    """B60: one word for all invoices of the customer; each case says so."""
    story = two_cases()
    story.tell(StopRequested(**a.header("c1", a.at(hours=2)), who="ada"))
    story.tell(StopRequested(**a.header("c2", a.at(hours=2), "in_2"), who="ada"))
    story.tell(ResumeRequested(**a.header("c3", a.at(hours=3), ""), who="ada", why="a mistake"))
    assert story.customer is not None
    assert story.customer.holds == {}
    for invoice in ("in_1", "in_2"):
        assert (story.case(invoice).status, story.case(invoice).reason) == ("retrying", "resume_requested")
    told = [(event.invoice, event.reason) for event in story.events if event.event_type in {"command_accepted", "case_updated"}][2:]
    assert told == [("", "resume_requested"), ("in_1", "resume_requested"), ("in_2", "resume_requested")]
    assert story.last("command_accepted").details == {"command": "resume_requested", "who": "ada", "why": "a mistake"}
    assert {read.invoice for read in story.reads()[-2:]} == {"in_1", "in_2"}


def test_resuming_everything_pulls_each_snoozed_case_to_now() -> None:
    story = two_cases()
    story.tell(SnoozeRequested(**a.header("c1", a.at(hours=2), ""), who="ada", until=a.at(days=20)))
    story.days(3)
    story.tell(ResumeRequested(**a.header("c2", a.at(days=4), ""), who="ada"))
    assert [(charge.invoice, charge.occurred_at) for charge in story.charges()] == [("in_1", a.at(days=4)), ("in_2", a.at(days=4))]


def test_resuming_everything_after_an_exclusion_is_told_once_for_the_customer() -> None:
    story = two_cases()
    story.tell(ExcludeRequested(**a.header("c1", a.at(hours=2), ""), who="ada", until=a.at(days=20), why="on holiday"))
    taken = story.last("command_accepted")
    assert (taken.sequence, taken.details) == (
        0,
        {"command": "exclude_requested", "who": "ada", "why": "on holiday", "until": a.at(days=20).isoformat()},
    )
    assert story.last("case_closed").details == {"why": "on holiday"}
    story.tell(ResumeRequested(**a.header("c2", a.at(hours=3), ""), who="ada"))
    assert all(story.case(invoice).active for invoice in ("in_1", "in_2"))


def test_a_refused_command_says_who_asked_and_why() -> None:
    """B93: of a case, of an ended one, and of nobody."""
    said = {"command": "retry_requested", "who": "ada", "why": "please"}
    story = Story().opened()
    story.tell(SnoozeRequested(**a.header("c0", a.at(hours=1)), who="ada", until=a.at(hours=1), why="rest"))
    assert story.last("command_refused").details == {"command": "snooze_requested", "who": "ada", "why": "rest"}
    story.tell(StopRequested(**a.header("c1", a.at(hours=2)), who="ada"))
    story.tell(RetryRequested(**a.header("c2", a.at(hours=3)), who="ada", why="please"))
    assert (story.last("command_refused").reason, story.last("command_refused").details) == ("case_ended", said)


def test_who_leaves_ends_what_a_person_had_stopped_and_nothing_else() -> None:
    """B67: it cannot be resumed any more; a case that was given up keeps its reason."""
    story = Story().opened(a.HARD)
    story.days(60)
    story.tell(a.a_failure("evt_2", story.now, "in_2"))
    story.tell(a.a_fact_of(facts.StopRequested, 24 * 60 + 1, "in_2", who="ada"))
    story.tell(a.a_fact_of(facts.CustomerDeleted, 24 * 60 + 2, ""))
    assert (story.case().reason, story.case("in_2").reason) == ("dunning_exhausted", "customer_deleted")
    assert (story.last("case_updated").invoice, story.last("case_updated").reason) == ("in_2", "customer_deleted")


def test_a_refusal_about_one_invoice_is_told_in_its_story() -> None:
    """B93."""
    story = Story().opened()
    story.tell(a.a_fact_of(facts.SnoozeRequested, 1, who="ada", until=a.START))
    refused = story.last("command_refused")
    assert (refused.invoice, refused.reason) == (a.INVOICE, "until_in_the_past")
    assert refused.sequence > 0


def test_only_the_retry_that_was_asked_for_is_by_hand() -> None:
    """B93: the next one is that of the ladder again."""
    story = Story().opened()
    story.tell(a.a_fact_of(facts.RetryRequested, 2, who="ada"))
    story.charge_answered()
    story.until(a.at(days=4))
    assert [charge.because for charge in story.charges()] == ["by_hand", "ladder_2"]


def test_waits_that_people_asked_for_add_up() -> None:
    """B60: neither uses up the window."""
    story = Story().opened()
    story.tell(a.a_fact_of(facts.SnoozeRequested, 1, who="ada", until=a.at(days=5)))
    story.until(a.at(days=5, hours=2))
    story.charge_answered("not_done", why="refused: not today")
    first = story.case().snoozed_seconds
    story.tell(a.a_fact_of(facts.SnoozeRequested, 24 * 5 + 2.5, who="ada", until=a.at(days=9)))
    story.until(a.at(days=9, hours=2))
    assert first > 0
    assert story.case().snoozed_seconds > first + timedelta(days=3).total_seconds()


@pytest.mark.parametrize(
    ("holds", "kind", "why"),
    [
        ({}, "", ""),
        ({"in_2": Hold("stopped")}, "", ""),
        ({"in_1": Hold("snoozed", a.at(days=2))}, "snoozed", ""),
        ({"in_1": Hold("snoozed", a.at(hours=1))}, "", ""),
        ({"": Hold("snoozed", a.at(days=2)), "in_1": Hold("stopped")}, "stopped", "stopped_by_hand"),
        ({"in_1": Hold("stopped"), "": Hold("snoozed", a.at(days=2))}, "stopped", "stopped_by_hand"),
        ({"in_1": Hold("snoozed", a.at(days=2)), "": Hold("excluded")}, "excluded", "excluded_by_hand"),
        ({"": Hold("excluded", a.at(hours=1))}, "", ""),
    ],
)
def test_the_strongest_wish_that_still_holds_counts(holds: dict[str, Hold], kind: str, why: str) -> None:
    """B60: a snooze softens nothing."""
    row = a.a_customer(holds=holds)
    held = commands.hold_of(row, "in_1", a.at(hours=1))
    assert (held.kind if held is not None else "", commands.forbidden(row, "in_1", a.at(hours=1))) == (kind, why)


@pytest.mark.parametrize(
    ("before", "wished", "after"),
    [
        ({"": Hold("excluded")}, "in_1", {"": "excluded"}),
        ({"in_1": Hold("stopped")}, "in_1", {"in_1": "stopped"}),
        ({"in_2": Hold("stopped")}, "in_1", {"in_2": "stopped", "in_1": "snoozed"}),
        ({"in_1": Hold("snoozed", a.at(days=3))}, "in_1", {"in_1": "snoozed"}),
        ({"in_1": Hold("stopped")}, "", {"in_1": "stopped", "": "snoozed"}),
    ],
)
def test_a_snooze_takes_the_place_of_a_snooze_only(before: dict[str, Hold], wished: str, after: dict[str, str]) -> None:
    """B60."""
    row = a.a_customer(holds=before)
    fact = a.a_fact_of(facts.SnoozeRequested, 1, wished, who="ada", until=a.at(days=9))
    commands.snooze(Transition(row, fact, a.at(hours=1), a.an_account()), fact)
    assert {key: hold.kind for key, hold in row.holds.items()} == after
    assert all(hold.until == a.at(days=9) for hold in row.holds.values() if hold.kind == "snoozed")


def test_what_is_excluded_stays_closed_when_only_its_stop_is_taken_back() -> None:
    """B60."""
    story = Story().opened()
    story.tell(a.a_fact_of(facts.StopRequested, 1, who="ada"))
    story.tell(a.a_fact_of(facts.ExcludeRequested, 2, "", who="ada"))
    story.tell(a.a_fact_of(facts.ResumeRequested, 3, who="ada"))
    assert story.case().status == "closed"
    story.tell(a.a_fact_of(facts.ResumeRequested, 4, "", who="ada"))
    assert story.case().status == "retrying"

"""Rules of a retry beside the ladder: renewal, zones, methods, cards that are never tried again, policies that change on the way."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from recovery.contracts.customer import CardAttempt, Verdict
from recovery.contracts.facts import Card, Decline
from recovery.decide.rules import schedule
from recovery.decide.rules.classify import WITHOUT_CODE, classify
from recovery.decide.rules.schedule import RetryAt, next_slot
from recovery.policy import Budgets, DunningPolicy, RetryPolicy
from tests.support import builders as a
from tests.support.story import Story

SHORT = RetryPolicy(max_retries=3, ladder_hours=(24, 72, 144))


def test_without_funds_nothing_is_retried_past_the_next_renewal() -> None:
    """B46: the renewal's own attempt comes first; the mails begin when no step lies before it."""
    story = Story().opened(state=a.a_state(renews_at=a.at(days=5)))
    for _ in range(40):
        story.days(0.25)
        if story.charges() and story.case().ladder_position > story.case().ladder_used:
            story.charge_answered()
    assert [charge.attempt for charge in story.charges()] == [1, 2]
    begun = next(event for event in story.events if event.event_type == "dunning_scheduled")
    assert (begun.reason, begun.occurred_at.date()) == ("renewal_first", a.at(hours=72).date())


def test_a_retry_put_off_past_the_renewal_is_not_made() -> None:
    """B46."""
    near = a.a_state(renews_at=a.at(hours=30), next_payment_attempt=a.at(hours=26))
    story = Story().opened(state=near)
    story.days(3)
    assert not story.charges()
    assert story.last("retry_skipped").reason == "renewal_first"


@pytest.mark.parametrize(
    ("decline", "renews"),
    [(Decline(decline_code="processing_error"), 5), (a.SOFT, -1)],
)
def test_other_declines_and_a_renewal_that_lies_behind_bound_nothing(decline: Decline, renews: float) -> None:
    """B46 is about money that is not there."""
    story = Story().opened(decline, state=a.a_state(renews_at=a.at(days=renews)))
    for hours in (24, 72, 144):
        story.until(a.at(hours=hours))
        story.charge_answered("declined", decline=decline)
    assert len(story.charges()) == 3


def test_steps_are_hours_that_no_summer_time_and_no_short_month_moves() -> None:
    """B41: the ladder knows no zone; 24 h after 28 February, or over the night of the clock change, are 24 h."""
    for start in (datetime(2026, 2, 28, 23, 30, tzinfo=UTC), datetime(2026, 3, 28, 23, 30, tzinfo=UTC)):
        story = Story()
        story.now = start
        story.tell(a.a_failure(when=start))
        story.tell(a.a_reading(story.reads()[0].id, start, attempts=(a.an_attempt("ch_1", start),)))
        assert story.case().retry_at == start + timedelta(hours=24)


@pytest.mark.parametrize(
    ("zone", "start"),
    [
        ("Europe/Berlin", datetime(2026, 3, 28, 1, 30, tzinfo=UTC)),  # 02:30 is missing on the 29th
        ("Europe/Berlin", datetime(2026, 10, 24, 0, 30, tzinfo=UTC)),  # 02:30 comes twice on the 25th
        ("America/New_York", datetime(2026, 3, 7, 7, 30, tzinfo=UTC)),
        ("America/New_York", datetime(2026, 10, 31, 5, 30, tzinfo=UTC)),
        ("Pacific/Apia", datetime(2011, 12, 29, 12, 0, tzinfo=UTC)),  # a whole day is missing
        ("UTC", datetime(2026, 1, 31, 12, 0, tzinfo=UTC)),  # no 31st in February
    ],
)
def test_every_step_of_the_ladder_exists_once_in_the_payers_zone(zone: str, start: datetime) -> None:
    """B41: a step is a moment, not a clock's reading: it is there in every zone, and once."""
    verdict = msgspec.structs.replace(WITHOUT_CODE, wait_hours=0, cap=0)
    for used, hours in enumerate(a.a_policy().retry.ladder_hours):
        case = a.a_case(failed_at=start, last_failed_at=start, ladder_used=used, verdict=verdict)
        slot = next_slot(case, a.a_customer(case), a.a_policy(), start)
        assert isinstance(slot, RetryAt)
        local = slot.at.astimezone(ZoneInfo(zone))
        assert (slot.at, slot.at.tzinfo, local.astimezone(UTC)) == (start + timedelta(hours=hours), UTC, slot.at)


def test_a_charge_names_no_payment_method() -> None:
    """B43: the invoice's own default is used; no backup card is ever chosen without consent."""
    story = Story().opened()
    story.days(1)
    [charge] = story.charges()
    assert not [name for name in charge.__struct_fields__ if "method" in name or "source" in name]


def test_without_any_model_the_ladder_runs() -> None:
    """B86: a missing model is the ladder, never no retry."""
    story = Story(a.an_account(a.a_policy(retry=RetryPolicy(use_models=True)))).opened()
    story.days(1)
    assert story.charges()[0].because == "ladder_1"


@pytest.mark.parametrize("code", ["04", "07", "12", "14", "15", "41", "43", "46", "57", "R0", "R1", "R3"])
def test_a_card_that_visa_will_never_approve_is_barred_for_all_invoices(code: str) -> None:
    """B22, stripe.md 2.1 category 1: each further attempt is fined."""
    story = Story().opened(Decline(decline_code="insufficient_funds", network_decline_code=code))
    assert story.customer is not None
    assert story.customer.barred == [a.VISA.fingerprint]


@pytest.mark.parametrize("code", ["54", "55", "82", "6P", "N7"])
def test_a_card_whose_data_are_wrong_is_not_barred(code: str) -> None:
    """stripe.md 2.1 category 3: after a correction it may be tried; meanwhile the retry is taken away."""
    story = Story().opened(Decline(decline_code="insufficient_funds", network_decline_code=code))
    assert story.customer is not None
    assert story.customer.barred == []
    assert story.last("decline_classified").reason == "network_stop"


@pytest.mark.parametrize("advice", ["01", "03", "21", "40", "41"])
@pytest.mark.parametrize("code", ["insufficient_funds", "processing_error", "card_velocity_exceeded", "a_new_word"])
def test_mastercards_stop_takes_the_retry_from_every_soft_code(code: str, advice: str) -> None:
    """stripe.md 1.4: category and retry are two things."""
    verdict = classify(Decline(decline_code=code, network_advice_code=advice), a.MASTERCARD)
    assert (verdict.kind, verdict.retry_allowed, verdict.because) == ("soft", False, "network_stop")
    assert classify(Decline(decline_code=code, network_advice_code=advice), a.VISA).retry_allowed


@pytest.mark.parametrize(("advice", "hours"), [("24", 1), ("25", 24), ("26", 48), ("27", 96), ("28", 144), ("29", 192), ("30", 240)])
def test_mastercards_wait_is_a_lower_bound_on_every_soft_code(advice: str, hours: int) -> None:
    """Product decision 10."""
    for code, own in (("insufficient_funds", 0), ("card_velocity_exceeded", 24), ("a_new_word", 72), ("generic_decline", 0)):
        verdict = classify(Decline(decline_code=code, network_advice_code=advice), a.MASTERCARD)
        assert (verdict.kind, verdict.wait_hours) == ("soft", max(hours, own))


@pytest.mark.parametrize("code", ["insufficient_funds", "processing_error", "a_new_word"])
def test_a_sepa_debit_has_one_retry_whatever_the_code(code: str) -> None:
    """Product decision 9: each failed debit costs the merchant a fee."""
    debit = Decline(code=code, method_type="sepa_debit")
    assert classify(debit, None).cap == 1
    story = Story().opened(debit, card=None)
    assert (story.last("decline_classified").details["fee_minor"], story.last("decline_classified").details["fee_currency"]) == (
        "350",
        "eur",
    )
    story.days(3)
    story.charge_answered("declined", decline=debit, card=None)
    story.days(12)
    assert len(story.charges()) == 1


def test_a_return_code_of_ach_that_nobody_told_us_about_is_hard() -> None:
    """stripe.md 1.7; B27."""
    assert classify(Decline(code="odd", network_decline_code="R20", method_type="us_bank_account"), None).kind == "hard"
    assert classify(Decline(code="odd", network_decline_code="R20", method_type="card"), a.VISA).kind == "soft"


@pytest.mark.parametrize("consent", [False, True])
def test_a_returned_ach_debit_is_tried_again_only_with_consent_and_twice_at_most(consent: bool) -> None:
    """B27, stripe.md 1.7."""
    debit = Decline(code="insufficient_funds", network_decline_code="R01", method_type="us_bank_account")
    story = Story(a.an_account(a.a_policy(retry=RetryPolicy(ach_consent=consent)))).opened(debit, card=None)
    for hours in (24, 72, 144):
        story.until(a.at(hours=hours))
        if story.charges() and not story.case().charges.get(story.charges()[-1].id, "none"):
            story.charge_answered("declined", decline=debit, card=None)
    assert len(story.charges()) == (2 if consent else 0)


def test_an_override_of_a_tenant_is_told_and_its_waits_hold() -> None:
    """Product decision 4: the table is data; a stop of the network is not the tenant's to lift."""
    overrides = {"do_not_honor": "soft", "card_velocity_exceeded": "hard"}
    verdict = classify(Decline(decline_code="do_not_honor"), a.VISA, overrides)
    assert (verdict.kind, verdict.because) == ("soft", "override")
    stopped = classify(Decline(decline_code="do_not_honor", advice_code="do_not_try_again"), a.VISA, overrides)
    assert not stopped.retry_allowed
    assert classify(Decline(decline_code="card_velocity_exceeded"), a.VISA, overrides).kind == "hard"
    blocked = classify(Decline(decline_code="do_not_honor", outcome_type="blocked", outcome_reason="highest_risk_level"), a.VISA, overrides)
    assert blocked.kind == "fraud"


def test_a_case_under_way_follows_the_new_policy_and_keeps_its_counters() -> None:
    """B58: what was used stays used, what is planned is looked at under the policy of its day."""
    story = Story().opened()
    story.days(1)
    story.charge_answered()
    story.account = a.an_account(a.a_policy(retry=RetryPolicy(max_retries=1, ladder_hours=(24,))))
    story.days(3)
    assert len(story.charges()) == 1
    assert (story.last("retry_skipped").reason, story.case().ladder_used) == ("retries_exhausted", 1)
    story.account = a.an_account(a.a_policy(retry=RetryPolicy(max_retries=5, ladder_hours=(24, 72, 144, 216, 312))))
    assert story.case().status == "dunning"  # a mail may be out; a longer ladder does not call it back


def test_a_policy_without_mails_ends_the_case_at_its_next_decision() -> None:
    """B58."""
    story = Story().opened()
    story.account = a.an_account(a.a_policy(dunning=DunningPolicy(enabled=False)))
    for hours in (24, 72, 144):
        story.until(a.at(hours=hours))
        story.charge_answered()
    assert (story.case().status, story.case().reason) == ("abandoned", "dunning_disabled")


def test_where_a_budget_decides_the_event_says_what_is_left_and_what_more_would_cost() -> None:
    """B31, F65."""
    made = tuple(a.an_attempt(f"ch_{n}", a.at(hours=-n)) for n in range(21))
    story = Story(a.an_account(a.a_policy(budgets=Budgets(per_invoice=99)))).opened(attempts=made)
    story.days(2)
    told = story.last("retry_skipped")
    assert told.reason == "card_budget"
    assert {name: told.details[name] for name in ("used", "limit", "window_hours", "fee_minor", "fee_currency")} == {
        "used": "21",
        "limit": "15",
        "window_hours": "720",
        "fee_minor": "30",
        "fee_currency": "usd",
    }


def test_a_card_that_cannot_be_counted_is_tried_by_the_invoices_budget_alone() -> None:
    """Product decision 42: budgets count by fingerprint."""
    story = Story().opened(card=Card(brand="visa"))
    story.days(1)
    assert len(story.charges()) == 1


def test_the_old_cards_wait_and_limit_are_not_the_new_cards() -> None:
    """B22, B35: an unknown code allows one retry, after 72 h; a new card is another matter."""
    unknown = Decline(decline_code="a_new_word")
    early = Story().opened(unknown)
    early.new_card("evt_m", a.at(hours=2), a.MASTERCARD)
    assert [charge.because for charge in early.charges()] == ["new_method"]
    late = Story().opened(unknown)
    late.until(a.at(hours=72))
    late.charge_answered("declined", decline=unknown)
    late.mail_answered()
    late.new_card("evt_m", a.at(hours=90), a.MASTERCARD)
    assert [charge.because for charge in late.charges()] == ["ladder_1", "new_method"]


def test_a_step_at_the_very_end_of_the_window_is_still_made() -> None:
    story = Story(a.an_account(a.a_policy(retry=RetryPolicy(window_days=6)))).opened()
    for hours in (24, 72, 144):
        story.until(a.at(hours=hours))
        story.charge_answered()
    assert len(story.charges()) == 3


def test_invoices_that_fall_due_together_are_spread_over_the_hour_and_no_further():
    """B42."""
    cases = [a.a_case(invoice=f"in_{number}") for number in range(400)]
    moved = [schedule.spread(case, a.START) - a.START for case in cases]
    assert timedelta() <= min(moved) < timedelta(minutes=2)
    assert timedelta(minutes=58) < max(moved) < timedelta(hours=1)


SOFT = classify(a.SOFT, a.VISA)


def test_late_positions_of_the_ladder_keep_their_own_distance() -> None:
    """F11."""
    policy = a.a_policy(retry=RetryPolicy(ladder_hours=(24, 30)))
    case = a.a_case(ladder_used=1, last_attempt_at=a.at(hours=40), verdict=SOFT)
    plan = schedule.next_slot(case, a.a_customer(case), policy, a.at(hours=40))
    assert plan == schedule.RetryAt(a.at(hours=46), "ladder_2", "custom_hours")


def test_a_new_method_may_wait_for_its_budget_as_long_as_the_window_is() -> None:
    """B31, B35."""
    case = a.a_case(verdict=SOFT, card=a.VISA, retry_with_new_method=True)
    row = a.a_customer(case, attempts=[CardAttempt("ch_1", a.at(days=-20), "in_9", "fp_visa", "visa", succeeded=False)])
    answer = schedule.may_charge(case, row, a.a_policy(budgets=Budgets(visa_30_days=1)), a.START)
    assert isinstance(answer, schedule.WaitUntil)
    assert (answer.until, answer.because) == (a.at(days=10), "card_budget")


def test_there_are_no_more_retries_than_the_ladder_has_hours() -> None:
    """F11."""
    assert schedule.most_retries(a.a_case(), a.a_policy(retry=RetryPolicy(max_retries=3, ladder_hours=(24,)))) == 1


@pytest.mark.parametrize(("hours", "bounds"), [(-1, False), (0, False), (1, True)])
def test_only_a_renewal_after_the_failure_bounds_the_retries(hours: float, bounds: bool) -> None:
    """B46."""
    case = a.a_case(verdict=classify(a.SOFT, a.VISA), renews_at=a.at(hours=hours))
    assert (schedule.renewal(case) is not None) is bounds


def test_each_appointment_of_a_retry_says_why_it_was_chosen() -> None:
    """B39."""
    story = Story().opened()
    assert story.last("retry_scheduled").reason == "ladder_1"


def test_stripes_next_attempt_counts_only_while_stripe_collects() -> None:
    """B29."""
    story = Story().opened()
    story.days(1)
    state = a.a_state(auto_advance=False, next_payment_attempt=a.at(days=1, hours=3))
    story.charge_answered("not_done", why="refused: not today", state=state)
    assert story.case().stripe_next is None


def test_a_ladder_holds_for_a_case_of_which_nothing_is_known_yet() -> None:
    """F11."""
    plan = schedule.next_slot(a.a_case(), a.a_customer(), a.a_policy(), a.START)
    assert plan == schedule.RetryAt(a.at(hours=24), "ladder_1")


@pytest.mark.parametrize(
    ("fields", "earliest"),
    [
        ({}, a.at(hours=2)),
        ({"last_failed_at": a.at(hours=3)}, a.at(hours=4)),
        ({"verdict": Verdict("soft", wait_hours=5)}, a.at(hours=5)),
        ({"last_attempt_at": a.at(hours=1)}, a.at(hours=13)),
        ({"last_attempt_at": a.at(hours=-20)}, a.at(hours=2)),
    ],
)
def test_no_offered_time_is_nearer_than_the_longest_wait(fields: dict[str, Any], earliest: Any) -> None:
    """B87."""
    case = a.a_case(**fields)
    assert schedule.bounds(case, a.a_policy(), a.at(hours=2))[0] == earliest

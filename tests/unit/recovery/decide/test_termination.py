"""A decision always ends: after any jump of time, and when a rule of ours should turn in a circle."""

from datetime import timedelta

import msgspec
import pytest

from recovery.contracts.customer import Case, Verdict
from recovery.contracts.effects import ChargeRequested, MessageRequested, ReadRequested
from recovery.contracts.facts import Card, Decline, SubscriptionChanged
from recovery.decide import timers
from recovery.decide.advance import advance
from recovery.decide.handlers.messages import dunning
from recovery.decide.termination import DecisionDoesNotEnd, Rounds, most_events
from recovery.decide.transition import Transition
from tests.support import builders as a
from tests.support.story import Story

EXPIRED = Verdict("hard", "expired_card", "expired_card")


def written_to(invoice: str, day: float, **fields: object) -> Case:
    """A case whose three mails are all sent."""
    told = {"status": "dunning", "verdict": EXPIRED, "dunning_step": 3, "mails_sent": 3, "decline": a.HARD, "card": a.VISA}
    times = dict.fromkeys(("failed_at", "last_failed_at", "opened_at", "dunning_from", "state_observed_at"), a.at(day))
    return a.a_case(invoice=invoice, reason="expired_card", **(told | times | fields))


def waiting_behind_another(story: Story) -> None:
    """The older invoice waits for the younger one's charge: it was being looked at when the new card came."""
    older = written_to("in_old", 0, dunning_at=a.at(14, 4), subscription="sub_old")
    story.begin(a.a_customer(older, written_to("in_young", 1, dunning_at=a.at(20), subscription="sub_young")), a.at(13))
    for name, day, paused in (("evt_pause", 13, True), ("evt_resume", 14, False)):
        told = {"subscription": "sub_old", "status": "past_due", "paused": paused}
        story.tell(SubscriptionChanged(**a.header(name, a.at(day), ""), **told))
    look = story.reads()[-1]
    card = Card(fingerprint="fp_new", brand="visa", method="pm_new")
    story.new_card("evt_card", a.at(14, 0.01), card)
    assert [charge.invoice for charge in story.charges()] == ["in_young"]
    story.tell(a.a_reading(look.id, a.at(14, 0.02), a.HARD, "in_old"))
    assert story.case("in_old").queued


@pytest.mark.parametrize("off", [1, 1.1, 1.5, 2, 3, 10, 400])
def test_a_charge_that_was_never_answered_holds_up_no_other_invoice_however_long_nobody_looked(off: float) -> None:
    story = Story()
    waiting_behind_another(story)
    story.now = a.at(14 + off)
    before = len(story.events)
    story.tell(a.a_tick(story.now))
    assert len(story.events) - before < 20
    wake = story.customer.next_due_at if story.customer is not None else None
    assert wake is None or wake > story.now
    story.until(a.at(14 + off + 60))
    assert story.customer is not None
    assert not any(case.active for case in story.customer.cases.values())


def test_the_charge_that_nobody_answered_is_taken_back_before_the_one_that_waited_is_made() -> None:
    story = Story()
    waiting_behind_another(story)
    story.now = a.at(16)
    happened = [(event.event_type, event.invoice) for event in story.tell(a.a_tick(story.now)).events]
    assert happened.index(("effect_withdrawn", "in_young")) < happened.index(("retry_requested", "in_old"))


def test_the_end_of_a_dunning_is_never_put_off_to_a_moment_that_is_past() -> None:
    """Whatever moment a retry had been planned for."""
    case = written_to("in_1", 0, retry_at=a.at(14), dunning_at=a.at(13), retry_with_new_method=True)
    turn = Transition(a.a_customer(case), a.a_tick(a.at(30)), a.at(30), a.an_account())
    dunning.due(turn, case)
    assert turn.events[-1].reason == "retry_pending"
    assert case.dunning_at == a.at(30, 1)


def test_a_loop_without_progress_is_an_error_and_one_with_progress_is_not() -> None:
    rounds = Rounds("The counting of something")
    for measure in (0, 1, 5):
        rounds.next_round(measure)
    with pytest.raises(DecisionDoesNotEnd, match="The counting of something came round again without progress"):
        rounds.next_round(5)


def test_a_decision_with_more_events_than_any_way_through_the_rules_is_an_error() -> None:
    case = a.a_case()
    turn = Transition(a.a_customer(case), a.a_tick(a.at(1)), a.at(1), a.an_account())
    for _ in range(most_events(2)):
        turn.record("case_updated", case, "invoice_changed")
    with pytest.raises(DecisionDoesNotEnd, match="cus_1 has more than"):
        turn.record("case_updated", case, "invoice_changed")


@pytest.mark.parametrize("slept", [timedelta(days=1), timedelta(days=30), timedelta(days=3000)])
def test_many_invoices_slept_through_their_whole_dunning_stay_far_below_the_bound(slept: timedelta) -> None:
    cases = [written_to(f"in_{n}", n / 24, dunning_step=0, dunning_at=a.at(n / 24)) for n in range(40)]
    turn = Transition(a.a_customer(*cases), a.a_tick(a.at(2) + slept), a.at(2) + slept, a.an_account())
    timers.run_due(turn)
    assert len(turn.events) * 3 < most_events(len(cases))


def lives_on(story: Story, days: float, why: str = "account_paused", **read: object) -> None:
    """So many days in which each request is answered within the hour: reads as told, all else with the reason why it was not done."""
    until, answered = story.now + timedelta(days=days), len(story.effects)
    while story.now < until and story.row is not None:
        for effect in story.effects[answered:]:
            answered += 1
            if isinstance(effect, ReadRequested):
                story.tell(a.a_reading(effect.id, story.now, **read))  # type: ignore[arg-type] # as told
            elif isinstance(effect, ChargeRequested):
                story.tell(a.a_settlement(effect.id, story.now, "not_done", why=why))
            elif isinstance(effect, MessageRequested):
                story.tell(a.a_mail_outcome(effect.id, story.now, "skipped", why))
        if answered == len(story.effects):
            story.until(min(until, story.now + timedelta(hours=1)))


@pytest.mark.parametrize("decline", [a.SOFT, a.HARD])
@pytest.mark.parametrize("why", ["account_paused", "already_paid", "processing", "withdrawn", "stripe_attempt_near", "expired"])
def test_a_case_whose_requests_are_refused_for_ever_ends_all_the_same(decline: Decline, why: str) -> None:
    """B40: the same reason again and again, though what is known here says nothing of it."""
    story = Story().opened(decline)
    lives_on(story, 60, why, decline=decline)
    assert story.case().ended_at is not None
    assert len(story.effects) < 600


@pytest.mark.parametrize("fresh", [False, True])
def test_a_pause_that_only_the_answers_tell_of_is_waited_for_for_some_days(fresh: bool) -> None:
    story = Story().opened()
    if fresh:
        story.new_card("evt_m", a.at(hours=1))
    lives_on(story, 5)
    assert story.case().active
    lives_on(story, 60)
    assert not story.case().active


def test_a_draft_is_looked_at_for_half_a_year_and_no_longer() -> None:
    story = Story()
    story.tell(a.a_failure())
    story.tell(a.a_reading(story.reads()[-1].id, story.now, state=a.a_state("draft")))
    lives_on(story, 170, state=a.a_state("draft"))
    assert (story.case().active, story.case().reason) == (True, "draft")
    lives_on(story, 20, state=a.a_state("draft"))
    assert (story.case().status, story.case().reason) == ("closed", "draft")


def test_looks_that_are_older_than_what_was_told_are_not_repeated_at_once_for_ever() -> None:
    """A webhook bears a time that is yet to come: the looks until then seem old, and each must not lead at once to the next."""
    story = Story()
    story.tell(a.a_failure())
    ahead = msgspec.structs.replace(a.a_change("evt_c", a.at(hours=20)), received_at=a.START)
    step = advance(story.customer, ahead, a.START, story.account)
    assert step.customer is not None
    story.begin(step.customer, a.START)
    looks = 0
    while story.case().verdict is None and looks < 50:
        story.tell(a.a_reading(story.reads()[-1].id, story.now + timedelta(seconds=1)))
        looks += 1
        story.until(story.now + timedelta(hours=3))
    assert looks <= 4
    assert story.last("retry_scheduled").reason == "ladder_1"

"""Rare lives and rare words, each with its row: what mutation testing had found beside the whole lives."""

from datetime import timedelta
from typing import Any

import pytest

from recovery.contracts import facts
from recovery.contracts.customer import Consent, ContactState
from recovery.contracts.facts import Decline
from recovery.decide.handlers.collection.case_closing import part_paid
from recovery.decide.handlers.policy_shadow import decided
from recovery.decide.rules import attribution, classify, contactability, schedule
from recovery.decide.transition import Transition
from recovery.policy import DunningPolicy, EndPolicy, SmsPolicy
from tests.support import builders as a
from tests.support.story import Story
from tests.support.transcript import failure, look, opened, told


def details(story: Story, event_type: str) -> tuple[str, dict[str, str]]:
    return story.last(event_type).reason, story.last(event_type).details


@pytest.mark.parametrize(
    ("refunds", "went_back"), [((1000, 2000, 2000, 3000), [1000, 1000, 1000]), ((4900, 4900), [4900]), ((9900,), [4900])]
)
def test_what_goes_back_in_parts_is_told_part_by_part(refunds: tuple[int, ...], went_back: list[int]) -> None:
    """F67, B72: Stripe tells the sum so far."""
    story = Story().opened()
    story.tell(a.a_payment("evt_p", a.at(hours=1)))
    for number, total in enumerate(refunds):
        story.tell(told(facts.ChargeRefunded, a.at(hours=2 + number), charge="ch_1", amount_refunded=total, currency="eur"))
    assert [event.recovered_minor for event in story.events if event.event_type == "recovery_reversed"] == went_back


def test_a_refund_of_a_charge_that_was_read_is_a_refund() -> None:
    """F67."""
    story = Story().opened()
    story.tell(a.a_payment("evt_p", a.at(hours=1)))
    read = told(facts.ChargeRead, a.at(hours=2), effect="e.read.1", charge="ch_1", amount_minor=4900, currency="eur", amount_refunded=4900)
    story.tell(read)
    assert (story.last("recovery_reversed").reason, story.last("recovery_reversed").result) == ("refund", "refund")


@pytest.mark.parametrize(("attempts", "kind", "code"), [((a.an_attempt(),), "soft", ""), ((), "hard", "no_payment_method")])
def test_a_failure_without_words_depends_on_whether_anything_was_tried(attempts: tuple[Any, ...], kind: str, code: str) -> None:
    """B25, stripe.md 1.2 step 1."""
    story = Story().opened(None, attempts=attempts)
    assert (story.last("decline_classified").decline_kind, story.last("decline_classified").decline_code) == (kind, code)


@pytest.mark.parametrize(
    ("card", "advice", "kind"),
    [(a.MASTERCARD, "24", "soft"), (a.MASTERCARD, "", "hard"), (a.VISA, "24", "hard"), (None, "24", "hard")],
)
def test_mastercards_advice_makes_a_vague_decline_temporary_and_nobody_elses(card: facts.Card | None, advice: str, kind: str) -> None:
    """B22, stripe.md 1.4."""
    assert classify.classify(Decline(decline_code="generic_decline", network_advice_code=advice), card).kind == kind


def test_a_payment_that_radar_thinks_hopeless_is_told_as_such() -> None:
    """B24, stripe.md 1.3."""
    verdict = classify.classify(Decline(outcome_type="blocked", outcome_reason="low_probability_of_authorization"), a.VISA)
    assert (verdict.kind, verdict.code, verdict.because) == ("hard", *["low_probability_of_authorization"] * 2)


def test_an_attempt_starts_the_patience_anew() -> None:
    """B40."""
    story = Story().opened()
    story.days(1)
    story.charge_answered("not_done", why="refused: not today")
    assert story.case().consecutive_noops == 1
    story.days(0.2)
    story.charge_answered()
    assert story.case().consecutive_noops == 0


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


@pytest.mark.parametrize(("hours", "agreed"), [(-1, True), (0, False), (1, False)])
def test_of_a_consent_and_a_withdrawal_of_one_moment_the_withdrawal_holds(hours: float, agreed: bool) -> None:
    """B53: whatever comes first."""
    known = ContactState(consent={"sms": Consent(a.START, "form")})
    contactability.withdraw(known, "sms", a.at(hours=hours))
    assert ("sms" in known.consent) is agreed
    later = ContactState(withdrawn={"sms": a.at(hours=hours)})
    assert contactability.agree(later, "sms", a.START, Consent(a.START, "form")) is agreed


@pytest.mark.parametrize(("hours", "bounds"), [(-1, False), (0, False), (1, True)])
def test_only_a_renewal_after_the_failure_bounds_the_retries(hours: float, bounds: bool) -> None:
    """B46."""
    case = a.a_case(verdict=classify.classify(a.SOFT, a.VISA), renews_at=a.at(hours=hours))
    assert (schedule.renewal(case) is not None) is bounds


@pytest.mark.parametrize(("looked", "why"), [(True, "account_paused"), (False, "final_read_failed")])
def test_an_end_action_that_is_not_asked_for_says_why(looked: bool, why: str) -> None:
    """B73, B45: the account was paused, or nobody answered the last look."""
    ends = EndPolicy(action="cancel")
    story = opened(Story(a.an_account(a.a_policy(end=ends))), a.HARD)
    while story.case().final_read_at is None:
        story.days(1)
    if looked:
        story.account = a.an_account(a.a_policy(end=ends, dunning=DunningPolicy(enabled=False)), paused=True)
        look(story, a.HARD)
    story.days(5)
    assert details(story, "end_action_skipped") == (why, {"action": "cancel"})


def test_what_a_turn_decided_is_said_in_a_line() -> None:
    """F66."""
    case = a.a_case(reason="ladder_1", read_at=a.at(1), retry_at=a.at(2), dunning_at=a.at(3))
    turn = Transition(a.a_customer(case), a.a_tick(a.START), a.START, a.an_account())
    turn.request_charge(case, "ladder_1")
    turn.request_message(case, 1, "ladder_1")
    turn.withdraw(case, "voided")
    turn.request_read(case)
    times = "; ".join(f"{what} at {a.at(day).isoformat()}" for what, day in (("look", 1), ("retry", 2), ("mail", 3)))
    asked = "charge now (ladder_1); write now (payment_failed_1); withdraw what is under way; read now"
    assert decided(turn, case) == f"{asked}; {times}; retrying: ladder_1"
    case.status, case.reason, case.ended_at = "closed", "voided", a.START
    assert decided(turn, case) == f"{asked}; closed: voided"
    assert decided(turn, None) == "no case"


def test_an_invoice_that_is_a_draft_is_looked_at_again_a_day_later() -> None:
    story = Story()
    story.tell(failure())
    look(story, state=a.a_state("draft"))
    assert (details(story, "case_updated"), story.case().read_at) == (("draft", {}), story.now + timedelta(days=1))


def test_a_look_at_a_payment_shows_who_made_it() -> None:
    """F60."""
    case = a.a_case(charges={"e.1": "ch_ours"})
    state = a.a_state("paid")
    for charge, credit in (
        ("ch_ours", attribution.Credit("our_retry", {"evidence": "charge", "charge": "ch_ours", "charge_effect": "e.1"})),
        ("ch_else", attribution.Credit("unknown", {"evidence": "read", "charge": "ch_else"})),
    ):
        seen = a.a_reading("e.read", a.START, None, state=state, attempts=(a.an_attempt(charge, succeeded=True),))
        assert attribution.from_read(case, seen) == credit
    assert attribution.from_read(case, a.a_reading("e.read", a.START, None, state=state, attempts=())) == attribution.Credit(
        "unknown", {"evidence": "read"}
    )
    outside = a.a_reading("e.read", a.START, None, state=a.a_state("paid", paid_out_of_band=True))
    assert attribution.from_read(case, outside) == attribution.Credit("external", {"evidence": "out_of_band"})


def test_each_mail_that_was_sent_is_counted() -> None:
    """B48, B54."""
    story = opened(Story(), a.HARD)
    story.mail_answered()
    assert (story.case().mails_sent, story.case().last_mail) == (1, story.mails()[-1].id)
    story.until(a.at(days=3, hours=1))
    story.mail_answered()
    assert (story.case().mails_sent, story.case().last_mail) == (2, story.mails()[-1].id)


@pytest.mark.parametrize(("medium", "waits"), [("sms", False), ("email", True)])
def test_a_text_that_waits_for_the_day_goes_with_its_consent(medium: str, waits: bool) -> None:
    """B52, B53."""
    story = Story(a.an_account(a.a_policy(sms=SmsPolicy(enabled=True))))
    story.tell(told(facts.ConsentGiven, a.START, "", proof="form", zone="Pacific/Honolulu", medium="sms"))
    opened(story, a.HARD)
    story.mail_answered()
    assert story.case().sms_at is not None
    story.tell(told(facts.ConsentWithdrawn, a.at(hours=1), "", medium=medium))
    assert (story.case().sms_at is not None) is waits


def test_a_mail_taken_back_for_a_complaint_says_so() -> None:
    """B53."""
    story = opened(Story(), a.HARD)
    story.tell(told(facts.MessageComplained, a.at(hours=1), "", message="<m>"))
    assert details(story, "effect_withdrawn") == ("suppressed", {"kind": "message"})
    assert (story.case().status, story.case().reason) == ("abandoned", "complained")

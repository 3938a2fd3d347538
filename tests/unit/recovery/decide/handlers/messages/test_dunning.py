"""The three mails: when, to whom not, and what ends them."""

from datetime import UTC, datetime, timedelta

import pytest

from recovery.contracts import facts
from recovery.contracts.facts import ConsentGiven, Decline
from recovery.decide.advance import advance
from recovery.decide.rules import contactability
from recovery.policy import DunningPolicy, EndPolicy, SmsPolicy
from tests.support import builders as a
from tests.support.story import Story, fields_of, texted
from tests.support.transcript import opened


def test_mails_at_0_3_and_7_days_then_the_case_is_abandoned() -> None:
    """F13, product decisions 2 and 20: for a hard decline the clock starts with the failure."""
    story = Story().opened(a.HARD)
    story.mail_answered()
    for days in (3, 7):
        story.until(a.at(days=days))
        assert story.mails()[-1].occurred_at == a.at(days=days)
        story.mail_answered()
    story.until(a.at(days=13.9))
    assert story.case().status == "dunning"
    story.until(a.at(days=14))
    assert [mail.template for mail in story.mails()] == ["payment_failed_1", "payment_failed_2", "payment_failed_3"]
    assert [event.dunning_step for event in story.events if event.event_type == "dunning_sent"] == [1, 2, 3]
    assert (story.case().status, story.last("case_abandoned").reason) == ("abandoned", "dunning_exhausted")


def test_a_payment_after_the_end_still_counts_once() -> None:
    """B73."""
    story = Story().opened(a.HARD)
    story.days(40)
    assert story.case().status == "abandoned"
    story.tell(a.a_payment("evt_late", a.at(days=50), request_id="req_1"))
    story.tell(a.a_payment("evt_later", a.at(days=51), request_id="req_2"))
    assert story.types().count("payment_recovered") == 1
    assert (story.case().status, story.last("payment_recovered").recovered_minor) == ("recovered", 4900)


def test_the_mail_says_only_what_the_customer_may_know() -> None:
    """B51: nobody is told that a card counts as stolen."""
    told = Story().opened(a.HARD).mails()[0]
    untold = Story().opened(Decline(decline_code="stolen_card")).mails()[0]
    assert (told.decline_kind, told.decline_reason, told.amount_minor) == ("hard", "expired_card", 4900)
    assert untold.decline_reason == "generic"


@pytest.mark.parametrize("code", ["revocation_of_authorization", "stop_payment_order"])
def test_who_told_the_bank_to_stop_gets_no_pressure(code: str) -> None:
    """B20."""
    story = Story().opened(Decline(decline_code=code))
    assert (story.case().status, story.last("case_abandoned").reason) == ("abandoned", code)
    assert not story.mails()


def test_the_dead_are_not_written_to() -> None:
    story = Story().opened(Decline(code="recipient_deceased", method_type="sepa_debit"))
    assert story.case().status == "abandoned"
    assert not story.mails()


def test_without_dunning_a_spent_case_is_abandoned_at_once() -> None:
    """Product decision 20."""
    story = Story(a.an_account(a.a_policy(dunning=DunningPolicy(enabled=False)))).opened(a.HARD)
    assert (story.case().status, story.last("case_abandoned").reason) == ("abandoned", "dunning_disabled")


def test_mails_that_wait_die_with_the_switch() -> None:
    """Product decision 27."""
    story = Story().opened(a.HARD)
    story.mail_answered()
    story.account = a.an_account(a.a_policy(dunning=DunningPolicy(enabled=False)))
    story.days(4)
    assert len(story.mails()) == 1
    assert (story.last("dunning_skipped").reason, story.case().status) == ("dunning_disabled", "abandoned")


def test_steps_missed_in_a_downtime_are_not_sent_all_at_once() -> None:
    """B57."""
    story = Story().opened(a.HARD)
    story.mail_answered()
    story.now = a.at(days=8)
    story.until(a.at(days=8))
    assert [mail.step for mail in story.mails()] == [1, 3]
    missed = story.last("dunning_skipped")
    assert (missed.reason, missed.details) == ("missed", {"step": "2"})


def test_a_failure_learnt_of_days_late_begins_with_the_first_mail() -> None:
    story = Story()
    story.now = a.at(days=10)
    story.tell(a.a_failure())
    story.tell(a.a_reading(story.reads()[0].id, a.at(days=10), a.HARD))
    assert [mail.step for mail in story.mails()] == [1]


def test_two_invoices_do_not_mean_two_mails_a_day() -> None:
    """B18, B54."""
    story = Story().opened(a.HARD)
    story.mail_answered()
    story.tell(a.a_failure("evt_2", a.at(hours=5), "in_2"))
    story.tell(a.a_reading(story.reads()[-1].id, story.now, a.HARD, "in_2"))
    assert len(story.mails()) == 1
    assert story.last("dunning_skipped").reason == "recent_mail"
    story.days(1)
    first, second = story.mails()
    assert second.invoice == "in_2"
    assert second.occurred_at - first.occurred_at == timedelta(hours=20)


def test_a_mail_that_was_not_sent_leaves_room_for_another() -> None:
    story = Story().opened(a.HARD)
    story.mail_answered("skipped", "suppressed")
    story.tell(a.a_failure("evt_2", a.at(hours=1), "in_2"))
    story.tell(a.a_reading(story.reads()[-1].id, story.now, a.HARD, "in_2"))
    assert [mail.invoice for mail in story.mails()] == ["in_1", "in_2"]


@pytest.mark.parametrize(("result", "why"), [("failed", "mailbox gone"), ("unknown", ""), ("skipped", "suppressed")])
def test_a_mail_that_was_not_sent_is_told_and_the_next_step_comes(result: str, why: str) -> None:
    """F61."""
    story = Story().opened(a.HARD)
    story.mail_answered(result, why)
    skipped = story.last("dunning_skipped")
    assert (skipped.reason, skipped.next_action, skipped.next_action_at) == (why or result, "dunning", a.at(days=3))


def test_a_mail_refused_because_it_was_paid_is_followed_by_a_look() -> None:
    """B47."""
    story = Story().opened(a.HARD)
    story.mail_answered("skipped", "already_paid")
    story.tell(a.a_reading(story.reads()[-1].id, story.now, a.HARD, state=a.a_state("paid")))
    assert story.case().status == "recovered"


def test_nobody_to_write_to_ends_the_case_once_retries_are_spent() -> None:
    """B55, product decision 20."""
    story = Story().opened(a.HARD)
    story.mail_answered("skipped", "no_contact")
    assert (story.case().status, story.last("case_abandoned").reason) == ("abandoned", "no_contact")


def test_no_answer_in_time_moves_on_and_a_late_one_is_still_told() -> None:
    """B47."""
    story = Story().opened(a.HARD)
    story.days(1.5)
    assert story.last("dunning_skipped").reason == "unanswered"
    assert story.withdrawals() == [story.mails()[0].id]
    story.mail_answered("sent")
    assert (story.last("dunning_sent").reason, story.case().dunning_step) == ("after_withdrawal", 1)
    assert story.events[-1].event_type == "dunning_sent"
    story.until(a.at(days=3))
    assert [mail.step for mail in story.mails()] == [1, 2]


def test_a_mail_that_a_paused_account_held_back_is_sent_later() -> None:
    story = Story().opened(a.HARD)
    story.mail_answered("skipped", "account_paused")
    assert len(story.mails()) == 1
    story.days(0.2)
    assert [mail.step for mail in story.mails()] == [1, 1]


def test_waiting_for_other_mails_has_an_end_too() -> None:
    """B18, B40: a customer who always has a newer mail does not keep a case open for ever."""
    case = a.a_case(status="dunning", dunning_from=a.START, dunning_at=a.at(days=15))
    row = a.a_customer(case, mails={"m": a.at(days=14.9)})
    step = advance(row, a.a_tick(a.at(days=15)), a.at(days=15), a.an_account())
    assert step.events[-1].event_type == "case_abandoned"
    assert step.events[-1].reason == "recent_mail"


def test_a_text_that_may_not_go_says_why():
    """B52, B53."""
    off, on = a.a_policy(), a.a_policy(sms=SmsPolicy(enabled=True))
    assert contactability.sms(None, a.START, off) == contactability.Forbidden("sms_disabled")
    assert contactability.sms(None, a.START, on) == contactability.Forbidden("no_consent")


def test_each_mail_that_was_sent_is_counted() -> None:
    """B48, B54."""
    story = opened(Story(), a.HARD)
    story.mail_answered()
    assert (story.case().mails_sent, story.case().last_mail) == (1, story.mails()[-1].id)
    story.until(a.at(days=3, hours=1))
    story.mail_answered()
    assert (story.case().mails_sent, story.case().last_mail) == (2, story.mails()[-1].id)


TEXTS = a.a_policy(sms=SmsPolicy(enabled=True))


def test_a_text_that_was_sent_says_so() -> None:
    """F22."""
    story = texted()
    effect = story.messages()[-1].id
    story.tell(a.a_mail_outcome(effect, story.now, medium="sms", message="SM1"))
    sent = story.last("dunning_sent")
    assert (sent.effect, sent.details) == (effect, {"step": "1", "medium": "sms", "message": "SM1"})
    assert sent.reason != "after_withdrawal"


def test_a_text_goes_by_the_cards_country_where_only_that_is_known_and_no_mail_may_go() -> None:
    """B52, B53."""
    story = Story(a.an_account(TEXTS))
    story.tell(a.a_fact_of(facts.ConsentGiven, 0, "", proof="form"))
    story.tell(a.a_fact_of(facts.MessageBounced, 0.1, "", hard=True))
    story.opened(a.HARD)
    assert story.case().active, "there is a way to write"


def test_a_text_that_may_not_go_says_which_medium() -> None:
    """F61."""
    story = Story(a.an_account(TEXTS)).opened(a.HARD)
    story.mail_answered()
    skipped = story.last("dunning_skipped")
    assert (skipped.reason, skipped.details) == ("no_consent", {"step": "1", "medium": "sms"})


def test_a_mail_that_nobody_answered_for_says_which_step_it_was() -> None:
    story = Story().opened(a.HARD)
    story.days(1.1)
    assert fields_of(story.last("dunning_skipped"))[1:] == ("unanswered", "", "", {"step": "1"})


def test_a_step_that_is_passed_over_says_which_it_was() -> None:
    story = Story(a.an_account(a.a_policy("observe"))).opened(a.HARD)
    assert fields_of(story.last("dunning_skipped"))[1:] == ("observe_mode", "", "", {"step": "1"})


def test_a_step_that_may_not_be_written_says_why_also_where_the_end_waits_for_a_look() -> None:
    """B73."""
    story = Story(a.an_account(a.a_policy(end=EndPolicy(action="cancel")))).opened(a.HARD)
    story.mail_answered()
    story.account = a.an_account(a.a_policy(end=EndPolicy(action="cancel"), dunning=DunningPolicy(enabled=False)))
    story.until(a.at(days=3))
    skipped = story.last("dunning_skipped")
    assert (skipped.reason, skipped.details) == ("dunning_disabled", {"step": "2"})


def test_the_cards_country_tells_when_a_text_may_come_where_nobody_said_more() -> None:
    """B52: the card is American, so it must be day from New York to Hawaii; START is 4 h in New York."""
    story = Story(a.an_account(a.a_policy(sms=SmsPolicy(enabled=True))))
    story.tell(ConsentGiven(**a.header("c", a.START, ""), proof="form"))
    story.opened(a.HARD)
    story.mail_answered()
    story.days(1)
    text = next(message for message in story.messages() if message.medium == "sms")
    assert text.occurred_at == datetime(2026, 3, 2, 18, 0, tzinfo=UTC)

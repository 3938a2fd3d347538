"""The borders of what is decided about contact, endings and money: the moment itself, the one unit, the other subscription."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from recovery.contracts.effects import SubscriptionEndRequested
from recovery.contracts.encoding.row_codec import encode_row
from recovery.contracts.facts import (
    Card,
    CardExpiring,
    ChargeRefunded,
    ConsentGiven,
    MessageBounced,
    PaymentActionRequired,
    SnoozeRequested,
    SubscriptionChanged,
)
from recovery.decide.handlers.messages.card_expiry import NoWarning, last_moment, notice_at
from recovery.decide.rules import attribution_audit
from recovery.ids import idempotency_key
from recovery.policy import EndPolicy, Experiment, SmsPolicy
from tests.support import builders as a
from tests.support.story import Story


def second(story: Story, when: datetime, read_at: datetime | None = None, subscription: str = "sub_2") -> None:
    """in_2 fails hard."""
    state = a.a_state(subscription=subscription)
    story.tell(a.a_failure("evt_in_2", when, "in_2", state=state))
    story.tell(a.a_reading(story.reads()[-1].id, read_at or when, a.HARD, "in_2", state=state))


def test_the_pause_between_mails_counts_from_the_sending() -> None:
    """B54: the mail server took the first mail 15 hours after it was asked for."""
    story = Story().opened(a.HARD)
    story.now = a.at(hours=15)
    story.mail_answered()
    second(story, a.at(hours=16))
    story.until(a.at(hours=34.9))
    assert len(story.mails()) == 1
    story.until(a.at(hours=35))
    assert len(story.mails()) == 2


def test_a_mail_in_doubt_counts_from_when_it_was_asked_for() -> None:
    story = Story().opened(a.HARD)
    story.now = a.at(hours=15)
    story.mail_answered("unknown")
    second(story, a.at(hours=16))
    story.until(a.at(hours=20, days=0.01))
    assert len(story.mails()) == 2


def test_a_snoozed_invoice_is_neither_named_nor_joined_until_the_snooze_is_over() -> None:
    """B60."""
    story = Story().opened(a.HARD)
    story.mail_answered()
    second(story, a.at(hours=1))
    story.tell(SnoozeRequested(**a.header("s", a.at(hours=2), "in_1"), who="dana", until=a.at(hours=30)))
    story.until(a.at(hours=25))
    story.mail_answered()
    assert [(mail.invoice, mail.also) for mail in story.mails()[1:]] == [("in_2", ())]
    story.until(a.at(days=9))
    assert story.mails()[2].also != (), "now both are named again"


def test_a_case_that_only_waits_for_its_end_is_named_and_gets_no_fourth_mail() -> None:
    story = Story().opened(a.HARD)
    for days in (0, 3, 7):
        story.until(a.at(days=days))
        story.mail_answered()
    second(story, a.at(days=13.5), a.at(days=14))
    assert (story.case().status, story.mails()[-1].invoice) == ("abandoned", "in_2")
    assert all(mail.step <= 3 for mail in story.mails())


def test_the_cards_country_tells_when_a_text_may_come_where_nobody_said_more() -> None:
    """B52: the card is American, so it must be day from New York to Hawaii; START is 4 h in New York."""
    story = Story(a.an_account(a.a_policy(sms=SmsPolicy(enabled=True))))
    story.tell(ConsentGiven(**a.header("c", a.START, ""), proof="form"))
    story.opened(a.HARD)
    story.mail_answered()
    story.days(1)
    text = next(message for message in story.messages() if message.medium == "sms")
    assert text.occurred_at == datetime(2026, 3, 2, 18, 0, tzinfo=UTC)


def ended(action: Any, subscription: str) -> list[str]:
    """Two invoices run out; the ids of the invoices whose end is asked for."""
    story = Story(a.an_account(a.a_policy(end=EndPolicy(action=action)))).opened(a.HARD)
    second(story, a.at(hours=1), subscription=subscription)
    for _ in range(80):
        flight = (
            next((case.pending_effect for case in story.customer.cases.values() if case.pending_effect is not None), None)
            if story.customer
            else None
        )
        if flight is not None and flight.kind == "read":
            invoice = story.reads()[-1].invoice
            story.tell(a.a_reading(flight.effect, story.now, a.HARD, invoice))
        elif flight is not None:
            story.mail_answered()
        story.days(0.5)
    return sorted(effect.invoice for effect in story.effects if isinstance(effect, SubscriptionEndRequested))


@pytest.mark.parametrize(
    ("action", "subscription", "count"),
    [("cancel", "sub_2", 2), ("cancel", a.SUBSCRIPTION, 1), ("unpaid", a.SUBSCRIPTION, 1), ("uncollectible", a.SUBSCRIPTION, 2)],
)
def test_an_end_action_is_once_for_a_subscription_and_once_for_an_invoice_that_is_written_off(
    action: str, subscription: str, count: int
) -> None:
    """B73."""
    assert len(ended(action, subscription)) == count


def test_one_cent_is_a_recovery() -> None:
    story = Story()
    story.tell(a.a_failure(state=a.a_state(amount=1)))
    story.tell(a.a_payment("evt_p", a.at(hours=1), state=a.a_state("paid", amount=1), request_id="r"))
    assert (story.case().status, story.last("payment_recovered").recovered_minor) == ("recovered", 1)


@pytest.mark.parametrize(("hours", "remaining", "status"), [(5, 4900, "recovered"), (6, 4900, "retrying"), (6, 0, "recovered")])
def test_a_recovered_invoice_opens_again_only_for_a_later_failure_with_something_owed(hours: int, remaining: int, status: str) -> None:
    """B72, B3: within the same second the order is not known."""
    story = Story().opened()
    story.tell(a.a_payment("evt_p", a.at(hours=5), request_id="r"))
    story.tell(a.a_failure("evt_again", a.at(hours=hours), state=a.a_state(amount=remaining)))
    assert story.case().status == status


def a_pause(number: int, hours: float, *, paused: bool) -> SubscriptionChanged:
    return SubscriptionChanged(
        **a.header(f"p_{number}", a.at(hours=hours), ""), subscription=a.SUBSCRIPTION, status="active", paused=paused
    )


def test_a_pause_is_told_once_and_its_end_leads_to_a_look() -> None:
    """B69."""
    story = Story().opened()
    story.tell(a_pause(1, 1, paused=True))
    story.tell(a_pause(2, 2, paused=True))
    assert story.types().count("case_updated") == 1
    story.tell(a_pause(3, 3, paused=False))
    assert (story.last("case_updated").reason, story.reads()[-1].occurred_at) == ("subscription_resumed", a.at(hours=3))


def test_a_change_of_a_subscription_that_is_not_paused_changes_nothing() -> None:
    story = Story().opened()
    reads = len(story.reads())
    story.tell(a_pause(1, 1, paused=False))
    assert (story.events[-1].event_type, len(story.reads())) == ("fact_had_no_effect", reads)


@pytest.mark.parametrize("state", ["not read yet", "charging", "processing"])
def test_a_new_card_waits_for_what_is_under_way(state: str) -> None:
    """B35: no second charge beside one that is being made or decided."""
    story = Story()
    if state == "not read yet":
        story.tell(a.a_failure())
    else:
        story.opened()
        story.days(1)
    if state == "processing":
        story.charge_answered("processing")
    before = len(story.charges())
    story.new_card("m", story.now + timedelta(hours=1), a.MASTERCARD)
    assert (story.events[-1].reason, len(story.charges())) == ("method_changed", before)


def action_required(hours: float) -> PaymentActionRequired:
    return PaymentActionRequired(**a.header("evt_a", a.at(hours=hours)), state=a.a_state())


def test_the_banks_question_changes_the_way_unless_it_is_older_or_an_attempt_is_under_way() -> None:
    """B17."""
    asked = Story().opened()
    asked.tell(action_required(2))
    assert asked.case().status == "action_required"
    charging = Story().opened()
    charging.days(1)
    charging.tell(action_required(25))
    assert charging.case().status == "retrying"
    late = Story().opened(attempts=(a.an_attempt("ch_2", a.at(hours=4)),))
    late.tell(action_required(1))
    assert late.case().status == "retrying"


@pytest.mark.parametrize(
    ("month", "year", "end"),
    [(1, 2026, datetime(2026, 2, 1, tzinfo=UTC)), (12, 2026, datetime(2027, 1, 1, tzinfo=UTC)), (13, 2026, None), (0, 2026, None)],
)
def test_a_card_is_good_to_the_last_day_of_its_month(month: int, year: int, end: datetime | None) -> None:
    """F68."""
    assert last_moment(Card(exp_month=month, exp_year=year)) == end


@pytest.mark.parametrize(
    ("charge", "now", "answer"),
    [
        (datetime(2026, 4, 1, tzinfo=UTC), a.START, datetime(2026, 3, 25, tzinfo=UTC)),  # the first moment after
        (datetime(2026, 3, 31, 23, tzinfo=UTC), a.START, NoWarning("card_still_good")),
        (
            datetime(2026, 4, 1, tzinfo=UTC),
            datetime(2026, 3, 30, tzinfo=UTC),
            datetime(2026, 3, 30, tzinfo=UTC),
        ),  # late is better than never
        (datetime(2026, 4, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC), NoWarning("charge_is_over")),
    ],
)
def test_the_warning_comes_a_week_before_the_charge_or_at_once(charge: datetime, now: datetime, answer: object) -> None:
    """F68."""
    card = Card(exp_month=3, exp_year=2026)
    fact = CardExpiring(**a.header("x", a.START, ""), card=card, subscription="s", next_charge_at=charge, amount_minor=1, currency="eur")
    assert notice_at(fact, 7, now) == answer


def test_what_goes_back_in_steps_is_taken_from_the_latest_cause_first() -> None:
    """F60, F67: 10.00 by the customer, then 39.00 by our retry."""
    story = Story().opened()
    story.tell(a.a_change("evt_c", a.at(hours=5), state=a.a_state(paid=1000), request_id="req_1"))
    story.days(1)
    story.charge_answered("succeeded", charge="ch_paid")
    left = []
    for total in (1000, 4000, 4900):
        told: Any = a.header(f"r_{total}", a.at(days=5), "")
        story.tell(ChargeRefunded(**told, charge="ch_paid", amount_refunded=total, currency="eur"))
        left.append(attribution_audit.parts(story.events))
    assert left == [{"eur": {"customer": 1000, "our_retry": 2900}}, {"eur": {"customer": 900}}, {}]
    assert attribution_audit.problems(story.events) == []


def test_a_part_that_came_is_told_once_and_without_a_second_word_about_the_invoice() -> None:
    story = Story().opened()
    for number in range(2):
        story.tell(a.a_change(f"evt_{number}", a.at(hours=5), state=a.a_state(paid=1000), request_id="req_1"))
    assert story.types().count("partial_payment") == 1
    assert story.events[-1].event_type == "fact_had_no_effect"


def test_what_became_of_a_notice_is_told_about_its_invoice() -> None:
    story = Story().opened(a.HARD)
    story.mail_answered()
    story.tell(a.a_payment("evt_p", a.at(hours=5), request_id="r"))
    notice = story.messages()[-1]
    story.tell(a.a_mail_outcome(notice.id, a.at(hours=5), "skipped", "no_contact"))
    told = story.events[-1]
    assert (told.event_type, told.invoice, told.reason, told.sequence > 0) == ("transactional_mail_skipped", "in_1", "no_contact", True)


def test_who_is_held_out_gets_no_end_action() -> None:
    """B77: nothing of ours."""
    policy = a.a_policy(end=EndPolicy(action="cancel"), experiment=Experiment(holdout_share=0.5, salt="everybody"))
    story = Story(a.an_account(policy))
    story.tell(a.a_failure())
    row = story.customer
    assert row is not None
    row.arm = "holdout"
    story.row = encode_row(row)
    story.tell(a.a_reading(story.reads()[-1].id, a.START, a.HARD))
    story.days(60)
    assert (story.case().status, story.messages()) == ("abandoned", [])
    assert not any(isinstance(effect, SubscriptionEndRequested) for effect in story.effects)


def test_a_bounce_of_a_mail_under_way_sends_its_step_by_text() -> None:
    """B53."""
    story = Story(a.an_account(a.a_policy(sms=SmsPolicy(enabled=True))))
    story.tell(ConsentGiven(**a.header("c", a.START, ""), proof="form", zone="Europe/Berlin"))
    story.opened(a.HARD)
    story.tell(MessageBounced(**a.header("b", a.at(hours=1), ""), hard=True))
    assert story.withdrawals() == [story.mails()[0].id]
    assert [(message.medium, message.step) for message in story.messages()] == [("email", 1), ("sms", 1)]


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


def test_an_invoice_with_nothing_left_to_pay_is_closed_only_by_the_newest_word() -> None:
    """B3, B70."""
    story = Story().opened()
    story.tell(a.a_change("evt_new", a.at(hours=6)))
    story.tell(a.a_change("evt_old", a.at(hours=5), state=a.a_state(amount=0)))
    assert story.case().active

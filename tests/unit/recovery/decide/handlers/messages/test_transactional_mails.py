"""Mails that are no reminder: the payment came, the subscription ended unpaid, a card will not live to the next charge."""

from typing import Any

import pytest

from recovery.contracts.encoding.row_codec import encode_row
from recovery.contracts.facts import (
    Card,
    CardExpiring,
    ContactSuppressed,
    CustomerDeleted,
    ExcludeRequested,
    SnoozeRequested,
    StopRequested,
    SubscriptionChanged,
    SubscriptionEnded,
)
from recovery.policy import ContactPolicy, Experiment, PreventionPolicy
from tests.support import builders as a
from tests.support.story import Story, fields_of

WARNS = a.a_policy(prevention=PreventionPolicy(enabled=True))


def reminded() -> Story:
    story = Story().opened(a.HARD)
    story.mail_answered()
    return story


def test_a_payment_is_confirmed_to_who_had_been_reminded_once() -> None:
    """B48."""
    story = reminded()
    story.tell(a.a_payment("evt_p", a.at(hours=5), request_id="req_1"))
    story.tell(a.a_payment("evt_q", a.at(hours=6), request_id="req_1"))
    assert story.notices() == ["payment_recovered"]
    notice = story.messages()[-1]
    assert (notice.only_if, notice.step, notice.amount_minor) == ("invoice_paid", 0, 4900)
    story.tell(a.a_mail_outcome(notice.id, a.at(hours=5)))
    assert (story.events[-1].event_type, story.events[-1].status) == ("transactional_mail_sent", ""), (
        "the case's last word stays the recovery"
    )
    assert not story.days(30)


def test_who_was_never_reminded_is_not_thanked() -> None:
    """B48: a silent retry stays silent."""
    story = Story().opened()
    story.days(1)
    story.charge_answered("succeeded")
    assert (story.case().status, story.notices()) == ("recovered", [])


def test_a_mail_that_was_taken_back_in_time_is_no_reminder() -> None:
    story = Story().opened(a.HARD)
    story.tell(a.a_payment("evt_p", a.at(hours=1), request_id="req_1"))
    story.mail_answered("skipped", "withdrawn")
    assert story.notices() == []


def test_a_mail_in_doubt_counts_as_a_reminder() -> None:
    story = Story().opened(a.HARD)
    story.mail_answered("unknown")
    story.tell(a.a_payment("evt_p", a.at(hours=1), request_id="req_1"))
    assert story.notices() == ["payment_recovered"]


def test_a_payment_after_giving_up_is_confirmed_too() -> None:
    """B73."""
    story = reminded()
    story.days(40)
    assert story.case().status == "abandoned"
    story.tell(a.a_payment("evt_p", a.at(days=50), request_id="req_1"))
    assert story.notices() == ["payment_recovered"]


@pytest.mark.parametrize(
    "leaving",
    [
        SubscriptionEnded(**a.header("e", a.at(hours=2), ""), subscription=a.SUBSCRIPTION),
        CustomerDeleted(**a.header("e", a.at(hours=2), "")),
    ],
)
def test_who_has_left_is_not_written_to_even_to_be_thanked(leaving: Any) -> None:
    """B10, B67: no mail to somebody who has cancelled."""
    story = reminded()
    story.tell(leaving)
    story.tell(a.a_payment("evt_p", a.at(days=2), request_id="req_1"))
    assert (story.case().status, story.notices()) == ("recovered", [])


@pytest.mark.parametrize("obstacle", ["complaint", "paused", "dunning off", "switched off"])
def test_a_confirmation_that_is_not_sent_says_why(obstacle: str) -> None:
    """F61."""
    story = reminded()
    if obstacle == "complaint":
        story.tell(ContactSuppressed(**a.header("c", a.at(hours=1), ""), medium="sms", who="dana"))
        case_active = story.case().active
        assert case_active
        story.tell(ContactSuppressed(**a.header("d", a.at(hours=1), ""), medium="email", who="dana"))
    elif obstacle == "paused":
        story.account = a.an_account(paused=True)
    elif obstacle == "switched off":
        story.account = a.an_account(a.a_policy(contact=ContactPolicy(confirm_recovery=False)))
    else:
        story.account = a.an_account(a.a_policy(dunning=type(a.a_policy().dunning)(enabled=False)))
    story.tell(a.a_payment("evt_p", a.at(hours=5), request_id="req_1"))
    assert story.notices() == []
    reasons = [event.reason for event in story.events if event.event_type == "transactional_mail_skipped"]
    expected = {"complaint": ["do_not_contact"], "paused": ["account_paused"], "dunning off": ["dunning_disabled"], "switched off": []}
    assert reasons == expected[obstacle]


def expiring(month: int = 3, year: int = 2026, id: str = "x", **fields: Any) -> CardExpiring:
    """The card's last month is March 2026; the next charge is on 2 April."""
    card = Card(fingerprint="fp_visa", brand="visa", exp_month=month, exp_year=year)
    told: dict[str, Any] = {
        "card": card,
        "subscription": a.SUBSCRIPTION,
        "next_charge_at": a.at(days=31),
        "amount_minor": 4900,
        "currency": "eur",
    }
    return CardExpiring(**a.header(id, a.START, ""), **(told | fields))


def test_the_warnings_of_two_charges_have_two_ids_though_the_row_was_forgotten_between() -> None:
    """B32: the second must not pass for the first, which has been sent."""
    story = Story(a.an_account(WARNS))
    story.tell(expiring())
    story.until(a.at(days=40))
    assert story.row is None
    story.tell(expiring(id="y", next_charge_at=a.at(days=60)))
    story.until(a.at(days=59))
    assert len({mail.id for mail in story.messages()}) == len(story.messages()) == 2


def test_a_card_that_expires_before_the_next_charge_is_told_once_a_week_before_it() -> None:
    """F68."""
    story = Story(a.an_account(WARNS))
    story.tell(expiring())
    story.days(20)
    assert story.notices() == []
    story.tell(expiring(id="again"))
    story.until(a.at(days=31))
    story.tell(expiring(id="late"))
    (notice,) = story.messages()
    assert (notice.template, notice.occurred_at, notice.card, notice.invoice) == ("card_expiring", a.at(days=24), "2026-03", "")
    assert notice.not_after <= a.at(days=31)
    story.days(10)
    assert story.customer is None, "nothing is left to remember"


@pytest.mark.parametrize(
    ("fact", "why"),
    [
        (expiring(4), "card_still_good"),  # the last day of the month counts
        (expiring(updater_covers=True), "updater_covers"),
        (expiring(0, 0), "expiry_unknown"),
        (expiring(2, next_charge_at=a.START), "charge_is_over"),
    ],
)
def test_there_is_no_alarm_without_need(fact: CardExpiring, why: str) -> None:
    """F68: none where the network renews the card by itself."""
    story = Story(a.an_account(WARNS))
    story.tell(fact)
    assert (story.last("transactional_mail_skipped").reason, story.customer) == (why, None)


@pytest.mark.parametrize("change", ["new card", "failed meanwhile", "switched off", "held out"])
def test_a_warning_is_looked_at_again_when_its_time_has_come(change: str) -> None:
    story = Story(a.an_account(WARNS))
    story.tell(expiring())
    if change == "new card":
        story.new_card("m", a.at(days=3), a.MASTERCARD)
    elif change == "failed meanwhile":
        story.tell(a.a_failure(when=a.at(days=23)))
    elif change == "switched off":
        story.account = a.an_account()
    else:
        story.account = a.an_account(
            a.a_policy(prevention=PreventionPolicy(enabled=True), experiment=Experiment(holdout_share=0.5, salt="s"))
        )
        customer = story.customer
        assert customer is not None
        customer.arm = "holdout"
        story.row = encode_row(customer)
    story.until(a.at(days=26))
    assert story.notices() == []
    expected = {"new card": "method_changed", "failed meanwhile": "case_open", "switched off": "prevention_disabled", "held out": "holdout"}
    assert expected[change] in {event.reason for event in story.events if event.event_type == "transactional_mail_skipped"}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (SubscriptionEnded(**a.header("c", a.at(days=3), ""), subscription=a.SUBSCRIPTION), "cancelled"),
        (
            SubscriptionChanged(**a.header("c", a.at(days=3), ""), subscription=a.SUBSCRIPTION, status="active", cancel_at_period_end=True),
            "cancelled",
        ),
        (StopRequested(**a.header("c", a.at(days=3), ""), who="ana", why="asked"), "stopped_by_hand"),
        (ExcludeRequested(**a.header("c", a.at(days=3), ""), who="ana", why="asked"), "excluded_by_hand"),
        (SnoozeRequested(**a.header("c", a.at(days=3), ""), who="ana", why="asked", until=a.at(days=28)), "snoozed"),
    ],
)
def test_nobody_is_warned_who_has_cancelled_or_is_to_be_left_alone(change: Any, why: str) -> None:
    """B60, B67, B68: there is no charge to come, or a person has forbidden it."""
    story = Story(a.an_account(WARNS))
    story.tell(expiring())
    story.tell(change)
    story.until(a.at(days=26))
    assert story.messages() == []
    assert [event.reason for event in story.events if event.event_type == "transactional_mail_skipped"] == [why]


def test_the_end_of_another_subscription_leaves_a_warning_as_it_is() -> None:
    story = Story(a.an_account(WARNS))
    story.tell(expiring())
    story.tell(SubscriptionEnded(**a.header("c", a.at(days=3), ""), subscription="sub_other"))
    story.until(a.at(days=26))
    assert story.notices() == ["card_expiring"]


def test_prevention_is_off_unless_switched_on() -> None:
    story = Story()
    story.tell(expiring())
    assert (story.last("transactional_mail_skipped").reason, story.customer) == ("prevention_disabled", None)


def test_a_card_that_many_subscriptions_share_is_not_told_for_each_of_them() -> None:
    """B18, B54: no more warnings at a time than the policy allows mails in a month; what was charged meanwhile makes room."""
    story = Story(a.an_account(a.a_policy(prevention=PreventionPolicy(enabled=True), contact=ContactPolicy(max_per_30_days=3))))
    card = Card(fingerprint="fp", brand="visa", exp_month=3, exp_year=2026)

    def told(subscription: str, now: float, charge: float) -> None:
        fields: dict[str, Any] = {
            "card": card,
            "subscription": subscription,
            "next_charge_at": a.at(charge),
            "amount_minor": 900,
            "currency": "eur",
        }
        story.tell(CardExpiring(**a.header(f"evt_{subscription}_{now}", a.at(now), ""), **fields))

    for number in range(50):
        told(f"sub_{number}", 0, 40)
    assert len([event for event in story.events if event.reason == "mail_cap"]) == 47
    story.until(a.at(35))
    for number in range(50):
        told(f"sub_{number}", 35, 40)
    assert len(story.messages()) == 3
    story.until(a.at(41))
    told("sub_9", 41, 45)
    assert len(story.messages()) == 4
    assert story.customer is not None
    assert set(story.customer.expiry_warned_for) == {"sub_9"}


def test_a_notice_that_is_not_sent_says_which_and_why() -> None:
    """B48: the account was set to observe after the reminder."""
    story = Story().opened(a.HARD)
    story.mail_answered()
    story.account = a.an_account(a.a_policy("observe"))
    story.tell(a.a_payment("evt_p", a.at(hours=1)))
    assert fields_of(story.last("transactional_mail_skipped")) == (
        "transactional_mail_skipped",
        "observe_mode",
        "",
        "",
        {"template": "payment_recovered"},
    )


def test_what_became_of_a_notice_is_told_about_its_invoice() -> None:
    story = Story().opened(a.HARD)
    story.mail_answered()
    story.tell(a.a_payment("evt_p", a.at(hours=5), request_id="r"))
    notice = story.messages()[-1]
    story.tell(a.a_mail_outcome(notice.id, a.at(hours=5), "skipped", "no_contact"))
    told = story.events[-1]
    assert (told.event_type, told.invoice, told.reason, told.sequence > 0) == ("transactional_mail_skipped", "in_1", "no_contact", True)

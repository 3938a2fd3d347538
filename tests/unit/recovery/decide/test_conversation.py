"""One conversation per customer: what is due together is one mail, and nobody is written to too often."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from recovery.contracts.effects import AlsoOwed
from recovery.contracts.facts import SubscriptionEnded
from recovery.policy import ContactPolicy
from tests.support import builders as a
from tests.support.story import Story


def a_second_failure(story: Story, when: datetime, read_at: datetime | None = None, **state: Any) -> None:
    """Another invoice of the same customer fails hard and is looked at, at once or later."""
    told = a.a_state(**{"subscription": "sub_2", **state})
    story.tell(a.a_failure("evt_in_2", when, "in_2", state=told))
    story.tell(a.a_reading(story.reads()[-1].id, read_at or when, a.HARD, "in_2", state=told))


def one_waits() -> Story:
    """in_1 had its first mail at day 0; in_2 fails two hours later, so that its first step waits for the pause between mails."""
    story = Story().opened(a.HARD)
    story.mail_answered()
    a_second_failure(story, a.at(hours=2), amount=1900)
    return story


def two_due_together() -> Story:
    """At day 3, when in_1's second step is due, it is learnt that in_2's first one is due as well: one mail is asked for."""
    story = Story().opened(a.HARD)
    story.mail_answered()
    a_second_failure(story, a.at(days=2.5), a.at(days=3), amount=1900)
    return story


def test_a_second_failing_invoice_joins_the_next_mail_and_is_named_in_it() -> None:
    """B15, B18, product decision 30: one mail, both invoices, each with its own amount."""
    story = one_waits()
    story.days(1)
    mail = story.mails()[-1]
    assert (len(story.mails()), mail.invoice, mail.step) == (2, "in_2", 1)
    assert mail.also == (AlsoOwed("in_1", 4900, "eur"),)
    story.mail_answered()
    assert (story.case("in_2").dunning_step, story.case("in_1").dunning_step) == (1, 1), "only a due step counts as sent"


def test_steps_that_are_due_together_are_one_mail_in_the_tone_of_the_most_urgent() -> None:
    """B15: both steps count as sent, each with its own event."""
    story = two_due_together()
    mail = story.mails()[-1]
    assert (mail.invoice, mail.step, [owed.invoice for owed in mail.also]) == ("in_1", 2, ["in_2"])
    story.mail_answered()
    sent = [(event.invoice, event.dunning_step, event.reason) for event in story.events if event.event_type == "dunning_sent"]
    assert sent[-2:] == [("in_1", 2, "hard_decline"), ("in_2", 1, "joined_mail")]
    assert len({event.details["message"] for event in story.events if event.event_type == "dunning_sent"}) == 2, "two mails in all"


def test_amounts_of_two_currencies_stay_apart() -> None:
    """Product decision 11."""
    story = Story().opened(a.HARD)
    story.mail_answered()
    a_second_failure(story, a.at(hours=2), amount=700, currency="jpy")
    story.days(1)
    mail = story.mails()[-1]
    assert (mail.amount_minor, mail.currency, mail.also) == (700, "jpy", (AlsoOwed("in_1", 4900, "eur"),))


def test_what_is_still_tried_in_silence_is_not_named() -> None:
    """B59: a soft decline has its silent phase."""
    story = Story().opened(a.HARD)
    story.tell(a.a_failure("evt_2", a.at(hours=1), "in_2"))
    story.tell(a.a_reading(story.reads()[-1].id, a.at(hours=1), a.SOFT, "in_2"))
    story.mail_answered()
    story.until(a.at(days=3))
    assert story.mails()[-1].also == ()


def test_a_joined_invoice_that_is_not_owed_any_more_is_told_so_and_looked_at() -> None:
    """B47: the sender names only what is owed at that moment."""
    story = two_due_together()
    mail = story.mails()[-1]
    story.tell(a.a_mail_outcome(mail.id, story.now, "sent", invoice=mail.invoice, also=()))
    skipped = story.last("dunning_skipped")
    assert (skipped.invoice, skipped.reason) == ("in_2", "nothing_owed")
    assert story.reads()[-1].invoice == "in_2"


def test_a_payment_of_the_leading_invoice_takes_the_mail_back_and_leaves_the_others_step_open() -> None:
    """B47: in_2 is written to later, about itself alone."""
    story = two_due_together()
    story.tell(a.a_payment("evt_p", story.now, "in_1", request_id="req_1"))
    assert story.withdrawals()[-1] == story.mails()[-1].id
    assert (story.case("in_2").dunning_step, story.case("in_2").flight) == (0, None)
    story.days(1)
    mail = story.mails()[-1]
    assert (mail.invoice, mail.step, mail.also) == ("in_2", 1, ())


def test_a_payment_of_a_joined_invoice_does_not_take_the_mail_back() -> None:
    story = two_due_together()
    story.tell(a.a_payment("evt_p", story.now, "in_2", request_id="req_1"))
    assert story.withdrawals() == []
    story.mail_answered()
    assert [event.invoice for event in story.events if event.event_type == "dunning_sent"] == ["in_1", "in_1"]
    assert story.mails()[-1].also == (AlsoOwed("in_2", 1900, "eur"),), "the sender leaves it out"


def test_a_lead_that_the_sender_finds_paid_leaves_the_joined_step_due_at_once() -> None:
    story = two_due_together()
    first = story.mails()[-1]
    story.mail_answered("skipped", "already_paid")
    mail = story.mails()[-1]
    assert mail.id != first.id
    assert (mail.invoice, mail.step) == ("in_2", 1)
    assert story.last("dunning_requested").invoice == "in_2"


def test_a_customer_without_an_address_has_none_for_any_invoice() -> None:
    """B55."""
    story = two_due_together()
    story.mail_answered("skipped", "no_contact")
    assert {story.case(invoice).reason for invoice in ("in_1", "in_2")} == {"no_contact"}


def test_a_cancelled_subscription_leaves_the_conversation_about_the_other() -> None:
    """B67: no word about it any more."""
    story = one_waits()
    story.tell(SubscriptionEnded(**a.header("e", story.now, ""), subscription=a.SUBSCRIPTION))
    story.days(2)
    assert [(mail.invoice, mail.also) for mail in story.mails()[1:]] == [("in_2", ())]


@pytest.mark.parametrize("most", [1, 2])
def test_a_customer_gets_no_more_reminders_in_thirty_days_than_the_policy_allows(most: int) -> None:
    """B18, B54: short cycles fail again and again; the cases still end."""
    story = Story(a.an_account(a.a_policy(contact=ContactPolicy(max_per_30_days=most)))).opened(a.HARD)
    story.mail_answered()
    for _ in range(20):
        story.days(1)
        if story.case().flight is not None:
            story.mail_answered()
    assert len(story.mails()) == most
    assert "mail_cap" in {event.reason for event in story.events if event.event_type == "dunning_skipped"}
    assert (story.case().status, story.case().reason) == ("abandoned", "mail_cap")


def test_the_pause_between_two_mails_is_the_policys() -> None:
    """B18."""
    story = Story(a.an_account(a.a_policy(contact=ContactPolicy(min_hours_between=48)))).opened(a.HARD)
    story.mail_answered()
    a_second_failure(story, a.at(hours=1))
    story.days(3)
    assert story.mails()[1].occurred_at - story.mails()[0].occurred_at == timedelta(hours=48)

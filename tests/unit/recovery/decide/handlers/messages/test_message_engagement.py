"""What comes back from messages is recorded beside the case and decides nothing (B81)."""

import pytest

from recovery.contracts.facts import (
    MessageBounced,
    MessageClicked,
    MessageDelivered,
    MessageOpened,
    MessageReceived,
    MessageUndelivered,
)
from tests.support import builders as a
from tests.support.story import Story

EFFECT = f"{a.ACCOUNT}.{a.INVOICE}.message.3"


def echo(fact, **fields):
    known = {"effect": EFFECT} if fact is not MessageReceived else {}
    return fact(**a.header(f"echo:{fact.__name__}", a.at(hours=5)), **(known | fields))


ECHOES = [
    (echo(MessageOpened), "message_opened", ""),
    (echo(MessageOpened, machine="agent"), "message_opened", "machine_agent"),
    (echo(MessageClicked), "message_clicked", ""),
    (echo(MessageClicked, machine="too_soon"), "message_clicked", "machine_too_soon"),
    (echo(MessageDelivered, medium="sms"), "message_delivered", ""),
    (echo(MessageUndelivered, medium="sms", why="twilio_30003"), "message_undelivered", "twilio_30003"),
    (echo(MessageUndelivered, medium="sms"), "message_undelivered", "failed"),
    (echo(MessageReceived, word="help"), "message_received", "text_help"),
]


@pytest.mark.parametrize(("fact", "event_type", "reason"), ECHOES)
def test_an_echo_is_told_with_its_case_and_changes_nothing(fact, event_type, reason):
    """B81"""
    story = Story()
    story.tell(a.a_failure())
    before = story.case()
    step = story.tell(fact)
    [event] = step.events
    assert (event.event_type, event.reason, event.invoice, event.sequence) == (event_type, reason, a.INVOICE, before.sequence + 1)
    assert event.status == ""  # it says nothing of where the case stands
    assert not step.effects
    after = story.case()
    after.sequence = before.sequence
    assert after == before


@pytest.mark.parametrize(("fact", "event_type", "reason"), ECHOES)
def test_an_echo_without_a_case_is_told_all_the_same_and_makes_no_row(fact, event_type, reason):
    story = Story()
    [event] = story.tell(fact).events
    assert (event.event_type, event.reason, event.sequence) == (event_type, reason, 0)
    assert story.customer is None


def test_the_same_echo_again_is_only_noted_as_repeated():
    story = Story()
    story.tell(a.a_failure())
    story.tell(echo(MessageOpened))
    assert [event.event_type for event in story.tell(echo(MessageOpened)).events] == ["duplicate_fact_ignored"]


def test_a_text_of_a_number_that_nobody_has_says_so():
    fact = MessageReceived(**a.header("text", a.at(hours=1), "") | {"customer": ""}, word="stop")
    assert [event.reason for event in Story().tell(fact).events] == ["unknown_number"]


def test_a_bounce_names_the_message_that_came_back():
    story = Story()
    fact = MessageBounced(**a.header("bounce", a.at(hours=1), cause=EFFECT), hard=True, why="5.1.1")
    assert [event.effect for event in story.tell(fact).events if event.event_type == "contact_changed"] == [EFFECT]

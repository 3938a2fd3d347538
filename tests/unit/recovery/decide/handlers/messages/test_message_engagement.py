"""What comes back from messages is recorded beside the case and decides nothing (B81)."""

from typing import Any

import pytest

from recovery.contracts import facts
from recovery.contracts.facts import (
    MessageBounced,
    MessageClicked,
    MessageDelivered,
    MessageOpened,
    MessageReceived,
    MessageUndelivered,
)
from tests.support import builders as a
from tests.support.story import Story, fields_of

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


ALERTED = {"effect": "acct_1.in_1.alert.1"}


ALERT = {**ALERTED, "medium": "slack", "event_type": "payment_failed"}


HOOK = {"effect": "acct_1.in_1.webhook-shop.1", "endpoint": "shop", "event": "0-7-1", "event_type": "payment_failed", "tries": 3}


HOOKED = {"endpoint": "shop", "event": "0-7-1", "event_type": "payment_failed", "tries": "3"}


ECHO = {"effect": "acct_1.in_1.message.2", "medium": "sms", "message": "SM1"}


ECHOED = {"medium": "sms", "message": "SM1"}


@pytest.mark.parametrize(
    ("fact", "words"),
    [
        (
            a.a_fact_of(facts.AlertSettled, **ALERT, result="sent", message="<1>"),
            ("alert_sent", "", ALERT["effect"], "sent", {"medium": "slack", "event": "payment_failed", "message": "<1>"}),
        ),
        (
            a.a_fact_of(facts.AlertSettled, **ALERT, result="skipped", why="no_address"),
            ("alert_skipped", "no_address", ALERT["effect"], "skipped", {"medium": "slack", "event": "payment_failed"}),
        ),
        (
            a.a_fact_of(facts.AlertSettled, **ALERT, result="failed"),
            ("alert_skipped", "failed", ALERT["effect"], "failed", {"medium": "slack", "event": "payment_failed"}),
        ),
        (
            a.a_fact_of(facts.WebhookSettled, **HOOK, result="delivered", status=204),
            ("webhook_delivered", "", HOOK["effect"], "delivered", HOOKED | {"status": "204"}),
        ),
        (
            a.a_fact_of(facts.WebhookSettled, **HOOK, result="failed", why="gone"),
            ("webhook_delivery_failed", "gone", HOOK["effect"], "failed", HOOKED),
        ),
        (
            a.a_fact_of(facts.WebhookSettled, **HOOK, result="skipped"),
            ("webhook_delivery_failed", "skipped", HOOK["effect"], "skipped", HOOKED),
        ),
        (
            a.a_fact_of(facts.EndpointDisabled, endpoint="shop", why="410 for a day"),
            ("endpoint_disabled", "endpoint_fails", "", "", {"endpoint": "shop", "why": "410 for a day"}),
        ),
        (a.a_fact_of(facts.MessageDelivered, **ECHO), ("message_delivered", "", ECHO["effect"], "", ECHOED)),
        (a.a_fact_of(facts.MessageUndelivered, **ECHO, why="30003"), ("message_undelivered", "30003", ECHO["effect"], "", ECHOED)),
        (a.a_fact_of(facts.MessageUndelivered, **ECHO), ("message_undelivered", "failed", ECHO["effect"], "", ECHOED)),
        (
            a.a_fact_of(facts.MessageOpened, effect="e.1", contact="desk", machine="agent"),
            ("message_opened", "machine_agent", "e.1", "", {"medium": "email", "contact": "desk"}),
        ),
        (
            a.a_fact_of(facts.MessageClicked, effect="e.1", contact="desk"),
            ("message_clicked", "", "e.1", "", {"medium": "email", "contact": "desk"}),
        ),
        (
            a.a_fact_of(facts.MessageReceived, word="help", message="SM2"),
            ("message_received", "text_help", "", "", {"medium": "sms", "message": "SM2", "word": "help"}),
        ),
        (
            a.a_fact_of(facts.MessageBounced, hard=True, contact="desk", why="550"),
            ("contact_changed", "other_contact_bounced", "", "", {"medium": "email", "why": "550"}),
        ),
        (
            a.a_fact_of(facts.MessageBounced, hard=True, remaining=1),
            ("contact_changed", "first_contact_bounced", "", "", {"medium": "email"}),
        ),
        (
            a.a_fact_of(facts.RetryRequested, invoice="in_x", who="ada"),
            ("command_refused", "no_open_case", "", "", {"command": "retry_requested", "who": "ada"}),
        ),
    ],
)
@pytest.mark.parametrize("known", [True, False])
def test_an_event_says_what_the_fact_said(fact: Any, words: Any, known: bool) -> None:
    """F61, B93: on the row of a customer with a case, and without a row."""
    story = Story().opened() if known else Story()
    story.tell(fact)
    event = next(event for event in reversed(story.events) if event.event_type == words[0])
    assert fields_of(event)[:2] + fields_of(event)[3:] == words[:2] + words[3:]
    assert event.effect == words[2] or words[0] == "contact_changed"

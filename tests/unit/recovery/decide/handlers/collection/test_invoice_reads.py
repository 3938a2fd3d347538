"""The result of an invoice read, and what follows where a read failed."""

from datetime import timedelta
from typing import Any

import pytest

from recovery.contracts import facts
from recovery.contracts.facts import SubscriptionChanged
from recovery.decide.handlers.collection.invoice_reads import REPEATS
from tests.support import builders as a
from tests.support.story import Story, fields_of
from tests.support.transcript import failure, look, opened, told


def test_a_debit_on_its_way_is_not_given_up_because_looks_fail() -> None:
    """B34."""
    story = opened(Story(), a.PROCESSING)
    story.days(1.1)
    for _ in range(4):
        story.tell(a.no_reading(story.reads()[-1].id, story.now))
        story.days(0.1)
    read_at = story.case().read_at
    assert read_at is not None
    assert read_at - story.now > timedelta(hours=20)
    assert (story.charges(), story.mails()) == ([], [])


@pytest.mark.parametrize("kind", [facts.InvoiceRead, facts.SubscriptionEndSettled])
def test_an_answer_about_an_invoice_without_a_case_is_noted_as_such(kind: Any) -> None:
    story = Story().opened()
    answer = a.a_reading("e.1", a.at(hours=1), invoice="in_9")
    end = told(facts.SubscriptionEndSettled, a.at(hours=1), "in_9", effect="e.1", action="cancel", result="done")
    story.tell(answer if kind is facts.InvoiceRead else end)
    assert (story.events[-1].event_type, story.events[-1].reason) == ("fact_had_no_effect", "no_case")


def test_an_invoice_that_is_a_draft_is_looked_at_again_a_day_later() -> None:
    story = Story()
    story.tell(failure())
    look(story, state=a.a_state("draft"))
    assert (story.reason_and_details("case_updated"), story.case().read_at) == (("draft", {}), story.now + timedelta(days=1))


def test_a_look_at_an_invoice_that_is_gone_says_so() -> None:
    story = Story()
    story.tell(a.a_failure())
    story.tell(a.no_reading(story.reads()[0].id, story.now, "deleted", gone=True))
    event = story.last("read_failed")
    assert (event.reason, event.details, story.case().reason) == ("gone", {"why": "deleted"}, "invoice_gone")


def test_a_suspended_case_whose_looks_fail_waits_another_day() -> None:
    """B69: nothing is decided while collection is paused."""
    story = Story().opened()
    story.tell(
        SubscriptionChanged(
            **a.header("e", a.at(hours=1), ""), subscription=a.SUBSCRIPTION, status="active", paused=True, pause_behavior="void"
        )
    )
    assert story.last("case_updated").reason == "subscription_paused"
    story.days(1.1)
    for _ in range(REPEATS + 1):
        story.tell(a.no_reading(story.reads()[-1].id, story.now))
        story.days(0.1)
    assert story.case().read_at is not None
    assert story.case().read_at > story.now + timedelta(hours=20)
    assert (story.charges(), story.mails()) == ([], [])


def test_a_look_that_failed_says_why_and_which_it_was() -> None:
    story = Story()
    story.tell(a.a_failure())
    effect = story.reads()[-1].id
    story.tell(a.no_reading(effect, a.at(hours=0.1), "timeout"))
    assert fields_of(story.last("read_failed")) == ("read_failed", "read_failed", effect, "", {"why": "timeout"})
    story.until(a.at(hours=2))
    effect = story.reads()[-1].id
    story.until(a.at(days=2))
    failed = next(event for event in story.events if event.event_type == "read_failed" and event.effect == effect)
    assert failed.reason == "unanswered"
    story.tell(a.no_reading(story.reads()[-1].id, story.now, "gone: 404", gone=True))
    assert story.last("read_failed").reason == "gone"

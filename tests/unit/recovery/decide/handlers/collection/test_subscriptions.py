"""Cancelled, kept after all, paused, unpaid: what a subscription's events mean for its open invoices, in whatever order they come."""

from datetime import datetime
from typing import Any

import pytest

from recovery.contracts import facts
from recovery.contracts.facts import (
    ChargeRefunded,
    CustomerDeleted,
    DisputeOpened,
    Fact,
    InvoiceVoided,
    InvoiceWrittenOff,
    StopRequested,
    SubscriptionChanged,
    SubscriptionEnded,
)
from recovery.ids import idempotency_key
from tests.support import builders as a
from tests.support.story import Story

OPEN_READING: dict[str, Any] = {"subscription_status": "past_due"}


def changed(id: str, when: datetime, **fields: Any) -> SubscriptionChanged:
    return SubscriptionChanged(**a.header(id, when, ""), **({"subscription": a.SUBSCRIPTION, "status": "past_due"} | fields))


def ended(id: str, when: datetime, why: str = "cancellation_requested") -> SubscriptionEnded:
    return SubscriptionEnded(**a.header(id, when, ""), subscription=a.SUBSCRIPTION, why=why)


def read_shows(story: Story, when: datetime, **fields: Any) -> None:
    """The answer to the latest read."""
    story.tell(a.a_reading(story.reads()[-1].id, when, **(OPEN_READING | fields)))


OLD_NEWS: list[Fact] = [
    changed("evt_old", a.at(hours=-30), cancel_at_period_end=True),
    changed("evt_old", a.at(hours=-30), paused=True),
    changed("evt_old", a.at(hours=-30), status="canceled"),
    ended("evt_old", a.at(hours=-30)),
    CustomerDeleted(**a.header("evt_old", a.at(hours=-30), "")),
    InvoiceVoided(**a.header("evt_old", a.at(hours=-30)), state=a.a_state("void")),
    InvoiceWrittenOff(**a.header("evt_old", a.at(hours=-30)), state=a.a_state("uncollectible")),
    a.a_change("evt_old", a.at(hours=-30), state=a.a_state("void")),
    a.a_payment("evt_old", a.at(hours=-30)),
    ChargeRefunded(**a.header("evt_old", a.at(hours=-30)), charge="ch_before", amount_refunded=4900, currency="eur"),
    DisputeOpened(**a.header("evt_old", a.at(hours=-30)), dispute="dp_1", charge="ch_before", amount_minor=4900, currency="eur"),
]
TOLD = [f"{type(fact).__name__}{number}" for number, fact in enumerate(OLD_NEWS)]


@pytest.mark.parametrize("fact", OLD_NEWS, ids=TOLD)
def test_what_is_older_than_the_failure_ends_nothing_but_is_read_again_at_most(fact: Fact) -> None:
    """B3: an event may be told three days late."""
    story = Story().opened()
    story.tell(fact)
    assert story.case().active
    assert story.case().suspended_at is None
    if len(story.reads()) > 1:
        read_shows(story, a.at(hours=0.1))
    story.until(a.at(days=1))
    assert [charge.because for charge in story.charges()] == ["ladder_1"]


@pytest.mark.parametrize("fact", OLD_NEWS, ids=TOLD)
def test_what_is_older_than_the_failure_ends_nothing_before_the_first_read_either(fact: Fact) -> None:
    """B3."""
    story = Story()
    story.tell(a.a_failure())
    story.tell(fact)
    assert story.case().active
    assert len(story.reads()) == 1
    read_shows(story, a.at(hours=0.1))
    story.until(a.at(days=1))
    assert [charge.because for charge in story.charges()] == ["ladder_1"]


def test_what_is_told_in_the_second_of_the_last_read_is_read_again() -> None:
    """B3: Stripe's times have whole seconds, so it cannot be known which came last."""
    story = Story().opened()
    story.tell(changed("evt_same", a.START.replace(second=5), cancel_at_period_end=True))
    assert story.case().active
    assert len(story.reads()) == 2
    read_shows(story, a.at(hours=0.1), subscription_ending=True)
    assert (story.case().status, story.case().reason) == ("closed", "cancelled")


def test_a_cancellation_that_was_taken_back_before_it_was_told_ends_nothing() -> None:
    """B3, B68: both are newer than the failure, and come in the wrong order."""
    story = Story().opened()
    story.tell(changed("evt_kept", a.at(hours=8)))
    story.tell(changed("evt_ends", a.at(hours=5), cancel_at_period_end=True))
    assert story.case().active
    assert story.events[-1].reason == "older_than_known"


def test_who_cancels_and_stays_after_all_is_recovered() -> None:
    """B68: the read after the change of mind opens the case again, and it goes on where it stood."""
    story = Story().opened()
    story.tell(changed("evt_ends", a.at(hours=5), cancel_at_period_end=True))
    assert story.case().status == "closed"
    story.tell(changed("evt_kept", a.at(hours=8)))
    assert story.case().status == "closed", "until Stripe has said so"
    read_shows(story, a.at(hours=8.1))
    assert (story.case().active, story.last("case_updated").reason) == (True, "goes_on")
    story.until(a.at(days=1))
    assert [charge.because for charge in story.charges()] == ["ladder_1"]


def test_a_failure_told_after_a_cancellation_asks_whether_it_still_holds() -> None:
    """B68: the change of mind itself may have been lost."""
    story = Story().opened()
    story.tell(changed("evt_ends", a.at(hours=5), cancel_at_period_end=True))
    story.tell(a.a_failure("evt_again", a.at(days=3), state=a.a_state(attempt_count=2)))
    read_shows(story, a.at(days=3.01))
    assert story.case().active


@pytest.mark.parametrize(
    "shown",
    [{"subscription_ending": True}, {"subscription_status": "canceled"}, {"state": a.a_state("void")}, {"customer_deleted": True}],
)
def test_what_is_still_over_stays_closed_when_it_is_read_again(shown: dict[str, Any]) -> None:
    """B67, B68."""
    story = Story().opened()
    story.tell(changed("evt_ends", a.at(hours=5), cancel_at_period_end=True))
    story.tell(changed("evt_kept", a.at(hours=8)))
    read_shows(story, a.at(hours=8.1), **shown)
    assert (story.case().status, story.case().reason) == ("closed", "cancelled")
    assert not story.days(60)


def test_a_read_made_before_the_cancellation_does_not_open_the_case_again() -> None:
    """B3: it was asked before, and its answer comes later."""
    story = Story()
    story.tell(a.a_failure())
    story.tell(changed("evt_ends", a.at(hours=1), cancel_at_period_end=True))
    read_shows(story, a.at(hours=0.5))
    assert story.case().status == "closed"


def test_our_own_attempt_that_was_under_way_does_not_ask_about_a_cancellation() -> None:
    story = Story().opened()
    story.days(1)
    story.tell(ended("evt_ends", a.at(days=1)))
    key = idempotency_key(story.charges()[0].id)
    story.tell(a.a_failure("evt_ours", a.at(days=1.01), request_key=key))
    assert len(story.reads()) == 1


def test_a_case_that_a_person_stopped_is_not_opened_by_a_change_of_mind() -> None:
    """B60."""
    story = Story().opened()
    story.tell(ended("evt_ends", a.at(hours=5)))
    story.tell(StopRequested(**a.header("cmd_1", a.at(hours=6)), who="ada"))
    story.tell(changed("evt_kept", a.at(hours=8)))
    assert len(story.reads()) == 1


def test_an_end_that_was_agreed_before_the_invoice_was_made_leaves_its_last_instalment_owed() -> None:
    """B68: a year's contract, or instalments: nobody has left."""
    story = Story().opened()
    story.tell(changed("evt_term", a.at(hours=1), cancel_at_period_end=True, ending_since=a.at(days=-60)))
    assert story.case().active
    story.tell(changed("evt_ends", a.at(hours=2), cancel_at_period_end=True, ending_since=a.at(hours=2)))
    assert (story.case().status, story.case().reason) == ("closed", "cancelled")


def test_a_subscription_that_stripe_cancelled_for_its_failed_payment_is_lost_and_not_left() -> None:
    """B67: told by a webhook, or by the read."""
    story = Story().opened(a.HARD)
    story.tell(ended("evt_lost", a.at(days=12), "payment_failed"))
    assert (story.case().status, story.last("case_abandoned").reason) == ("abandoned", "cancelled_for_non_payment")
    assert story.last("case_abandoned").details == {"why": "payment_failed"}
    story = Story().opened(subscription_status="canceled", subscription_why="payment_failed")
    assert (story.case().status, story.case().reason) == ("abandoned", "cancelled_for_non_payment")
    story = Story().opened()
    story.tell(changed("evt_lost", a.at(days=1), status="canceled", why="payment_failed"))
    assert story.case().status == "abandoned"


def test_a_subscription_cancelled_for_a_dispute_is_closed_as_disputed() -> None:
    story = Story().opened()
    story.tell(ended("evt_d", a.at(days=1), "payment_disputed"))
    assert (story.case().status, story.case().reason) == ("closed", "disputed")


@pytest.mark.parametrize("told_by", ["webhook", "read"])
def test_an_unpaid_subscription_is_not_a_cancelled_one(told_by: str) -> None:
    """With Stripe's retries off and `mark as unpaid` at their end, the first failure makes it unpaid; paying makes it active again."""
    story = Story().opened(subscription_status="unpaid" if told_by == "read" else "past_due")
    if told_by == "webhook":
        story.tell(changed("evt_u", a.at(hours=1), status="unpaid"))
    story.until(a.at(days=1))
    assert [charge.because for charge in story.charges()] == ["ladder_1"]


def test_a_pause_that_does_not_say_why_is_read() -> None:
    """B102: it may be a pause for this very failure, which stops nothing."""
    story = Story().opened()
    story.tell(changed("evt_p", a.at(hours=1), status="paused", paused=True, pause_unclear=True))
    assert story.case().suspended_at is None
    assert len(story.reads()) == 2
    read_shows(story, a.at(hours=1.1), subscription_paused=True)
    assert story.case().suspended_at is not None


def test_a_payment_older_than_an_open_invoice_went_back_and_ends_nothing() -> None:
    """B72: the paid event of a debit that was returned comes after the new failure."""
    story = Story().opened()
    story.tell(a.a_failure("evt_again", a.at(days=3)))
    story.tell(a.a_payment("evt_late", a.at(days=2)))
    assert story.case().active
    assert "payment_recovered" not in story.types()
    assert story.last("read_requested").occurred_at >= a.at(days=3)


@pytest.mark.parametrize(("ending", "why"), [(True, "at_period_end"), (False, "canceled")])
def test_a_cancellation_tells_of_which_kind_it_was(ending: bool, why: str) -> None:
    """B67, B68."""
    story = Story().opened()
    status = "past_due" if ending else "canceled"
    story.tell(a.a_fact_of(facts.SubscriptionChanged, 1, "", subscription=a.SUBSCRIPTION, status=status, cancel_at_period_end=ending))
    assert story.last("case_closed").details == {"why": why}


def two_of(subscriptions: tuple[str, str]) -> Story:
    """Two open invoices, of these subscriptions."""
    story = Story()
    for number, subscription in enumerate(subscriptions, 1):
        state = a.a_state(subscription=subscription)
        story.tell(a.a_failure(f"evt_{number}", a.START, f"in_{number}", state=state))
        story.tell(a.a_reading(story.reads()[-1].id, a.START, invoice=f"in_{number}", state=state))
    return story


@pytest.mark.parametrize(("subscriptions", "closed"), [(("sub_a", "sub_a"), {"in_1", "in_2"}), (("sub_a", "sub_b"), {"in_1"})])
def test_a_cancellation_ends_all_invoices_of_its_subscription_and_no_others(subscriptions: tuple[str, str], closed: set[str]) -> None:
    """B67, B68."""
    story = two_of(subscriptions)
    ends = {"subscription": "sub_a", "status": "past_due", "cancel_at_period_end": True}
    story.tell(a.a_fact_of(facts.SubscriptionChanged, 1, "", **ends))
    assert {event.invoice for event in story.events if event.event_type == "case_closed"} == closed


def test_who_leaves_changes_nothing_of_what_had_ended_otherwise() -> None:
    """B67."""
    story = Story().opened()
    story.tell(a.a_fact_of(facts.InvoiceVoided, 1, state=a.a_state("void")))
    story.tell(a.a_fact_of(facts.CustomerDeleted, 2, ""))
    assert story.case().reason == "voided"


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

"""Who collects an invoice: Stripe by itself, or a person who has taken it over (B14)."""

from typing import Any

import pytest

from recovery.ids import idempotency_key
from tests.support import builders as a
from tests.support.story import Story

OFF = a.a_state(auto_advance=False)
MERCHANT: dict[str, Any] = {"request_id": "req_merchant", "request_key": "key-of-a-merchant"}


def test_an_automatic_attempt_opens_a_case_though_stripe_collects_no_more() -> None:
    """With Stripe's own retries off the first attempt is the last, and its event may say so already."""
    story = Story()
    story.tell(a.a_failure(state=OFF))
    story.tell(a.a_reading(story.reads()[-1].id, a.at(hours=0.1), state=OFF))
    story.until(a.at(days=1))
    assert [charge.because for charge in story.charges()] == ["ladder_1"]


@pytest.mark.parametrize("request_of", [{"request_id": "req_1"}, {"request_key": "key_1"}, MERCHANT])
def test_a_persons_own_attempt_on_an_invoice_that_stripe_does_not_collect_opens_none(request_of: dict[str, str]) -> None:
    """It was off before the attempt."""
    story = Story()
    step = story.tell(a.a_failure(state=OFF, **request_of))
    assert step.customer is None
    assert story.last("failure_ignored").reason == "human_owns_it"


def test_who_switches_collection_off_without_an_attempt_has_taken_the_invoice_over() -> None:
    """A read tells whether it is so, since a cancellation switches it off as well."""
    story = Story().opened()
    story.tell(a.a_change("evt_off", a.at(hours=1), state=OFF, switched_off=True, **MERCHANT))
    assert story.case().active
    story.tell(a.a_reading(story.reads()[-1].id, a.at(hours=1.1), state=OFF))
    assert (story.case().status, story.case().reason) == ("closed", "human_owns_it")
    assert not story.days(30)


def test_a_cancellation_that_switched_collection_off_is_told_as_a_cancellation() -> None:
    story = Story().opened()
    story.tell(a.a_change("evt_off", a.at(hours=1), state=OFF, switched_off=True, **MERCHANT))
    story.tell(a.a_reading(story.reads()[-1].id, a.at(hours=1.1), state=OFF, subscription_status="canceled"))
    assert story.case().reason == "cancelled"


@pytest.mark.parametrize("by", [{}, {"request_id": "req_1", "request_key": "ours"}])
def test_what_stripe_or_we_switched_off_leaves_the_case_open(by: dict[str, str]) -> None:
    story = Story().opened()
    if by:
        by = by | {"request_key": idempotency_key("acct_1.in_1.charge.1")}
    story.tell(a.a_change("evt_off", a.at(hours=1), state=OFF, switched_off=True, **by))
    assert len(story.reads()) == 1
    assert story.case().active


def test_collection_that_is_switched_on_again_opens_the_case_again() -> None:
    story = Story().opened()
    story.tell(a.a_change("evt_off", a.at(hours=1), state=OFF, switched_off=True, **MERCHANT))
    story.tell(a.a_reading(story.reads()[-1].id, a.at(hours=1.1), state=OFF))
    story.tell(a.a_change("evt_on", a.at(hours=2), state=a.a_state(), **MERCHANT))
    story.tell(a.a_reading(story.reads()[-1].id, a.at(hours=2.1)))
    story.until(a.at(days=1))
    assert [charge.because for charge in story.charges()] == ["ladder_1"]


def test_collection_that_was_switched_on_before_the_read_is_nobodys() -> None:
    story = Story().opened()
    story.tell(a.a_change("evt_off", a.at(hours=1), state=OFF, switched_off=True, **MERCHANT))
    story.tell(a.a_reading(story.reads()[-1].id, a.at(hours=1.1)))
    assert story.case().active


def test_without_an_answer_the_person_keeps_the_invoice() -> None:
    """Nothing is charged while it cannot be known."""
    story = Story().opened()
    story.tell(a.a_change("evt_off", a.at(hours=1), state=OFF, switched_off=True, **MERCHANT))
    story.until(a.at(days=10))
    assert not story.charges() + story.mails()
    assert (story.case().status, story.case().reason) == ("closed", "human_owns_it")

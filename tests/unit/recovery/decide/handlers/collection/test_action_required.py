"""The bank requires the customer (B17): before, during and after a case."""

from typing import Any

from recovery.contracts.facts import InvoiceVoided, PaymentActionRequired
from tests.support import builders as a
from tests.support.story import Story


def test_a_bank_that_asks_for_the_customer_while_a_case_is_open_changes_its_way():
    """B17."""
    story = Story().opened()
    story.tell(PaymentActionRequired(**a.header("evt_a", a.at(hours=2)), state=a.a_state()))
    story.days(2)
    assert story.case().status == "action_required"
    assert (len(story.charges()), len(story.mails())) == (0, 1)


def action_required(hours: float = 2, id: str = "evt_a", **fields: Any) -> PaymentActionRequired:
    """The bank wants the customer."""
    return PaymentActionRequired(**a.header(id, a.at(hours=hours)), **({"state": a.a_state()} | fields))


def test_a_bank_that_asks_anew_ends_the_retries_and_begins_the_mails_at_once() -> None:
    """B17: the decline that was read before is no longer the latest."""
    story = Story().opened()
    story.tell(action_required())
    assert (story.last("decline_classified").decline_kind, story.last("decline_classified").decline_code) == (
        "needs_auth",
        "authentication_required",
    )
    assert story.last("dunning_scheduled").reason == "authentication_required"
    assert (story.case().retry_at, story.case().status) == (None, "action_required")


def test_a_bank_that_asked_at_the_moment_of_the_latest_failure_counts_and_before_it_does_not() -> None:
    """B3, B17."""
    for hours, kind in ((0, "needs_auth"), (-1, "soft")):
        story = Story().opened()
        story.tell(action_required(hours))
        verdict = story.case().verdict
        assert verdict is not None
        assert verdict.kind == kind, hours


def test_a_bank_that_asks_twice_is_classified_once() -> None:
    story = Story().opened()
    story.tell(action_required())
    story.tell(action_required(3, "evt_b"))
    assert [event.decline_kind for event in story.events if event.event_type == "decline_classified"] == ["soft", "needs_auth"]
    assert story.types().count("dunning_scheduled") == 1


def test_a_bank_that_asks_while_our_charge_is_under_way_waits_for_its_answer() -> None:
    """B17, B33: the answer says the same and more."""
    story = Story().opened()
    story.days(1)
    story.tell(action_required(24.1))
    flight = story.case().pending_effect
    assert flight is not None
    assert (flight.kind, story.types().count("decline_classified")) == ("charge", 1)
    story.charge_answered("needs_action")
    assert story.case().status == "action_required"


def test_a_bank_that_asks_before_the_look_is_remembered_where_no_look_can_be_had() -> None:
    """B17, B25."""
    story = Story()
    story.tell(a.a_failure())
    story.tell(action_required(0.1))
    assert story.case().authentication_required
    for _ in range(5):
        story.tell(a.no_reading(story.reads()[-1].id, story.now))
        story.days(0.1)
    assert story.case().status == "action_required"
    assert story.last("decline_classified").decline_kind == "needs_auth"


def test_a_bank_that_asks_after_the_end_changes_nothing() -> None:
    story = Story().opened()
    story.tell(InvoiceVoided(**a.header("evt_v", a.at(hours=1)), state=a.a_state("void")))
    story.tell(action_required())
    assert (story.events[-1].event_type, story.events[-1].reason, story.case().status) == ("fact_had_no_effect", "case_ended", "closed")


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

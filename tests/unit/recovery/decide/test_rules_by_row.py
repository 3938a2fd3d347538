"""Rules that only a rare fact meets, each with its row: what mutation testing had found without one."""

from datetime import timedelta
from typing import Any

import pytest

from recovery.contracts.facts import (
    ChargeSettled,
    CustomerChanged,
    Decline,
    ExcludeRequested,
    InvoiceVoided,
    MessageBounced,
    MessageComplained,
    PaymentActionRequired,
    ResumeRequested,
    RetryRequested,
    SnoozeRequested,
    StopRequested,
    SubscriptionChanged,
)
from recovery.decide.handlers.collection.case_closing import paid_amount
from recovery.decide.handlers.collection.invoice_reads import REPEATS
from recovery.decide.rules import attribution_audit
from recovery.decide.rules.classify import classify
from tests.support import builders as a
from tests.support.story import Story


def asks(hours: float = 2, id: str = "evt_a", **fields: Any) -> PaymentActionRequired:
    """The bank wants the customer."""
    return PaymentActionRequired(**a.header(id, a.at(hours=hours)), **({"state": a.a_state()} | fields))


def two_cases() -> Story:
    story = Story().opened()
    story.tell(a.a_failure("evt_2", a.at(hours=1), "in_2"))
    story.tell(a.a_reading(story.reads()[-1].id, story.now, invoice="in_2"))
    return story


def test_a_bank_that_asks_anew_ends_the_retries_and_begins_the_mails_at_once() -> None:
    """B17: the decline that was read before is no longer the latest."""
    story = Story().opened()
    story.tell(asks())
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
        story.tell(asks(hours))
        verdict = story.case().verdict
        assert verdict is not None
        assert verdict.kind == kind, hours


def test_a_bank_that_asks_twice_is_classified_once() -> None:
    story = Story().opened()
    story.tell(asks())
    story.tell(asks(3, "evt_b"))
    assert [event.decline_kind for event in story.events if event.event_type == "decline_classified"] == ["soft", "needs_auth"]
    assert story.types().count("dunning_scheduled") == 1


def test_a_bank_that_asks_while_our_charge_is_under_way_waits_for_its_answer() -> None:
    """B17, B33: the answer says the same and more."""
    story = Story().opened()
    story.days(1)
    story.tell(asks(24.1))
    flight = story.case().pending_effect
    assert flight is not None
    assert (flight.kind, story.types().count("decline_classified")) == ("charge", 1)
    story.charge_answered("needs_action")
    assert story.case().status == "action_required"


def test_a_bank_that_asks_before_the_look_is_remembered_where_no_look_can_be_had() -> None:
    """B17, B25."""
    story = Story()
    story.tell(a.a_failure())
    story.tell(asks(0.1))
    assert story.case().authentication_required
    for _ in range(5):
        story.tell(a.no_reading(story.reads()[-1].id, story.now))
        story.days(0.1)
    assert story.case().status == "action_required"
    assert story.last("decline_classified").decline_kind == "needs_auth"


def test_a_bank_that_asks_after_the_end_changes_nothing() -> None:
    story = Story().opened()
    story.tell(InvoiceVoided(**a.header("evt_v", a.at(hours=1)), state=a.a_state("void")))
    story.tell(asks())
    assert (story.events[-1].event_type, story.events[-1].reason, story.case().status) == ("fact_had_no_effect", "case_ended", "closed")


@pytest.mark.parametrize(
    ("method", "raw", "kind"),
    [
        ("us_bank_account", "R99", "hard"),
        ("us_bank_account", "R9", "soft"),
        ("us_bank_account", "R999", "soft"),
        ("us_bank_account", "X99", "soft"),
        ("us_bank_account", "R9A", "soft"),
        ("sepa_debit", "R99", "soft"),
        ("bacs_debit", "R99", "soft"),
    ],
)
def test_a_return_code_that_nobody_lists_is_hard_for_ach_alone(method: str, raw: str, kind: str) -> None:
    """B26, B27, stripe.md 1.7: elsewhere such a word is an unknown code."""
    verdict = classify(Decline(code="never_heard_of", network_decline_code=raw, method_type=method), None)
    assert verdict.kind == kind


def test_resuming_everything_takes_back_every_stop_snooze_and_exclusion() -> None:
    """B60: one word for all invoices of the customer; each case says so."""
    story = two_cases()
    story.tell(StopRequested(**a.header("c1", a.at(hours=2)), who="ada"))
    story.tell(StopRequested(**a.header("c2", a.at(hours=2), "in_2"), who="ada"))
    story.tell(ResumeRequested(**a.header("c3", a.at(hours=3), ""), who="ada", why="a mistake"))
    assert story.customer is not None
    assert story.customer.holds == {}
    for invoice in ("in_1", "in_2"):
        assert (story.case(invoice).status, story.case(invoice).reason) == ("retrying", "resume_requested")
    told = [(event.invoice, event.reason) for event in story.events if event.event_type in {"command_accepted", "case_updated"}][2:]
    assert told == [("", "resume_requested"), ("in_1", "resume_requested"), ("in_2", "resume_requested")]
    assert story.last("command_accepted").details == {"command": "resume_requested", "who": "ada", "why": "a mistake"}
    assert {read.invoice for read in story.reads()[-2:]} == {"in_1", "in_2"}


def test_resuming_everything_pulls_each_snoozed_case_to_now() -> None:
    story = two_cases()
    story.tell(SnoozeRequested(**a.header("c1", a.at(hours=2), ""), who="ada", until=a.at(days=20)))
    story.days(3)
    story.tell(ResumeRequested(**a.header("c2", a.at(days=4), ""), who="ada"))
    assert [(charge.invoice, charge.occurred_at) for charge in story.charges()] == [("in_1", a.at(days=4)), ("in_2", a.at(days=4))]


def test_resuming_everything_after_an_exclusion_is_told_once_for_the_customer() -> None:
    story = two_cases()
    story.tell(ExcludeRequested(**a.header("c1", a.at(hours=2), ""), who="ada", until=a.at(days=20), why="on holiday"))
    taken = story.last("command_accepted")
    assert (taken.sequence, taken.details) == (
        0,
        {"command": "exclude_requested", "who": "ada", "why": "on holiday", "until": a.at(days=20).isoformat()},
    )
    assert story.last("case_closed").details == {"why": "on holiday"}
    story.tell(ResumeRequested(**a.header("c2", a.at(hours=3), ""), who="ada"))
    assert all(story.case(invoice).active for invoice in ("in_1", "in_2"))


def test_a_part_and_a_payment_out_of_band_sum_to_what_was_owed() -> None:
    """B71, stripe.md 4.4: Stripe took 10.00, the rest came beside it and is not in what Stripe says is paid."""
    story = Story().opened()
    story.tell(a.a_change("evt_c", a.at(hours=5), state=a.a_state(paid=1000), request_id="req_1"))
    outside = a.a_state("paid", paid_out_of_band=True, amount_paid=1000)
    story.tell(a.a_payment("evt_p", a.at(hours=6), state=outside, request_id="req_2"))
    assert attribution_audit.parts(story.events) == {"eur": {"customer": 1000, "external": 3900}}
    assert attribution_audit.problems(story.events) == []


@pytest.mark.parametrize(
    ("part", "before", "paid", "out_of_band", "amount"),
    [
        (0, 0, 4900, False, 4900),
        (0, 500, 4900, False, 4400),
        (0, 0, 0, False, 0),
        (0, 0, 0, True, 3900),
        (1000, 0, 1000, True, 4900),
        (1000, 0, 4900, True, 4900),
        (1000, 0, 1000, False, 1000),
    ],
)
def test_what_came_back_is_the_increase_or_all_that_was_at_stake(part: int, before: int, paid: int, out_of_band: bool, amount: int) -> None:
    """B71."""
    case = a.a_case(outstanding_minor=3900, part_minor=part, paid_before=before)
    assert paid_amount(case, a.a_state("paid", amount_paid=paid, paid_out_of_band=out_of_band)) == amount


def test_a_charge_that_nobody_awaits_any_more_still_pays_its_case() -> None:
    """B73: the answer of a withdrawn charge."""
    story = Story().opened()
    story.days(1)
    effect = story.charges()[-1].id
    story.tell(StopRequested(**a.header("c1", a.at(days=1, hours=1)), who="ada"))
    settled = ChargeSettled(**a.header("x", a.at(days=1, hours=2)), effect=effect, result="succeeded", card=a.VISA, charge="ch_9")
    story.tell(settled)
    assert (story.case().status, story.last("payment_recovered").recovered_by) == ("recovered", "our_retry")
    assert story.case().ended_at == a.at(days=1, hours=2)
    assert not story.until(story.now + timedelta(days=30))


def test_a_refused_command_says_who_asked_and_why() -> None:
    """B93: of a case, of an ended one, and of nobody."""
    said = {"command": "retry_requested", "who": "ada", "why": "please"}
    story = Story().opened()
    story.tell(SnoozeRequested(**a.header("c0", a.at(hours=1)), who="ada", until=a.at(hours=1), why="rest"))
    assert story.last("command_refused").details == {"command": "snooze_requested", "who": "ada", "why": "rest"}
    story.tell(StopRequested(**a.header("c1", a.at(hours=2)), who="ada"))
    story.tell(RetryRequested(**a.header("c2", a.at(hours=3)), who="ada", why="please"))
    assert (story.last("command_refused").reason, story.last("command_refused").details) == ("case_ended", said)


def test_what_comes_after_the_end_says_so_and_what_concerns_no_case_too() -> None:
    """B16."""
    story = Story().opened()
    for id, invoice in (("evt_v", "in_1"), ("evt_w", "in_1"), ("evt_x", "in_9")):
        story.tell(InvoiceVoided(**a.header(id, a.at(hours=1), invoice), state=a.a_state("void")))
    assert [event.reason for event in story.events[-2:]] == ["case_ended", "no_case"]


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


def test_a_merchants_own_class_of_a_code_decides() -> None:
    """B19: `decline_overrides` of the policy reach the verdict of a look."""
    story = Story(a.an_account(a.a_policy(decline_overrides={"insufficient_funds": "hard"}))).opened()
    assert story.last("decline_classified").decline_kind == "hard"


def test_a_charge_that_was_not_made_is_told_with_its_result() -> None:
    """B23."""
    story = Story().opened()
    story.days(1)
    story.charge_answered("not_done", why="stripe_attempt_near")
    event = story.last("retry_skipped")
    assert (event.reason, event.result, event.effect) == ("stripe_attempt_near", "not_done", story.charges()[0].id)


def test_each_appointment_of_a_retry_says_why_it_was_chosen() -> None:
    """B39."""
    story = Story().opened()
    assert story.last("retry_scheduled").reason == "ladder_1"


@pytest.mark.parametrize(("kind", "reason"), [(MessageBounced, "bounced"), (MessageComplained, "complained")])
def test_a_bounce_and_a_complaint_keep_their_proof(kind: Any, reason: str) -> None:
    """B53."""
    story = Story().opened()
    more = {"why": "550 no such user", "hard": True} if kind is MessageBounced else {}
    story.tell(kind(**a.header("evt_b", a.at(hours=1), ""), medium="email", message="<m@x>", **more))
    told = {"medium": "email", "message": "<m@x>"} | ({"why": "550 no such user"} if more else {})
    assert (story.last("contact_changed").reason, story.last("contact_changed").details) == (reason, told)


def test_a_new_address_after_a_bounce_says_why_mails_go_again() -> None:
    """B53."""
    story = Story().opened()
    story.tell(MessageBounced(**a.header("evt_b", a.at(hours=1), ""), medium="email", hard=True))
    story.tell(CustomerChanged(**a.header("evt_c", a.at(hours=2), ""), email_changed=True))
    assert (story.last("contact_changed").reason, story.last("contact_changed").details) == ("address_changed", {"medium": "email"})

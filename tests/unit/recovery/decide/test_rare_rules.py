"""Rules that a life seldom meets, asked directly, each with its row."""

from datetime import timedelta
from typing import Any

import pytest

from recovery.contracts import facts
from recovery.contracts.customer import CardAttempt, ContactState
from recovery.contracts.events import Event
from recovery.decide.handlers.collection import charges_and_refunds
from recovery.decide.handlers.collection.retries import PATIENCE, proceed
from recovery.decide.notifications import needs_attention
from recovery.decide.rules import budgets, contactability, schedule
from recovery.decide.rules.classify import classify
from recovery.decide.transition import Transition
from recovery.policy import Budgets, RetryPolicy
from tests.support import builders as a
from tests.support.story import Story
from tests.support.transcript import opened, told

SOFT = classify(a.SOFT, a.VISA)


@pytest.mark.parametrize(("not_done", "reason"), [(PATIENCE - 1, "ladder_1"), (PATIENCE, "requests_came_to_nothing")])
def test_patience_ends_with_the_last_of_its_requests(not_done: int, reason: str) -> None:
    """B40: the mails count from the latest failure."""
    case = a.a_case(verdict=SOFT, consecutive_noops=not_done)
    turn = Transition(a.a_customer(case), a.a_tick(a.at(hours=2)), a.at(hours=2), a.an_account())
    proceed(turn, case)
    assert (case.reason, case.dunning_from) == (reason, a.START if not_done == PATIENCE else None)


def test_an_attempt_of_which_no_card_is_known_counts_for_none() -> None:
    """B31."""
    story = opened(Story(), card=None)
    story.days(1)
    story.charge_answered(card=None)
    assert story.customer is not None
    assert (story.customer.attempts[-1].fingerprint, story.customer.attempts[-1].brand) == ("", "")


def test_of_two_limits_that_are_used_up_the_one_that_is_free_last_is_told() -> None:
    """F65."""
    limits = Budgets(mastercard_24_hours=1, mastercard_30_days=1)
    tried = [CardAttempt("ch_1", a.START, "in_1", "fp_mc", "mastercard", succeeded=False)]
    said = budgets.budget_details(tried, a.MASTERCARD, limits, a.at(hours=1))
    assert (said["window_hours"], said["free_at"], said["used"], said["limit"]) == ("720", a.at(days=30).isoformat(), "1", "1")


def test_an_older_withdrawal_told_late_hides_no_newer_one() -> None:
    """B3, B53."""
    known = ContactState(withdrawn={"sms": a.at(hours=5)})
    contactability.withdraw(known, "sms", a.at(hours=1))
    assert known.withdrawn == {"sms": a.at(hours=5)}


def test_late_positions_of_the_ladder_keep_their_own_distance() -> None:
    """F11."""
    policy = a.a_policy(retry=RetryPolicy(ladder_hours=(24, 30)))
    case = a.a_case(ladder_used=1, last_attempt_at=a.at(hours=40), verdict=SOFT)
    plan = schedule.next_slot(case, a.a_customer(case), policy, a.at(hours=40))
    assert plan == schedule.RetryAt(a.at(hours=46), "ladder_2", "custom_hours")


def test_a_new_method_may_wait_for_its_budget_as_long_as_the_window_is() -> None:
    """B31, B35."""
    case = a.a_case(verdict=SOFT, card=a.VISA, retry_with_new_method=True)
    row = a.a_customer(case, attempts=[CardAttempt("ch_1", a.at(days=-20), "in_9", "fp_visa", "visa", succeeded=False)])
    answer = schedule.may_charge(case, row, a.a_policy(budgets=Budgets(visa_30_days=1)), a.START)
    assert isinstance(answer, schedule.WaitUntil)
    assert (answer.until, answer.because) == (a.at(days=10), "card_budget")


def test_a_failed_intent_that_may_be_of_two_invoices_is_kept_for_none() -> None:
    """stripe.md 3.3."""
    row = a.a_customer(*(a.a_case(invoice=name) for name in ("in_1", "in_2")))
    fact = told(facts.IntentFailed, a.START, "", payment_intent="pi_1", amount_minor=4900, currency="eur", decline=a.HARD)
    charges_and_refunds.intent_failed(Transition(row, fact, a.START, a.an_account()), fact)
    assert (row.unmatched_failures, [case.decline for case in row.cases.values()]) == ([], [None, None])


def test_a_question_whose_charge_it_is_may_be_answered_for_a_week() -> None:
    """B72."""
    turn = Transition(a.a_customer(), a.a_tick(a.START), a.START, a.an_account())
    turn.request_charge_read("ch_1", "~dp_1", disputed_minor=4900, dispute_reason="fraudulent")
    [effect] = turn.effects
    assert (effect.not_after, effect.only_if, effect.customer) == (a.at(days=7), "always", "~dp_1")


@pytest.mark.parametrize(
    ("fact", "event_type", "reason", "said"),
    [
        (told(facts.WebhookIgnored, a.START, event_type="x.y", why="unknown"), "webhook_ignored", "unknown", {"webhook": "x.y"}),
        (
            told(facts.ParkedReplayed, a.START, "", who="ada", why="repaired", message="m-1", topic="facts.parked"),
            "parked_replayed",
            "repaired",
            {"who": "ada", "message": "m-1", "topic": "facts.parked"},
        ),
    ],
)
@pytest.mark.parametrize("known", [True, False])
def test_what_concerns_nobodys_payment_is_told(fact: Any, event_type: str, reason: str, said: dict[str, str], known: bool) -> None:
    """B93."""
    story = Story().opened() if known else Story()
    story.tell(fact)
    assert (story.last(event_type).reason, story.last(event_type).details) == (reason, said)


@pytest.mark.parametrize(
    ("event_type", "fields", "needed"),
    [
        ("endpoint_disabled", {}, True),
        ("contact_changed", {"reason": "bounced"}, True),
        ("contact_changed", {"reason": "allowed"}, False),
        ("case_blocked", {"decline_kind": "fraud"}, True),
        ("dunning_skipped", {"reason": "no_contact"}, True),
        ("dunning_skipped", {"reason": "missed"}, False),
        ("payment_failed", {"reason": "no_contact"}, False),
    ],
)
def test_what_needs_somebody(event_type: Any, fields: dict[str, Any], needed: bool) -> None:
    """B24, B53, B55."""
    event = Event(event_type=event_type, account=a.ACCOUNT, occurred_at=a.START, received_at=a.START, **fields)
    assert needs_attention(event) is needed


def test_a_reason_for_silence_is_kept_once_the_latest_first() -> None:
    """B53."""
    story = Story()
    for hours, why in enumerate(("unsubscribed", "do_not_contact", "unsubscribed")):
        story.tell(told(facts.ContactSuppressed, a.at(hours=hours), "", medium="email", why=why, who="ada"))
    assert story.customer is not None
    assert story.customer.contact is not None
    assert story.customer.contact.suppressed == {"email": "unsubscribed do_not_contact"}
    story.tell(told(facts.ContactAllowed, a.at(hours=9), "", medium="all", who="ada", why="called"))
    assert story.last("contact_changed").details == {"medium": "email", "who": "ada", "why": "called"}


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


def test_what_is_told_late_keeps_its_own_time() -> None:
    """B3: the decision is of now, the event of then."""
    story = Story().opened()
    story.days(0.5)
    story.tell(told(facts.InvoiceVoided, a.at(hours=2), state=a.a_state("void")))
    assert (story.last("case_closed").occurred_at, story.case().ended_at) == (a.at(hours=2), a.at(hours=2))


def test_there_are_no_more_retries_than_the_ladder_has_hours() -> None:
    """F11."""
    assert schedule.most_retries(a.a_case(), a.a_policy(retry=RetryPolicy(max_retries=3, ladder_hours=(24,)))) == 1


@pytest.mark.parametrize("kind", [facts.InvoiceRead, facts.SubscriptionEndSettled])
def test_an_answer_about_an_invoice_without_a_case_is_noted_as_such(kind: Any) -> None:
    story = Story().opened()
    answer = a.a_reading("e.1", a.at(hours=1), invoice="in_9")
    end = told(facts.SubscriptionEndSettled, a.at(hours=1), "in_9", effect="e.1", action="cancel", result="done")
    story.tell(answer if kind is facts.InvoiceRead else end)
    assert (story.events[-1].event_type, story.events[-1].reason) == ("fact_had_no_effect", "no_case")

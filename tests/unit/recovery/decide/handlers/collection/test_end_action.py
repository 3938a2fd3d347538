"""The merchant's end action: once, after a last look, and never against a payment."""

from typing import Any

import pytest

from recovery.contracts import facts
from recovery.contracts.effects import SubscriptionEndRequested
from recovery.contracts.encoding.row_codec import encode_row
from recovery.contracts.facts import SubscriptionEnded, SubscriptionEndSettled
from recovery.policy import DunningPolicy, EndPolicy, Experiment, Policy
from tests.support import builders as a
from tests.support.story import Story, fields_of
from tests.support.transcript import look, opened


def cancels(action: Any = "cancel", **fields: Any) -> Policy:
    return a.a_policy(end=EndPolicy(action=action), **fields)


def ends(story: Story) -> list[SubscriptionEndRequested]:
    return [effect for effect in story.effects if isinstance(effect, SubscriptionEndRequested)]


def spent(policy: Policy | None = None, decline: Any = a.HARD) -> Story:
    """Three mails, a week of silence; the look that follows is asked for."""
    story = Story(a.an_account(policy or cancels())).opened(decline)
    for days in (0, 3, 7):
        story.until(a.at(days=days))
        story.mail_answered()
    story.until(a.at(days=14))
    return story


def answered(story: Story, decline: Any = a.HARD, **fields: Any) -> None:
    story.tell(a.a_reading(story.reads()[-1].id, story.now, decline, **fields))


def settled(story: Story, result: Any = "done", why: str = "") -> None:
    effect = ends(story)[-1]
    told = a.header(f"{effect.id}:outcome", story.now, effect.invoice)
    story.tell(SubscriptionEndSettled(**told, effect=effect.id, action=effect.action, result=result, why=why))


@pytest.mark.parametrize("action", ["cancel", "unpaid", "uncollectible"])
def test_the_end_action_comes_once_after_a_last_look(action: str) -> None:
    """B73."""
    story = spent(cancels(action))
    assert (story.case().status, ends(story), story.last("case_updated").reason) == ("dunning", [], "final_read")
    answered(story)
    assert (story.case().status, story.case().reason) == ("abandoned", "dunning_exhausted")
    assert [(end.action, end.subscription, end.only_if) for end in ends(story)] == [(action, a.SUBSCRIPTION, "invoice_open")]
    settled(story)
    assert story.events[-1].event_type in {"end_action_performed", "transactional_mail_requested"}
    story.days(60)
    assert len(ends(story)) == 1


def test_a_payment_that_the_last_look_finds_forbids_the_end() -> None:
    """B73, B28."""
    story = spent()
    attempts = (a.an_attempt("ch_1"), a.an_attempt("ch_2", story.now, succeeded=True))
    answered(story, None, state=a.a_state("paid"), attempts=attempts)
    assert (story.case().status, ends(story)) == ("recovered", [])


def test_nothing_is_ended_while_a_debit_is_still_on_its_way() -> None:
    """B74, B34."""
    story = spent()
    answered(story, a.PROCESSING)
    story.days(1)
    assert (story.case().active, ends(story)) == (True, [])


@pytest.mark.parametrize("silent", [True, False])
def test_a_look_that_cannot_be_had_forbids_the_end_and_the_case_still_ends(silent: bool) -> None:
    """B40, B73."""
    story = spent()
    for _ in range(40):
        flight = story.case().pending_effect
        if not silent and story.case().active and flight is not None:
            story.tell(a.no_reading(flight.effect, story.now))
        story.days(0.2)
    assert (story.case().status, ends(story), story.last("end_action_skipped").reason) == ("abandoned", [], "final_read_failed")


def test_a_subscription_is_ended_once_for_all_its_invoices() -> None:
    story = spent()
    answered(story)
    story.tell(a.a_failure("evt_2", a.at(days=20), "in_2"))
    story.tell(a.a_reading(story.reads()[-1].id, a.at(days=20), a.HARD, "in_2"))
    story.days(40)
    assert (story.case("in_2").status, len(ends(story))) == ("abandoned", 1)


def test_a_customer_who_cancels_meanwhile_is_not_cancelled_again() -> None:
    """B67."""
    story = spent()
    story.tell(SubscriptionEnded(**a.header("e", story.now, ""), subscription=a.SUBSCRIPTION))
    answered(story)
    assert (story.case().reason, ends(story)) == ("cancelled", [])


@pytest.mark.parametrize("policy", [a.a_policy(), a.a_policy("observe", end=EndPolicy(action="cancel"))])
def test_nothing_is_ended_unless_the_policy_says_so_and_lets_us_act(policy: Policy) -> None:
    """Product decisions 5 and 39."""
    story = Story(a.an_account(policy)).opened(a.HARD)
    story.days(60)
    assert (story.case().status, ends(story)) == ("abandoned", [])


def test_where_no_mail_is_possible_the_end_comes_without_mails() -> None:
    """Product decision 20."""
    story = Story(a.an_account(cancels(dunning=DunningPolicy(enabled=False)))).opened(a.HARD)
    answered(story)
    assert (story.case().status, story.case().reason, len(ends(story))) == ("abandoned", "dunning_disabled", 1)


def test_an_ended_subscription_is_told_to_the_customer_instead_of_another_reminder() -> None:
    """B48."""
    story = spent()
    answered(story)
    assert story.notices() == []
    settled(story)
    assert (story.notices(), len(story.mails())) == (["cancelled_for_non_payment"], 3)


@pytest.mark.parametrize(("result", "why", "action"), [("not_done", "already_paid", "cancel"), ("done", "", "uncollectible")])
def test_no_such_mail_when_nothing_was_cancelled(result: str, why: str, action: str) -> None:
    story = spent(cancels(action))
    answered(story)
    settled(story, result, why)
    assert story.notices() == []
    assert story.types()[-1] == ("end_action_skipped" if result == "not_done" else "end_action_performed")


def test_a_late_payment_after_the_end_still_counts() -> None:
    """B73."""
    story = spent()
    answered(story)
    settled(story)
    story.tell(a.a_payment("evt_p", a.at(days=30), request_id="req_1"))
    assert (story.case().status, story.last("payment_recovered").recovered_minor) == ("recovered", 4900)


def test_a_paused_account_ends_nothing() -> None:
    """B45."""
    story = spent()
    story.account = a.an_account(cancels(), paused=True)
    answered(story)
    story.days(3)
    assert ends(story) == []


@pytest.mark.parametrize(("looked", "why"), [(True, "account_paused"), (False, "final_read_failed")])
def test_an_end_action_that_is_not_asked_for_says_why(looked: bool, why: str) -> None:
    """B73, B45: the account was paused, or nobody answered the last look."""
    ends = EndPolicy(action="cancel")
    story = opened(Story(a.an_account(a.a_policy(end=ends))), a.HARD)
    while story.case().final_read_at is None:
        story.days(1)
    if looked:
        story.account = a.an_account(a.a_policy(end=ends, dunning=DunningPolicy(enabled=False)), paused=True)
        look(story, a.HARD)
    story.days(5)
    assert story.reason_and_details("end_action_skipped") == (why, {"action": "cancel"})


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"action": "cancel", "result": "not_done", "why": "already_paid"}, ("end_action_skipped", "already_paid")),
        ({"action": "cancel", "result": "done"}, ("end_action_performed", "cancel")),
    ],
)
def test_what_became_of_the_end_action_is_told(fields: dict[str, Any], words: tuple[str, str]) -> None:
    """B73."""
    story = Story(a.an_account(a.a_policy(end=EndPolicy(action="cancel")))).opened()
    story.tell(a.a_fact_of(facts.SubscriptionEndSettled, effect="e.end.1", **fields))
    event = story.last(words[0])
    assert fields_of(event) == (*words, "e.end.1", "", {"action": "cancel"})
    assert Story().tell(a.a_fact_of(facts.SubscriptionEndSettled, effect="e.end.1", **fields)).events[-1].reason == "no_case"


def ended(action: Any, subscription: str) -> list[str]:
    """Two invoices run out; the ids of the invoices whose end is asked for."""
    story = Story(a.an_account(a.a_policy(end=EndPolicy(action=action)))).opened(a.HARD)
    story.second_failure(a.at(hours=1), subscription=subscription)
    for _ in range(80):
        flight = (
            next((case.pending_effect for case in story.customer.cases.values() if case.pending_effect is not None), None)
            if story.customer
            else None
        )
        if flight is not None and flight.kind == "read":
            invoice = story.reads()[-1].invoice
            story.tell(a.a_reading(flight.effect, story.now, a.HARD, invoice))
        elif flight is not None:
            story.mail_answered()
        story.days(0.5)
    return sorted(effect.invoice for effect in story.effects if isinstance(effect, SubscriptionEndRequested))


@pytest.mark.parametrize(
    ("action", "subscription", "count"),
    [("cancel", "sub_2", 2), ("cancel", a.SUBSCRIPTION, 1), ("unpaid", a.SUBSCRIPTION, 1), ("uncollectible", a.SUBSCRIPTION, 2)],
)
def test_an_end_action_is_once_for_a_subscription_and_once_for_an_invoice_that_is_written_off(
    action: str, subscription: str, count: int
) -> None:
    """B73."""
    assert len(ended(action, subscription)) == count


def test_who_is_held_out_gets_no_end_action() -> None:
    """B77: nothing of ours."""
    policy = a.a_policy(end=EndPolicy(action="cancel"), experiment=Experiment(holdout_share=0.5, salt="everybody"))
    story = Story(a.an_account(policy))
    story.tell(a.a_failure())
    row = story.customer
    assert row is not None
    row.arm = "holdout"
    story.row = encode_row(row)
    story.tell(a.a_reading(story.reads()[-1].id, a.START, a.HARD))
    story.days(60)
    assert (story.case().status, story.messages()) == ("abandoned", [])
    assert not any(isinstance(effect, SubscriptionEndRequested) for effect in story.effects)

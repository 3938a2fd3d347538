"""A draft of the policy is tried on paper: what it would have done is told, and none of it happens."""

from recovery.contracts.customer import Account
from recovery.contracts.facts import PolicyPublished
from recovery.decide.handlers.account import account_changed
from recovery.decide.handlers.policy_shadow import decided
from recovery.decide.transition import Transition
from recovery.policy import DunningPolicy, Policy, RetryPolicy
from tests.support import builders as a
from tests.support.story import Story

SOONER = a.a_policy(retry=RetryPolicy(ladder_hours=(12, 72, 144)))


def drafted(draft: Policy, policy: Policy | None = None) -> Account:
    return Account(policy_version=1, policy=policy or a.a_policy(), draft=draft)


def test_a_decision_that_the_draft_takes_otherwise_is_told() -> None:
    """F66."""
    story = Story(drafted(SOONER)).opened()
    [told] = [event for event in story.events if event.event_type == "shadow_decision_differed"]
    assert told.details["in_force"] == f"retry at {a.at(hours=24).isoformat()}; retrying: ladder_1"
    assert told.details["draft"] == f"retry at {a.at(hours=12).isoformat()}; retrying: ladder_1"
    assert (told.status, told.policy_version) == ("", 1)


def test_nothing_of_the_draft_happens() -> None:
    plain, shadowed = Story().opened(), Story(drafted(SOONER)).opened()
    for story in (plain, shadowed):
        story.days(8)
    assert [(effect.id, effect.occurred_at) for effect in shadowed.effects] == [(effect.id, effect.occurred_at) for effect in plain.effects]
    assert [event.event_type for event in shadowed.events if event.event_type != "shadow_decision_differed"] == plain.types()
    sequence = [event.sequence for event in shadowed.events]
    assert sequence == list(range(1, len(sequence) + 1))


def test_a_draft_that_acts_beside_a_policy_that_observes_says_what_it_would_charge() -> None:
    story = Story(drafted(a.a_policy("act"), a.a_policy("observe"))).opened()
    story.days(1)
    assert not story.charges()
    assert story.last("shadow_decision_differed").details["draft"].startswith("charge now (ladder_1)")


def test_a_mail_that_the_draft_would_not_send_is_told() -> None:
    story = Story(drafted(a.a_policy(dunning=DunningPolicy(enabled=False)))).opened(a.HARD)
    told = story.last("shadow_decision_differed").details
    assert told["in_force"].startswith("write now (payment_failed_1)")
    assert told["draft"] == "abandoned: dunning_disabled"


def test_a_case_that_only_the_draft_would_open_is_told_and_leaves_no_row() -> None:
    story = Story(drafted(a.a_policy(one_off_invoices=True)))
    step = story.tell(a.a_failure(state=a.a_state(subscription="")))
    assert step.customer is None
    told = step.events[-1]
    assert (told.event_type, told.details["in_force"]) == ("shadow_decision_differed", "no case")
    assert told.details["draft"].startswith("read now")
    assert not step.effects


def test_a_draft_that_decides_alike_says_nothing() -> None:
    story = Story(drafted(a.a_policy())).opened()
    story.days(60)
    assert "shadow_decision_differed" not in story.types()


def test_a_draft_comes_and_goes_with_the_publication() -> None:
    told = PolicyPublished(**a.header("p2", a.START, ""), number=2, policy=a.a_policy(), who="ada", draft=SOONER)
    account, events = account_changed(Account(), told)
    assert account.draft == SOONER
    assert events[0].details["draft"] == "retry.ladder_hours: 24, 72, 144 becomes 12, 72, 144."
    account, _ = account_changed(account, PolicyPublished(**a.header("p3", a.START, ""), number=3, policy=a.a_policy(), who="ada"))
    assert account.draft is None


def test_what_a_turn_decided_is_said_in_a_line() -> None:
    """F66."""
    case = a.a_case(reason="ladder_1", read_at=a.at(1), retry_at=a.at(2), dunning_at=a.at(3))
    turn = Transition(a.a_customer(case), a.a_tick(a.START), a.START, a.an_account())
    turn.request_charge(case, "ladder_1")
    turn.request_message(case, 1, "ladder_1")
    turn.withdraw(case, "voided")
    turn.request_read(case)
    times = "; ".join(f"{what} at {a.at(day).isoformat()}" for what, day in (("look", 1), ("retry", 2), ("mail", 3)))
    asked = "charge now (ladder_1); write now (payment_failed_1); withdraw what is under way; read now"
    assert decided(turn, case) == f"{asked}; {times}; retrying: ladder_1"
    case.status, case.reason, case.ended_at = "closed", "voided", a.START
    assert decided(turn, case) == f"{asked}; closed: voided"
    assert decided(turn, None) == "no case"

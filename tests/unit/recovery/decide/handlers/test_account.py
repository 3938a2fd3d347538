"""What an account says: its policy and its switch."""

from datetime import timedelta

import pytest

from recovery.contracts import facts
from recovery.contracts.customer import Account
from recovery.contracts.facts import PauseSet, PolicyPublished
from recovery.decide.handlers.account import account_changed
from tests.support import builders as a
from tests.support.story import Story


def policy(number: int, mode: str = "act") -> PolicyPublished:
    return PolicyPublished(**a.header(f"p{number}", a.START, ""), number=number, policy=a.a_policy(mode), who="ada", why="go live")


def test_no_policy_means_observe() -> None:
    assert Account().policy.mode == "observe"


def test_a_published_policy_is_in_force_and_told() -> None:
    account, events = account_changed(Account(), policy(2))
    assert (account.policy_version, account.policy.mode) == (2, "act")
    assert [(event.event_type, event.policy_version, event.reason) for event in events] == [("policy_applied", 2, "go live")]
    assert events[0].details == {"who": "ada", "mode": "act"}


def test_an_older_policy_is_only_noted() -> None:
    """B3."""
    known, _ = account_changed(Account(), policy(2, "observe"))
    account, events = account_changed(known, policy(1))
    assert account.policy.mode == "observe"
    assert [(event.event_type, event.reason) for event in events] == [("fact_had_no_effect", "older_policy")]


def test_the_switch_keeps_the_policy() -> None:
    """B45."""
    known, _ = account_changed(Account(), policy(2))
    account, events = account_changed(known, PauseSet(**a.header("s", a.START, ""), paused=True, who="ada"))
    assert (account.paused, account.policy_version, account.policy.mode) == (True, 2, "act")
    assert (events[0].event_type, events[0].details["paused"]) == ("pause_set", "true")


def test_a_paused_account_asks_for_nothing_and_says_so_once() -> None:
    """B45."""
    story = Story().opened()
    story.account = a.an_account(paused=True)
    story.days(10)
    assert not story.charges()
    assert [event.reason for event in story.events if event.event_type == "retry_skipped"] == ["account_paused"]
    story.account = a.an_account()
    story.days(0.2)
    assert len(story.charges()) == 1


def test_a_case_opened_in_a_pause_is_not_even_read() -> None:
    story = Story(a.an_account(paused=True))
    story.tell(a.a_failure())
    assert story.case().status == "retrying"
    assert not story.effects
    assert story.case().read_at is not None
    assert story.case().read_at > a.START
    story.account = a.an_account()
    story.days(0.2)
    assert len(story.reads()) == 1


def test_a_resumed_account_does_not_burst() -> None:
    """B45: the due steps of a pause are spread over an hour."""
    story = Story()
    for number in range(40):
        story.tell(a.a_failure(f"evt_{number}", a.START, f"in_{number}"))
        story.tell(a.a_reading(story.reads()[-1].id, a.START, invoice=f"in_{number}"))
    story.account = a.an_account(paused=True)
    story.until(a.at(hours=24))
    assert story.customer is not None
    times = {case.retry_at for case in story.customer.cases.values()}
    assert len(times) > 30
    assert all(time is not None and timedelta(hours=25) <= time - a.START <= timedelta(hours=26) for time in times)


def test_what_fell_due_in_days_of_a_pause_is_spread_over_two_hours_when_it_ends() -> None:
    """B45: of sixty customers whose retries fell due meanwhile, each is charged, and no ten minutes see more than a fifth of them."""
    times = []
    for number in range(60):
        story = Story()
        story.tell(a.a_failure(f"evt_{number}", a.START, f"in_{number}"))
        story.tell(a.a_reading(story.reads()[-1].id, a.START, invoice=f"in_{number}"))
        story.account = a.an_account(paused=True)
        story.until(a.at(hours=60))
        assert not story.charges()
        story.account = a.an_account()
        story.until(a.at(hours=62))
        times += [charge.occurred_at for charge in story.charges()]
    assert len(times) == 60
    for start in range(12):
        minutes = (a.at(hours=60) + timedelta(minutes=10 * start), a.at(hours=60) + timedelta(minutes=10 * start + 10))
        assert sum(minutes[0] <= time < minutes[1] for time in times) <= 12, start


@pytest.mark.parametrize("why", ["account_paused"])
def test_a_look_held_back_by_a_pause_is_not_a_failed_look(why: str) -> None:
    story = Story()
    story.tell(a.a_failure())
    for _ in range(6):
        story.tell(a.no_reading(story.reads()[-1].id, story.now, why))
        story.days(0.1)
    assert story.case().verdict is None


@pytest.mark.parametrize("paused", [True, False])
def test_a_switch_says_who_set_it_to_what(paused: bool) -> None:
    """B45, B93."""
    [event] = account_changed(a.an_account(), PauseSet(**a.header("s", a.START, ""), paused=paused, who="ops", why="audit"))[1]
    assert (event.event_type, event.reason, event.details) == ("pause_set", "audit", {"who": "ops", "paused": str(paused).lower()})
    assert (event.cause_type, event.policy_version, event.account) == ("pause_set", 1, a.ACCOUNT)


@pytest.mark.parametrize(
    ("number", "kind", "version", "details"),
    [(1, "policy_applied", 1, {"who": "ops", "mode": "act"}), (0, "fact_had_no_effect", 1, {"who": "ops"})],
)
def test_a_published_policy_says_what_it_is(number: int, kind: str, version: int, details: dict[str, str]) -> None:
    """F66: the same one again is applied again, an older one is only noted."""
    [event] = account_changed(a.an_account(), PolicyPublished(**a.header("p", a.START, ""), number=number, policy=a.a_policy(), who="ops"))[
        1
    ]
    assert (event.event_type, event.policy_version, event.details, event.cause_type) == (kind, version, details, "policy_published")
    assert event.reason == ("older_policy" if number == 0 else "")


@pytest.mark.parametrize("kind", ["policy", "switch"])
def test_what_an_account_is_told_keeps_the_times_and_the_trace_of_its_fact(kind):
    """B93."""
    head = {"account": a.ACCOUNT, "occurred_at": a.START, "received_at": a.at(hours=1), "trace": "t-1", "who": "ada", "why": "audit"}
    policy = PolicyPublished(id="p", number=1, policy=a.a_policy(), **head)
    _, events = account_changed(a.an_account(), policy if kind == "policy" else PauseSet(id="s", paused=True, **head))
    assert {(event.occurred_at, event.received_at, event.trace, event.cause) for event in events} == {
        (a.START, a.at(hours=1), "t-1", "p" if kind == "policy" else "s")
    }
    assert events[0].details["who"] == "ada"


@pytest.mark.parametrize("known", [True, False])
def test_a_webhook_set_aside_says_what_it_was(known: bool) -> None:
    story = Story().opened() if known else Story()
    story.tell(a.a_fact_of(facts.WebhookParked, 1, "", event_type="invoice.paid", why="invoice.status is missing."))
    assert story.last("webhook_parked").details == {"webhook": "invoice.paid"}
    assert story.last("webhook_parked").reason == "invoice.status is missing."


def test_a_switch_leaves_the_draft_of_the_policy_as_it_was() -> None:
    """F66."""
    account = a.an_account()
    account.draft = a.a_policy("observe")
    switch = a.a_fact_of(facts.PauseSet, 1, "", paused=True, who="ops")
    assert account_changed(account, switch)[0].draft == account.draft

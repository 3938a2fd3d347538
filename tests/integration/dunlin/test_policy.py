"""A policy on its way: tried on paper on live traffic, published, and taken back, with the real broker, worker and database."""

import json

import pytest

from tests.support import builders as a
from tests.support.services.small_stack import SmallStack

pytestmark = pytest.mark.real
DRAFT = 'mode = "act"\ntest_first_invoices = false\n[retry]\nmax_retries = 1\nladder_hours = [6]\n'


@pytest.fixture
def stack(start, tmp_path):
    running = SmallStack(start, tmp_path)
    yield running
    running.close()


def fail_and_read(stack, number: int) -> None:
    invoice = f"in_{number}"
    stack.tell(a.a_failure(f"evt_{number}", a.START, invoice))
    read = stack.heard("read_requested", number)[-1].effect
    stack.tell(a.a_reading(read, a.START, invoice=invoice))
    stack.heard("retry_scheduled", number)


def test_a_policy_is_tried_on_paper_published_and_taken_back(stack, tmp_path, clickhouse):
    """F66, B93."""
    assert stack.run("producers", "policies").stdout == "acct_1: policy 1, mode act\n"
    assert {event.policy_version for event in stack.heard("policy_applied", 2)} == {1}

    (tmp_path / "draft.toml").write_text(DRAFT)
    tried = stack.run("dunlin", "policy", "dry-run", str(tmp_path / "draft.toml"), "--who", "ada", "--why", "fewer retries")
    assert tried.stdout == "acct_1: a draft is tried on paper beside policy 1\n"
    announced = stack.heard("policy_applied", 4)[-1]
    assert (announced.policy_version, announced.reason, announced.details["who"]) == (1, "fewer retries", "ada")
    assert "retry.max_retries: 3 becomes 1." in announced.details["draft"]

    fail_and_read(stack, 1)
    scheduled = stack.heard("retry_scheduled")[0]
    [differing] = stack.heard("shadow_decision_differed")
    assert (scheduled.next_action_at, scheduled.policy_version) == (a.at(hours=24), 1)
    assert a.at(hours=24).isoformat() in differing.details["in_force"]
    assert a.at(hours=6).isoformat() in differing.details["draft"]

    stack.keep(clickhouse.url("sink"))
    stack.environment["DUNLIN_CLICKHOUSE_URL"] = clickhouse.url("reader")
    told = json.loads(stack.run("dunlin", "policy", "shadow", "--since", "2026-01-01", "--json").stdout)
    assert (told["decisions"], told["cases"], told["differences"][0]["example"]) == (1, 1, "in_1")
    assert told["differences"][0]["later_seconds"] == -18 * 3600
    assert "the same at another time" in stack.run("dunlin", "policy", "shadow", "--since", "2026-01-01").stdout

    assert "policy 2 is in force, mode act" in stack.run("dunlin", "policy", "publish", "--who", "ada", "--why", "it held").stdout
    again = stack.run("dunlin", "policy", "publish", str(tmp_path / "draft.toml"), "--who", "ada")
    assert again.stdout == "acct_1: policy 2 says so already; nothing is published\n"
    fail_and_read(stack, 2)
    second = stack.heard("retry_scheduled", 2)[-1]
    assert (second.next_action_at, second.policy_version) == (a.at(hours=6), 2)

    assert "policy 3 is in force" in stack.run("dunlin", "policy", "rollback", "1", "--who", "bea", "--why", "it did not").stdout
    applied = stack.heard("policy_applied", 8)
    assert [(event.policy_version, event.details["who"]) for event in applied[-1:]] == [(3, "bea")]
    assert applied[-1].reason == "back to version 1: it did not"
    fail_and_read(stack, 3)
    assert stack.heard("retry_scheduled", 3)[-1].next_action_at == a.at(hours=24)
    assert len(stack.heard("shadow_decision_differed")) == 1
    assert stack.run("producers", "policies").stdout == "acct_1: policy 3, mode act\n"

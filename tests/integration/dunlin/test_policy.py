"""A policy on its way: tried on paper on live traffic, published, and taken back, with the real broker, worker and database."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dunlin.ports import HOST, free_ports, is_open
from recovery.adapters import clickhouse as adapter
from recovery.adapters.kafka import Publisher, consumer, create_topics
from recovery.contracts.codec import decode_event, encode
from recovery.contracts.topics import EVENTS, FACTS
from recovery.contracts.warehouse import EVENT_COLUMNS
from recovery.ids import stream_key
from sinks.warehouse import migrate, rows
from tests.support import builders as a
from tests.support.waiting import until

pytestmark = pytest.mark.real
REPOSITORY = Path(__file__).resolve().parents[3]
TENANTS = """\
[[tenant]]
account = "acct_1"
name = "Heron"
api_key_file = "key"
webhook_secrets_file = "secrets"
[tenant.policy]
mode = "act"
test_first_invoices = false
"""
DRAFT = 'mode = "act"\ntest_first_invoices = false\n[retry]\nmax_retries = 1\nladder_hours = [6]\n'


class Stack:
    """A broker of its own, the worker, and the commands."""

    def __init__(self, start, folder: Path) -> None:
        port, controller = free_ports(2)
        self.bootstrap = f"{HOST}:{port}"
        start("-m", "dunlin.kafka_server", "--root", folder / "kafka", "--port", port, "--controller-port", controller)
        until(lambda: is_open(port), 60, "the broker to listen")
        create_topics(self.bootstrap, "dunlin", 2, 1)
        for name, content in {"tenants.toml": TENANTS, "key": "sk_test_1\n", "secrets": "whsec_1\n"}.items():
            (folder / name).write_text(content)
            (folder / name).chmod(0o600)
        self.environment = {
            **os.environ,
            "DUNLIN_HOME": str(folder),
            "DUNLIN_KAFKA_BOOTSTRAP": self.bootstrap,
            "DUNLIN_PARTITIONS": "2",
            "COLUMNS": "200",
        }
        self.worker = start("-m", "streams", "worker", env=self.environment)
        self._reader = consumer(self.bootstrap, f"test-{time.monotonic_ns()}")
        self._reader.subscribe([EVENTS.name])
        self.events = []
        self._publisher = Publisher(self.bootstrap)

    def close(self) -> None:
        self._reader.close()

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", *words]
        done = subprocess.run(command, cwd=REPOSITORY, env=self.environment, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return done

    def tell(self, *facts) -> None:
        for fact in facts:
            self._publisher.send(FACTS.name, stream_key(fact.account, fact.customer), encode(fact))
        self._publisher.flush()

    def heard(self, event_type: str, count: int = 1):
        """The events of a type, once there are so many."""

        def those():
            found = [message for message in self._reader.consume(100, 0.1) if message.error() is None]
            self.events += [(decode_event(message.value()), message) for message in found]
            matching = [event for event, _ in self.events if event.event_type == event_type]
            return matching if len(matching) >= count else None

        until(those, 60, f"{count} x {event_type}")
        return those()


@pytest.fixture
def stack(start, tmp_path):
    running = Stack(start, tmp_path)
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
    [differing] = stack.heard("shadow_decided")
    assert (scheduled.next_action_at, scheduled.policy_version) == (a.at(hours=24), 1)
    assert a.at(hours=24).isoformat() in differing.details["in_force"]
    assert a.at(hours=6).isoformat() in differing.details["draft"]

    _keep(clickhouse.url("sink"), stack)
    stack.environment["DUNLIN_CLICKHOUSE_URL"] = clickhouse.url("dashboard")
    told = json.loads(stack.run("dunlin", "policy", "shadow", "--since", "2026-01-01", "--json").stdout)
    assert (told["decisions"], told["cases"], told["differences"][0]["example"]) == (1, 1, "in_1")
    assert told["differences"][0]["later_seconds"] == -18 * 3600
    assert "the same at another time" in stack.run("dunlin", "policy", "shadow", "--since", "2026-01-01").stdout

    assert "policy 2 is in force, mode act" in stack.run("dunlin", "policy", "publish", "--who", "ada", "--why", "it held").stdout
    fail_and_read(stack, 2)
    second = stack.heard("retry_scheduled", 2)[-1]
    assert (second.next_action_at, second.policy_version) == (a.at(hours=6), 2)

    assert "policy 3 is in force" in stack.run("dunlin", "policy", "rollback", "1", "--who", "bea", "--why", "it did not").stdout
    applied = stack.heard("policy_applied", 8)
    assert [(event.policy_version, event.details["who"]) for event in applied[-1:]] == [(3, "bea")]
    assert applied[-1].reason == "back to version 1: it did not"
    fail_and_read(stack, 3)
    assert stack.heard("retry_scheduled", 3)[-1].next_action_at == a.at(hours=24)
    assert len(stack.heard("shadow_decided")) == 1
    assert stack.run("producers", "policies").stdout == "acct_1: policy 3, mode act\n"


def _keep(url: str, stack: Stack) -> None:
    migrate.run(url, lambda _: None)
    client = adapter.client(url)
    lines = [
        rows.line(message.value(), message.topic(), message.partition(), message.offset())
        for event, message in stack.events
        if event.account == "acct_1"
    ]
    client.raw_insert("dunlin.events", column_names=list(EVENT_COLUMNS), insert_block=b"\n".join(lines), fmt=rows.FORMAT)
    client.close()

"""Policies, switches and the time reach every partition of a real broker, from the real commands."""

import subprocess
import sys
from collections import Counter

import pytest

from recovery.contracts.encoding.codec import decode_fact
from tests.integration.producers.conftest import REPOSITORY, TENANTS, Program
from tests.support.secrets import a_secret

pytestmark = pytest.mark.real


@pytest.fixture
def settings(broker, tmp_path):
    for name, content in {"tenants.toml": TENANTS, "key": "sk_test_1\n", "secrets": f"{a_secret('everywhere')}\n"}.items():
        (tmp_path / name).write_text(content)
        (tmp_path / name).chmod(0o600)
    return {"DUNLIN_HOME": str(tmp_path), "DUNLIN_KAFKA_BOOTSTRAP": broker.bootstrap, "PATH": ""}


def run(settings, *words):
    command = [sys.executable, "-m", "producers", *words]
    return subprocess.run(command, cwd=REPOSITORY, env=settings, capture_output=True, text=True, check=False, timeout=60)


def facts_of(broker, kind, count):
    def those(values):
        return [fact for fact in map(decode_fact, values) if fact.__struct_config__.tag == kind]

    return those(broker.values("facts", lambda values: len(those(values)) >= count))


def test_a_policy_is_published_once_to_each_partition(broker, settings):
    for _ in range(2):
        done = run(settings, "policies")
        assert (done.returncode, done.stdout) == (0, "acct_1: policy 1, mode act\n"), done.stderr
    assert Counter(fact.id for fact in facts_of(broker, "policy_published", 4)) == {f"acct_1:policy:1:{n}": 1 for n in range(4)}


def test_a_switch_reaches_each_partition_and_an_unknown_account_is_refused(broker, settings):
    assert run(settings, "switch", "acct_1", "pause", "--who", "jo", "--why", "audit").returncode == 0
    assert {(fact.paused, fact.who) for fact in facts_of(broker, "pause_set", 4)} == {(True, "jo")}
    refused = run(settings, "switch", "acct_9", "pause", "--who", "jo")
    assert refused.returncode == 1
    assert "acct_9 is not in tenants.toml" in refused.stderr


def test_without_a_broker_the_command_says_so(settings):
    done = run({**settings, "DUNLIN_KAFKA_BOOTSTRAP": ""}, "policies")
    assert (done.returncode, "DUNLIN_KAFKA_BOOTSTRAP is not set" in done.stderr) == (1, True)


def test_the_ticker_survives_the_broker_and_tells_no_stale_time(broker, settings, tmp_path):
    ready = tmp_path / "ticker.ready"
    ticker = Program(tmp_path, ["producers", "ticker"], {**settings, "DUNLIN_TICK_SECONDS": "0.2", "DUNLIN_READY_FILE": str(ready)})
    try:
        ticker.until(ready.exists, "the ticker is ready")
        before = len(facts_of(broker, "time_passed", 8))
        broker.stop()
        broker.start()
        ticks = facts_of(broker, "time_passed", before + 12)
    finally:
        assert ticker.stop() == 0
    for partition in range(4):
        times = [fact.occurred_at for fact in ticks if fact.id.startswith(f"time:{partition}:")]
        assert times == sorted(times)
        assert len(times) == len(set(times)) > 2

"""What a person asks for goes to the stack that runs: its broker, its folder, its clock."""

import pytest

from dunlin.ops import operator_commands
from dunlin.ops.operator_commands import environment_of, kafka_of
from recovery.config import from_env


def told(home, **more):
    environment = {"DUNLIN_HOME": str(home), **more}
    return environment_of(environment, from_env(environment))


def test_without_a_broker_it_says_so(tmp_path):
    with pytest.raises(ValueError, match="no broker is running"):
        kafka_of(tmp_path, "")


def test_a_configured_broker_is_taken_and_nothing_else_is_changed(tmp_path):
    given = {"DUNLIN_KAFKA_BOOTSTRAP": "kafka-1:9092", "OTHER": "kept"}
    assert told(tmp_path, **given) == {"DUNLIN_HOME": str(tmp_path), **given}


def test_a_demonstration_is_told_by_its_own_clock_and_accounts(tmp_path, monkeypatch):
    monkeypatch.setattr(operator_commands.state, "living", lambda home: home / "demo")
    found = told(tmp_path, DUNLIN_KAFKA_BOOTSTRAP="kafka-1:9092")
    assert found["DUNLIN_HOME"] == str(tmp_path / "demo")
    assert found["DUNLIN_TENANTS_FILE"] == str(tmp_path / "demo" / "tenants.toml")
    assert found["DUNLIN_CLOCK_FILE"] == str(tmp_path / "demo" / "sandbox" / "clock.json")

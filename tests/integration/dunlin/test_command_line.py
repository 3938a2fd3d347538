"""`dunlin up`, `status`, `down` and `doctor`, as an operator uses them."""

import json
import os
import signal
import socket
import subprocess
import sys

import pytest

from dunlin.stack.ports import HOST, free_ports

pytestmark = pytest.mark.real

UP = ("-m", "dunlin", "up", "--only", "kafka", "--only", "clickhouse")


def ports() -> list[str]:
    # Kafka's controller takes the port after Kafka's, so let the stack choose.
    return ["--kafka-port", "0", "--clickhouse-port", "0", "--clickhouse-tcp-port", "0"]


@pytest.fixture
def env(tmp_path):
    return {"DUNLIN_HOME": str(tmp_path / "home"), "COLUMNS": "200"}


@pytest.fixture
def dunlin(env):
    def run(*args):
        command = [sys.executable, "-m", "dunlin", *args]
        return subprocess.run(command, env={**os.environ, **env}, capture_output=True, text=True, check=False, timeout=120)

    return run


def test_up_status_kill_down(start, env, dunlin, until, alive):
    stack = start(*UP, *ports(), env=env)
    stack.says("ready in ", 120)
    before = json.loads(dunlin("status", "--json").stdout)["parts"]
    assert {name: part["phase"] for name, part in before.items()} == {"kafka": "ready", "clickhouse": "ready"}

    for name in before:
        os.kill(before[name]["pid"], signal.SIGKILL)
    until(
        lambda: all(part["restarts"] == 1 and part["ready"] for part in json.loads(dunlin("status", "--json").stdout)["parts"].values()), 60
    )
    assert dunlin("status").returncode == 0

    after = json.loads(dunlin("status", "--json").stdout)["parts"]
    down = dunlin("down")
    assert down.returncode == 0
    assert "stopped after" in down.stdout
    assert stack.left() == 0
    assert not any(alive(part["pid"]) for part in after.values())


def test_nothing_of_the_servers_survives_the_supervisors_kill_9_and_the_next_up_works(start, env, dunlin, until, alive):
    stack = start(*UP, *ports(), env=env)
    stack.says("ready in ", 120)
    parts = json.loads(dunlin("status", "--json").stdout)["parts"]
    stack.stop(signal.SIGKILL)
    until(lambda: not any(alive(part["pid"]) for part in parts.values()), 40, "Kafka and ClickHouse to be gone")

    again = start(*UP, *ports(), env=env)
    again.says("ready in ", 120)
    assert again.stop() == 0


def test_a_taken_port_is_told_before_anything_is_started(start, env):
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        refused = start(*UP, "--kafka-port", 0, "--clickhouse-port", port, "--clickhouse-tcp-port", 0, env=env)
        assert refused.left() == 1
    assert f"port {port} (clickhouse, http) is taken by process {os.getpid()}" in refused.said
    assert "starting Kafka" not in refused.said


def test_doctor_names_the_owner_of_a_taken_port_and_leaves_with_1(dunlin):
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        told = dunlin("doctor", "--clickhouse-port", str(port))
    assert told.returncode == 1
    assert f"{port} (ClickHouse over HTTP) is taken by process {os.getpid()}" in told.stdout


def test_doctor_says_that_a_configured_server_does_not_answer(dunlin, env):
    (port,) = free_ports(1)
    env["DUNLIN_CLICKHOUSE_URL"] = f"http://user:secret@{HOST}:{port}/"
    told = dunlin("doctor")
    assert told.returncode == 1
    assert f"ClickHouse at {HOST}:{port} cannot be reached (Connection refused)" in told.stdout.replace("\n", " ")
    assert "secret" not in told.stdout


def test_without_a_stack_status_and_down_say_so(dunlin):
    assert "no stack is running" in dunlin("status").stdout
    assert dunlin("status").returncode == 3
    assert dunlin("down").returncode == 0
    assert json.loads(dunlin("status", "--json").stdout) == {"running": False}


def test_an_unknown_part_is_refused(dunlin):
    told = dunlin("up", "--only", "kafak")
    assert told.returncode == 2
    assert "no part is called kafak" in told.stderr


def test_without_a_tenants_file_up_says_what_to_do_instead_of_failing_six_times(dunlin):
    told = dunlin("up")
    assert told.returncode == 1
    assert "no tenants file" in told.stderr
    assert "dunlin demo" in told.stderr

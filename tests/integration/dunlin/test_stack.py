"""The supervisor keeps its parts running, and leaves none behind."""

import os
import re
import signal
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("a_stack.py")


@pytest.fixture
def run(start, tmp_path):
    """Run a scenario of a_stack.py in a home of its own."""

    def run_one(scenario):
        return start(SCRIPT, tmp_path / "home", scenario, env={"PYTHONPATH": str(SCRIPT.parents[3])})

    return run_one


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


def test_waves_start_in_order_and_the_state_names_the_programs_themselves(run, home, told):
    stack = run("plain")
    stack.says("everything is ready")
    assert stack.said.index("first  | at work") < stack.said.index("once   | done once") < stack.said.index("last   | at work")
    parts = told(home)
    assert [parts[name]["phase"] for name in ("first", "once", "last")] == ["ready", "done", "ready"]
    group = os.getpgid(parts["first"]["pid"])
    assert group == parts["first"]["pid"]
    assert stack.stop() == 0


def test_ctrl_c_ends_everything_including_children_of_parts(run, home, told, alive, until):
    stack = run("plain")
    stack.says("everything is ready")
    grandchild = int(re.search(r"child (\d+)", stack.said)[1])
    pids = [part["pid"] for part in told(home).values() if part["pid"]]
    assert stack.stop(signal.SIGINT) == 0
    until(lambda: not any(alive(pid) for pid in [*pids, grandchild]), 15, "every process to be gone")
    assert {part["phase"] for part in told(home).values()} == {"stopped", "done"}


def test_a_killed_part_is_started_again_and_what_it_left_behind_is_ended(run, home, told, alive, until):
    stack = run("plain")
    stack.says("everything is ready")
    before, grandchild = told(home)["last"]["pid"], int(re.search(r"child (\d+)", stack.said)[1])
    os.kill(before, signal.SIGKILL)
    until(lambda: told(home)["last"]["ready"] and told(home)["last"]["pid"] != before, 15, "the part to be back")
    assert told(home)["last"]["restarts"] == 1
    assert "last left (killed by SIGKILL)" in stack.said
    until(lambda: not alive(grandchild), 15, "the killed part's child to be gone")


def test_nothing_survives_the_supervisors_kill_9(run, home, told, alive, until):
    stack = run("plain")
    stack.says("everything is ready")
    grandchild = int(re.search(r"child (\d+)", stack.said)[1])
    pids = [part["pid"] for part in told(home).values() if part["pid"]]
    stack.stop(signal.SIGKILL)
    until(lambda: not any(alive(pid) for pid in [*pids, grandchild]), 15, "every process to be gone")


def test_a_part_deaf_to_sigterm_does_not_survive_the_supervisor_either(run, home, told, alive, until):
    stack = run("deaf")
    stack.says("everything is ready")
    pid = told(home)["deaf"]["pid"]
    stack.stop(signal.SIGKILL)
    until(lambda: not alive(pid), 15, "the deaf part to be gone")


def test_a_part_deaf_to_sigterm_is_killed_after_its_grace(run):
    stack = run("deaf")
    stack.says("everything is ready")
    assert stack.stop() == 0


def test_after_a_kill_9_the_next_start_works(run, home, told):
    first = run("plain")
    first.says("everything is ready")
    first.stop(signal.SIGKILL)
    second = run("plain")
    second.says("everything is ready")
    assert second.stop() == 0


def test_a_second_stack_in_the_same_home_is_refused_with_the_pid_of_the_first(run):
    first = run("plain")
    first.says("everything is ready")
    second = run("plain")
    assert second.left() == 1
    assert f"already running in {SCRIPT.anchor}" in second.said
    assert f"process {first.process.pid}" in second.said
    assert first.stop() == 0


@pytest.mark.parametrize("scenario", ["hopeless", "wrong settings"])
def test_a_hopeless_part_is_not_started_again_and_its_last_words_are_shown(run, scenario):
    stack = run(scenario)
    assert stack.left() == 1
    assert stack.said.count("no key in the tenants file") == 2, "once live, once as its last words"
    assert "must not be restarted" in stack.said


def test_a_part_that_becomes_hopeless_later_does_not_stop_the_others(run, home, told, until):
    stack = run("later hopeless")
    stack.says("everything is ready")
    os.kill(told(home)["bad"]["pid"], signal.SIGUSR1)
    until(lambda: told(home)["bad"]["phase"] == "failed", 15, "the part to be given up")
    assert told(home)["good"]["ready"]
    assert stack.stop() == 0


def test_many_fast_failures_are_given_up_politely(run, home, told):
    stack = run("always failing")
    assert stack.left() == 1
    assert "6 times in a row" in stack.said
    assert told(home)["bad"]["restarts"] == 5


def test_nothing_starts_after_a_failed_one_shot(run, home, told):
    stack = run("failing one-shot")
    assert stack.left() == 1
    assert told(home)["never"]["phase"] == "waiting"


def test_a_part_that_never_becomes_ready_is_started_again_and_given_up(run):
    stack = run("never ready")
    assert stack.left() == 1
    assert "not ready after 0.3 s" in stack.said


def test_a_part_that_leaves_while_its_server_is_away_is_never_given_up(run, home, told, until):
    stack = run("needy")
    stack.says("everything is ready")
    os.kill(told(home)["server"]["pid"], signal.SIGKILL)
    until(lambda: told(home)["server"]["restarts"] == 1 and all(part["ready"] for part in told(home).values()), 30, "both to be back")
    assert told(home)["client"]["restarts"] > 6, "more failures than are otherwise given up"
    assert stack.stop() == 0

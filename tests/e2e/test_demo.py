"""The newcomer's command, as a newcomer types it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.demonstration import REPOSITORY


def demo(home: Path, *options: str, before: Sequence[str] = ()) -> tuple[dict[str, Any], str]:
    """A headless demonstration: the object of its last line, and all that it said."""
    done = subprocess.run(
        [*before, sys.executable, "-m", "dunlin", "demo", *options],
        cwd=REPOSITORY,
        env=os.environ | {"DUNLIN_HOME": str(home), "DUNLIN_DEMO_HEADLESS": "1"},
        capture_output=True,
        text=True,
        timeout=580,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-6000:]
    return json.loads(done.stdout.strip().splitlines()[-1]), said


@contextmanager
def busy(*before: str) -> Iterator[None]:
    """A process that never rests."""
    loop = subprocess.Popen([*before, sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        loop.kill()
        loop.wait()


def cases(home: Path) -> list[str]:
    return (home / "demo" / "cases.jsonl").read_text().splitlines()


@pytest.mark.real
@pytest.mark.timeout(1200)
def test_a_month_is_the_same_on_a_core_shared_with_a_busy_loop(tmp_path: Path) -> None:
    """Business time waits for the pipeline: on a fraction of the machine it takes longer and comes to the same, case by case."""
    small = ("--customers", "120", "--days", "8", "--from", "2026-03-02", "--seed", "11")
    free, slow = tmp_path / "free", tmp_path / "slow"
    here, said = demo(free, *small)
    assert "verified: no difference" in said
    core = ("taskset", "-c", str(min(os.sched_getaffinity(0))))
    with busy(*core):
        there, _ = demo(slow, *small, before=core)
    assert cases(slow) == cases(free)
    assert there["fingerprint"] == here["fingerprint"]
    assert there["month"] == here["month"]
    assert here["month"]["failures"] > 5
    assert here["month"]["attempts"] > 5


@pytest.mark.real
@pytest.mark.timeout(600)
def test_a_month_with_stripes_own_retries_ends_verified(tmp_path: Path) -> None:
    """Stripe retries beside us: recoveries have two makers, and still every figure is right."""
    report, _ = demo(tmp_path, "--customers", "150", "--days", "12", "--stripe-retries", "--seed", "11")
    assert report["failures"] > 5

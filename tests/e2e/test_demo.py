"""The newcomer's command, as a newcomer types it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.demonstration import REPOSITORY


@pytest.mark.real
@pytest.mark.timeout(600)
def test_a_headless_month_ends_verified(tmp_path: Path) -> None:
    """`DUNLIN_DEMO_HEADLESS=1 dunlin demo` lives a month, verifies every figure and leaves with 0 and nothing running."""
    done = subprocess.run(
        [sys.executable, "-m", "dunlin", "demo", "--customers", "400", "--minutes", "1"],
        cwd=REPOSITORY,
        env=os.environ | {"DUNLIN_HOME": str(tmp_path), "DUNLIN_DEMO_HEADLESS": "1"},
        capture_output=True,
        text=True,
        timeout=580,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-6000:]
    assert "verified: no difference" in said


@pytest.mark.real
@pytest.mark.timeout(600)
def test_a_month_with_stripes_own_retries_ends_verified(tmp_path: Path) -> None:
    """Stripe retries beside us: recoveries have two makers, and still every figure is right."""
    done = subprocess.run(
        [sys.executable, "-m", "dunlin", "demo", "--customers", "300", "--minutes", "1", "--stripe-retries", "--seed", "11"],
        cwd=REPOSITORY,
        env=os.environ | {"DUNLIN_HOME": str(tmp_path), "DUNLIN_DEMO_HEADLESS": "1"},
        capture_output=True,
        text=True,
        timeout=580,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-6000:]

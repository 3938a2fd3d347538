"""Chromium without a screen, for tests that look at pages."""

import os
import shutil

import pytest

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]


def found() -> str:
    """Where Chromium is; without one the test is skipped, or fails where everything is required."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is not None:
        return path
    reason = "needs Chromium (apt-get install chromium)"
    if os.environ.get("DUNLIN_REQUIRE_ALL") == "1":
        pytest.fail(reason)
    pytest.skip(reason)

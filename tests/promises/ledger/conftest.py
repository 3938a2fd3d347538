"""The ledger on SQLite, and on another database when DUNLIN_TEST_LEDGER_URL names an empty one."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sinks.effects.ledger import Ledger

URLS = ["sqlite", *([os.environ["DUNLIN_TEST_LEDGER_URL"]] if os.environ.get("DUNLIN_TEST_LEDGER_URL") else [])]


@pytest.fixture(params=URLS)
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Ledger]]:
    """Open the ledger as a process does that starts again: the same rows, a new connection."""
    url = f"sqlite:///{tmp_path / 'ledger.sqlite'}" if request.param == "sqlite" else request.param
    opened: list[Ledger] = []

    def again() -> Ledger:
        opened.append(Ledger(url))
        return opened[-1]

    yield again
    for ledger in opened:
        ledger.close()


@pytest.fixture
def ledger(reopen: Callable[[], Ledger]) -> Ledger:
    return reopen()

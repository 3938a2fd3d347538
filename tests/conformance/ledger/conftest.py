"""The ledger on SQLite and on PostgreSQL."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sinks.effects.engine.ledger import Ledger


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where an empty ledger is."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    return str(request.getfixturevalue("postgres").new_database())


@pytest.fixture
def reopen(url: str) -> Iterator[Callable[[], Ledger]]:
    """Open the ledger as a process does that starts again: the same rows, a new connection."""
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

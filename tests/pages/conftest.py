"""The shared ClickHouse, empty or with a merchant's life in it, as the pages see it."""

import pytest

from recovery.adapters import clickhouse as clickhouse_adapter
from sinks.warehouse import migrate
from tests.pages import seed
from tests.support.services import browser


@pytest.fixture
def empty(clickhouse):
    """The address of a ClickHouse with empty tables, as a user who may read every account."""
    migrate.run(clickhouse.url("sink"), lambda _: None)
    with clickhouse_adapter.client(clickhouse.url("admin")) as admin:
        for table in ("events", "case_state"):
            admin.command(f"TRUNCATE TABLE dunlin.{table} SYNC")
    return clickhouse.url("reader")


@pytest.fixture
def full(clickhouse, empty, request):
    """The same with 600 failures of one merchant."""
    seed.fill(clickhouse.url("sink"), seed.events(), request.node.name)
    return empty


@pytest.fixture
def clock_file(tmp_path):
    """A clock that stands at the seeded present."""
    path = tmp_path / "clock.json"
    path.write_text(f'{{"wall0": 0, "business0": {seed.NOW.timestamp()}, "speed": 0}}')
    return path


@pytest.fixture(scope="session")
def chromium():
    """The browser's program."""
    return browser.found()

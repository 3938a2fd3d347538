"""`dunlin explain` against the real database."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from recovery.adapters import clickhouse as adapter
from recovery.contracts.encoding.codec import encode
from recovery.contracts.warehouse import EVENT_COLUMNS
from sinks.warehouse import migrate, rows
from tests.support.month import Month

pytestmark = pytest.mark.real
REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def month() -> Month:
    return Month(4, customers=25, days=20, shards=1).run()


@pytest.fixture(scope="module")
def url(clickhouse, month: Month) -> str:
    migrate.run(clickhouse.url("sink"), lambda _: None)
    client = adapter.client(clickhouse.url("sink"))
    lines = [rows.line(encode(event), "recovery.events", 0, offset) for offset, event in enumerate(month.events)]
    client.raw_insert("dunlin.events", column_names=list(EVENT_COLUMNS), insert_block=b"\n".join(lines), fmt=rows.FORMAT)
    client.close()
    return clickhouse.url("reader")


def explain(url: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "dunlin", "explain", *arguments]
    environment = {**os.environ, "DUNLIN_CLICKHOUSE_URL": url, "COLUMNS": "200"}
    return subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_the_story_of_a_recovered_invoice_is_told_in_order(url: str, month: Month) -> None:
    invoice = next(event.invoice for event in month.events if event.event_type == "payment_recovered")
    told = json.loads(explain(url, invoice, "--json").stdout)
    expected = [event for event in month.events if event.invoice == invoice]
    assert [line["event_type"] for line in told["lines"]] == [event.event_type for event in expected]
    assert [line["at"] for line in told["lines"]] == [event.occurred_at.isoformat().replace("+00:00", "Z") for event in expected]
    assert "was recovered" in told["summary"]
    plain = explain(url, invoice)
    assert plain.returncode == 0
    assert "A payment of" in plain.stdout


def test_an_unknown_invoice_is_refused_with_a_hint(url: str) -> None:
    done = explain(url, "in_nobody")
    assert done.returncode == 1
    assert "Nothing is known of invoice in_nobody" in done.stderr

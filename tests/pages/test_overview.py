"""The pages on the real database: full, empty, and away."""

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import exports, queries
from dashboard.views.overview import first_moment
from dashboard.warehouse_client import WarehouseClient, WarehouseUnreachable
from recovery.contracts.encoding.codec import encode
from recovery.contracts.events import Event
from sinks.warehouse import rows
from tests.pages import seed

pytestmark = pytest.mark.real
APP = Path(__file__).resolve().parents[2] / "dashboard" / "app.py"
ACCOUNT = "acct_1Northwind"
SINCE = first_moment(seed.NOW, 30)


@pytest.fixture
def app(monkeypatch, clock_file):
    def run(url: str, account: str = ACCOUNT) -> AppTest:
        monkeypatch.setenv("DUNLIN_CLICKHOUSE_URL", url)
        monkeypatch.setenv("DUNLIN_CLOCK_FILE", str(clock_file))
        monkeypatch.setenv("DUNLIN_DASHBOARD_ACCOUNT", account)
        page = AppTest.from_file(str(APP), default_timeout=60).run()
        assert not page.exception
        return page

    return run


def written(page: AppTest) -> str:
    return " ".join(str(part.value) for part in (*page.markdown, *page.caption, *page.subheader, *page.header))


def test_the_four_cards_tell_the_truth_of_the_events(app, full):
    page = app(full)
    told = [event for event in seed.events() if event.currency == "eur"]
    failed = [e for e in told if e.event_type == "payment_failed" and e.occurred_at >= SINCE]
    came = [e for e in told if e.event_type == "payment_recovered" and e.occurred_at >= SINCE]
    cohort = {e.invoice for e in failed}
    recovered = {e.invoice for e in told if e.event_type == "payment_recovered"} & cohort
    assert [card.label for card in page.metric] == ["Total failed", "Total recovered", "Active failures", "Recovery rate"]
    assert page.metric[0].value == f"€{round(sum(e.amount_minor for e in failed) / 100):,}"
    assert page.metric[0].delta == f"{len(failed):,} payments"
    assert page.metric[1].value == f"€{round(sum(e.recovered_minor for e in came) / 100):,}"
    assert page.metric[3].value == f"{len(recovered) / len(failed):.1%}"


def test_another_currency_shows_other_figures_and_never_a_sum(app, full):
    page = app(full)
    page.button_group(key="currency").set_value("jpy").run()
    assert page.metric[0].value.startswith("¥")
    assert not page.exception


def test_an_empty_database_says_what_to_do(app, empty):
    page = app(empty)
    assert "No events yet" in written(page)
    assert not page.metric


def test_events_without_a_failure_say_that_nothing_failed(app, empty, clickhouse):
    ignored = {"id": "0-1-0", "event_type": "webhook_ignored", "account": "acct_1", "occurred_at": seed.NOW, "received_at": seed.NOW}
    seed.fill(clickhouse.url("sink"), [Event(**ignored)], "ignored")
    page = app(empty, "acct_1")
    assert "No failures yet" in written(page)


def test_a_database_that_is_away_is_said_in_plain_words_and_without_a_traceback(app):
    page = app("http://dashboard:secret@127.0.0.1:1/")
    assert "ClickHouse does not answer" in page.error[0].value
    assert "secret" not in page.error[0].value


def test_what_was_not_done_has_a_page_of_its_own(full):
    source = WarehouseClient(full)
    groups = queries.not_done(source, ACCOUNT, SINCE)
    skipped = [e for e in seed.events() if e.event_type in {"retry_skipped", "dunning_skipped"} and e.occurred_at >= SINCE]
    assert int(groups["n"].sum()) == len(skipped)


def test_the_log_is_newest_first_and_its_pages_do_not_overlap(full):
    source = WarehouseClient(full)
    first, second = (queries.log(source, ACCOUNT, ["payment_failed"], "", 50, skip) for skip in (0, 50))
    times = [*first["occurred_at"], *second["occurred_at"]]
    assert times == sorted(times, reverse=True)
    assert not set(first["invoice"]) & set(second["invoice"])


def test_the_file_of_failures_has_all_of_them_with_a_header(full):
    lines = exports.whole(WarehouseClient(full), "failures", ACCOUNT, SINCE).decode().splitlines()
    opened = [e for e in seed.events() if e.event_type == "payment_failed" and e.occurred_at >= SINCE]
    assert lines[0].startswith('"invoice","customer","subscription","currency","amount_minor"')
    assert len(lines) == len(opened) + 1


@pytest.mark.parametrize("name", exports.EXPORTS)
def test_every_export_can_be_read(full, name):
    assert exports.whole(WarehouseClient(full), name, ACCOUNT, SINCE).count(b"\n") > 1


@pytest.mark.parametrize(
    "evil", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", "\n=1", " =1", "\u200b=1", "\uff1d1", "\uff20x", "\u22121"]
)
def test_a_text_that_a_spreadsheet_would_run_gets_an_apostrophe(empty, clickhouse, evil):
    fields = {"id": "0-1-0", "event_type": "payment_failed", "account": "acct_1", "invoice": "in_1", "customer": "EVIL", "sequence": 1}
    fields |= {"status": "retrying", "amount_minor": -5, "currency": "eur", "decline_code": 'quote " and , comma', "decline_kind": "soft"}
    line = rows.line(encode(Event(**fields, occurred_at=seed.NOW, received_at=seed.NOW)), "recovery.events", 0, 0)
    # An event with such an id is refused; a row may be older than that, or come from a text.
    seed.write(clickhouse.url("sink"), [line.replace(b'"EVIL"', json.dumps(evil).encode())], f"evil{evil}")
    text = exports.whole(WarehouseClient(empty), "failures", "acct_1", SINCE).decode()
    assert f'"in_1","\'{evil}",' in text
    assert '"quote "" and , comma"' in text


def test_a_password_is_never_part_of_what_is_said():
    with pytest.raises(WarehouseUnreachable) as said:
        WarehouseClient("http://dashboard:hunter2@127.0.0.1:1/").frame("SELECT 1", {}, ["n"])
    assert "hunter2" not in str(said.value)

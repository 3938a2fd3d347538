"""The database is brought up to date once, and says so when it cannot."""

import shutil

import pytest

from recovery.adapters import clickhouse as clickhouse_adapter
from recovery.contracts.warehouse import EVENT_COLUMNS, VIEWS
from sinks.warehouse import migrate

pytestmark = pytest.mark.real


def test_a_second_run_changes_nothing_and_says_so(migrated):
    said = []
    assert migrate.run(migrated.url("sink"), said.append) == []
    assert said == [f"nothing to do, {len(migrate.read())} migrations ran before"]


def test_a_file_edited_after_it_ran_is_refused(migrated, tmp_path):
    shutil.copytree(migrate.FOLDER, tmp_path / "m")
    first = sorted((tmp_path / "m").iterdir())[0]
    first.write_text(first.read_text() + "\n-- changed\n")
    with pytest.raises(migrate.MigrationError, match=r"0001_events\.sql was edited after it ran"):
        migrate.run(migrated.url("sink"), print, folder=tmp_path / "m")


def test_a_database_of_a_newer_program_is_refused(migrated, tmp_path):
    (tmp_path / "m").mkdir()
    shutil.copy(migrate.FOLDER / "0001_events.sql", tmp_path / "m")
    with pytest.raises(migrate.MigrationError, match="newer Dunlin"):
        migrate.run(migrated.url("sink"), print, folder=tmp_path / "m")


def test_a_statement_that_fails_is_named_and_the_rest_runs_after_the_repair(migrated, tmp_path):
    shutil.copytree(migrate.FOLDER, tmp_path / "m")
    number = len(migrate.read()) + 1
    new = tmp_path / "m" / f"{number:04}_extra.sql"
    new.write_text("CREATE TABLE IF NOT EXISTS dunlin_internal.extra (a UInt8) ENGINE = Memory;\nCREATE TABEL x;\n")
    with pytest.raises(migrate.MigrationError, match=rf"{number:04}_extra\.sql, statement 2 \(CREATE TABEL x\)"):
        migrate.run(migrated.url("sink"), print, folder=tmp_path / "m")
    new.write_text("CREATE TABLE IF NOT EXISTS dunlin_internal.extra (a UInt8) ENGINE = Memory;\n")
    assert migrate.run(migrated.url("sink"), print, folder=tmp_path / "m") == [f"{number:04}_extra"]
    with clickhouse_adapter.client(migrated.url("admin")) as server:
        server.command("DROP TABLE dunlin_internal.extra")
        server.command(f"DELETE FROM dunlin_internal.migrations WHERE number = {number}")


def test_a_server_that_does_not_answer_is_told_within_the_given_time():
    with pytest.raises(migrate.MigrationError, match="did not answer within 0 s"):
        migrate.run("http://sink:x@127.0.0.1:1/", print, wait_seconds=0)


def test_a_lock_left_by_a_killed_run_is_taken_over(migrated, monkeypatch):
    with clickhouse_adapter.client(migrated.url("admin")) as server:
        server.command(f"CREATE TABLE {migrate.LOCK} (held UInt8) ENGINE = Memory")
    monkeypatch.setattr(migrate, "STALE_SECONDS", -1)
    said = []
    assert migrate.run(migrated.url("sink"), said.append) == []
    assert "a killed run left its lock" in said[0]


def test_the_tables_and_views_are_those_of_the_contract_each_with_a_comment(migrated, database):
    for view, columns in VIEWS.items():
        found = database(f"SELECT name FROM system.columns WHERE database = 'dunlin' AND table = '{view}' ORDER BY position")
        assert tuple(name for (name,) in found) == columns, view
    events = database("SELECT name FROM system.columns WHERE database = 'dunlin' AND table = 'events' ORDER BY position")
    assert tuple(name for (name,) in events) == (*EVENT_COLUMNS, "inserted_at")
    assert database("SELECT table, name FROM system.columns WHERE database = 'dunlin' AND comment = ''") == []
    assert database("SELECT name FROM system.tables WHERE database LIKE 'dunlin%' AND comment = ''") == []


def test_every_table_that_an_insert_reaches_recognises_repeats(migrated, database):
    """Without a window of its own, a materialized view's target counts a retried insert twice."""
    tables = database("SELECT name, create_table_query FROM system.tables WHERE database = 'dunlin' AND engine LIKE '%MergeTree'")
    assert {name for name, _ in tables} == {"events", "case_state"}
    assert all("non_replicated_deduplication_window = 20000" in query for _, query in tables)

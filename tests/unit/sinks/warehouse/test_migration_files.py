"""Migration files are read in order, and what is wrong with them is said before anything runs."""

import pytest

from sinks.warehouse.migrate import MigrationError, read


def test_our_files_are_numbered_without_gaps_and_repeatable():
    files = read()
    assert [file.number for file in files] == list(range(1, len(files) + 1))
    for statement in (text for file in files for text in file.statements()):
        assert statement.startswith(("CREATE TABLE IF NOT EXISTS", "CREATE MATERIALIZED VIEW IF NOT EXISTS", "CREATE OR REPLACE VIEW")), (
            statement
        )


def test_views_run_as_their_reader_and_never_ask_for_the_time():
    for file in read():
        for text in file.statements():
            if text.startswith("CREATE OR REPLACE VIEW"):
                assert "SQL SECURITY INVOKER" in text
                assert "now" not in text.lower().replace("known", "")


def test_statements_end_with_a_semicolon_at_the_end_of_a_line(tmp_path):
    (tmp_path / "0001_one.sql").write_text("-- a note; kept out\nSELECT ';';\nSELECT\n  2;\n")
    assert read(tmp_path)[0].statements() == ["SELECT ';'", "SELECT\n  2"]


@pytest.mark.parametrize("names", [["0002_two.sql"], ["0001_one.sql", "0001_two.sql"], ["0001_one.sql", "0003_three.sql"]])
def test_a_gap_or_a_double_is_refused(tmp_path, names):
    for name in names:
        (tmp_path / name).write_text("SELECT 1;")
    with pytest.raises(MigrationError, match="without gaps"):
        read(tmp_path)


def test_a_file_with_another_kind_of_name_is_refused(tmp_path):
    (tmp_path / "first.sql").write_text("SELECT 1;")
    with pytest.raises(MigrationError, match=r"first\.sql"):
        read(tmp_path)

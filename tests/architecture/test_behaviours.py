"""Every behaviour that this product promises is shown by a test, or says what it waits for; and the check can fail."""

from pathlib import Path

from tests.support.behaviours import REPOSITORY, TABLE, behaviours, cited, numbers_in

TOLD = behaviours(TABLE.read_text(), cited(REPOSITORY / "tests"))


def test_all_of_them_are_in_the_table_once_and_in_order() -> None:
    assert [one.number for one in TOLD] == [*range(1, 95), *range(101, 201)]


def test_each_behaviour_is_shown_or_waits_for_something() -> None:
    assert [f"B{one.number}" for one in TOLD if one.in_the_open] == []


def test_one_that_nothing_shows_is_found() -> None:
    [one] = behaviours("| B47 | still owed at the moment of sending | decide | |", {})
    assert one.in_the_open
    [shown] = behaviours("| B47 | still owed at the moment of sending | decide | |", {47: ["tests/x.py::test_y"]})
    assert not shown.in_the_open
    [waiting] = behaviours("| B47 | still owed at the moment of sending | decide | the portal |", {})
    assert not waiting.in_the_open


def test_a_number_is_found_in_names_and_docstrings_of_tests_classes_and_modules(tmp_path: Path) -> None:
    source = '"""B1."""\n\n\nclass TestX:\n    """B2."""\n\n    def test_a_b3(self):\n        """B11 to B13."""\n\n\n'
    source += 'def helper():\n    """B9."""\n'
    folder = tmp_path / "tests"
    folder.mkdir()
    (folder / "test_it.py").write_text(source)
    assert sorted(cited(folder)) == [1, 2, 3, 11, 12, 13]


def test_a_number_within_a_word_is_none() -> None:
    assert numbers_in("AB12 and B3x, but B40") == {40}

"""The counter of banned words finds them where they are defined, and only there."""

from pathlib import Path

import pytest

from tests.support.language import banned, exceptions, parts


@pytest.mark.parametrize(
    ("identifier", "words"),
    [
        ("look_again", {"look", "again"}),
        ("LookAgain", {"look", "again"}),
        ("_ask", {"ask"}),
        ("LOOK_EVERY", {"look", "every"}),
        ("lookup", {"lookup"}),
        ("HTTPDoor2", {"http", "door", "2"}),
    ],
)
def test_an_identifier_is_split_into_its_words(identifier: str, words: set[str]) -> None:
    assert parts(identifier) == words


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("class Told: pass", [("identifiers", "Told")]),
        ("def f(asked): pass", [("identifiers", "asked")]),
        ("with a as door: pass", [("identifiers", "door")]),
        ("self.told = 1", [("identifiers", "told")]),
        ("from a import b as speaker", [("identifiers", "speaker")]),
        ("try: pass\nexcept E as said: pass", [("identifiers", "said")]),
        ("library.ask(say=1)", []),
        ("quiet_hours = 1", []),
        ("handler = lookup = 1", []),
        ('"""Nobody is told."""', [("docstrings", "Nobody"), ("docstrings", "told")]),
        ('x = 1\n"""The door."""', [("docstrings", "door")]),
        ('"""There is no longer a reason."""', []),
        ('x = "nobody"', []),
    ],
)
def test_a_banned_word_is_found_where_it_is_defined(tmp_path: Path, source: str, found: list[tuple[str, str]]) -> None:
    module = tmp_path / "retries.py"
    module.write_text(source)
    assert [(one.kind, one.word) for one in banned(module, "retries.py", frozenset({"quiet_hours"}))] == found


def test_a_banned_module_name_is_found(tmp_path: Path) -> None:
    module = tmp_path / "look_again.py"
    module.write_text("")
    assert [(one.kind, one.word) for one in banned(module, "x/look_again.py", frozenset())] == [("modules", "look_again")]
    assert list(banned(module, "x/look_again.py", frozenset({"look_again"}))) == []


def test_exceptions_are_read_from_the_glossary() -> None:
    assert exceptions("| `told` | x |\n## Exceptions\n| `quiet_hours` | the field's term |\n") == {"quiet_hours"}

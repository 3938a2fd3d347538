"""Rules of the project that no other tool keeps."""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

from tests.support.language import PACKAGES, everywhere

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCES = [path for package in PACKAGES for path in sorted((REPOSITORY / package).rglob("*.py"))]
TESTS = [path for path in sorted((REPOSITORY / "tests").rglob("*.py")) if path != Path(__file__)]
TEXTS = [
    *SOURCES,
    *TESTS,
    *sorted((REPOSITORY / "bench").rglob("*.py")),
    *sorted((REPOSITORY / "docs").rglob("*.md")),
    *sorted(REPOSITORY.glob("*.md")),
    *sorted((REPOSITORY / "sinks").rglob("*.sql")),
]
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|\b(enough|stub|simple|simplified|only) for now\b|\bnot implemented yet\b")
OF_ONE_MACHINE = re.compile(r"(?<![\w.])/(work|root)/")
VAGUE = {"utils.py", "util.py", "helpers.py", "helper.py", "common.py", "manager.py", "misc.py"}
OUTSIDE = re.compile(r"\bstripe\.md\b|\bproduct decisions?\b|\bF\d{1,3}\b")
"""Documents and numbers of documents that are not in the repository."""
SIDE_BY_SIDE = 15
"""The most modules in one folder, `__init__.py` not counted."""
TWINS = {
    "__main__.py": "the entry point of a package",
    "main.py": "the process of a sink",
    "redrive.py": "both sinks redrive their dead letters",
    "performer.py": "the protocol, and its webhook performer",
    "alerts.py": "the effect and its command",
    "contacts.py": "the store and its facts",
    "commands.py": "the facts, their producer and their handlers",
    "policy.py": "the policy and its command",
    "topics.py": "the table and its command",
    "timers.py": "the timers of a shard, and what is due in them",
    "subscriptions.py": "Stripe's shape and its handlers",
    "progress.py": "the reports of programs, and the bar of the demonstration that reads them",
    "metrics.py": "the registry, and the gateway's counters",
    "amounts.py": "one table of decimals, and the dashboard's cells",
}
"""File names that occur more than once outside the sandbox, each with its reason."""
WAITING = REPOSITORY / "tests" / "support" / "waiting.py"


def named(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


def lines_with(pattern: re.Pattern[str], paths: list[Path]) -> list[str]:
    return [f"{named(path)}:{n}" for path in paths for n, line in enumerate(path.read_text().splitlines(), 1) if pattern.search(line)]


def sleeps(source: str) -> list[int]:
    """Lines that sleep; `asyncio.sleep(0)` only lets others run, and a line may say that it paces and that nothing is waited for."""
    found, lines = [], source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and (getattr(node.func, "attr", "") == "sleep" or getattr(node.func, "id", "") == "sleep"):
            yields = node.args and isinstance(node.args[0], ast.Constant) and node.args[0].value == 0
            paces = "nothing is waited for" in lines[node.lineno - 1]
            found += [] if yields or paces else [node.lineno]
    return found


def unexplained(source: str) -> list[int]:
    """Lines that switch a rule off without saying why."""
    pattern = re.compile(r"#\s*(noqa(?!: [A-Z0-9, ]+ - \w)|type:\s*ignore(?!\[[a-z-, ]+\]\s+#\s*\w))")
    repeated = re.compile(r"# noqa: E402\s*$")  # the reason stands at the first of several imports
    return [n for n, line in enumerate(source.splitlines(), 1) if pattern.search(line) and not repeated.search(line)]


def test_nothing_is_left_unfinished():
    assert lines_with(UNFINISHED, TEXTS) == []


def test_no_text_names_a_folder_of_one_machine():
    assert lines_with(OF_ONE_MACHINE, TEXTS) == []


def test_no_module_has_a_vague_name():
    assert [named(path) for path in SOURCES if path.name in VAGUE] == []


def test_names_and_docstrings_use_the_terms_of_the_glossary():
    assert [f"{one.where}: {one.word}" for one in everywhere()] == [], "docs/glossary.md has the words to use"


def test_no_product_text_cites_a_document_that_is_not_here():
    assert lines_with(OUTSIDE, [*SOURCES, *sorted((REPOSITORY / "sinks").rglob("*.sql"))]) == []


def test_no_folder_holds_more_modules_than_one_finds_at_a_glance():
    folders = Counter(path.parent for path in [*SOURCES, *TESTS, *(REPOSITORY / "bench").rglob("*.py")] if path.name != "__init__.py")
    assert {named(folder): count for folder, count in folders.items() if count > SIDE_BY_SIDE} == {}


def test_a_file_name_occurs_once_or_its_twin_is_explained():
    names = Counter(path.name for path in SOURCES if path.name != "__init__.py" and named(path).split("/")[0] != "sandbox")
    assert {name for name, count in names.items() if count > 1} == set(TWINS)


def test_a_class_name_occurs_once():
    names = Counter(
        node.name
        for path in SOURCES
        if named(path).split("/")[0] != "sandbox"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert [name for name, count in names.items() if count > 1] == []


def test_no_test_sleeps():
    tests = [path for path in TESTS if path != WAITING]
    assert [f"{named(path)}:{line}" for path in tests for line in sleeps(path.read_text())] == []


def test_every_switched_off_rule_says_why():
    assert [f"{named(path)}:{line}" for path in [*SOURCES, *TESTS] for line in unexplained(path.read_text())] == []


def test_an_init_holds_a_docstring_and_nothing_else():
    for path in SOURCES:
        if path.name == "__init__.py":
            body = ast.parse(path.read_text()).body
            assert all(isinstance(node, ast.Expr) for node in body[:1]), named(path)
            assert len(body) <= 1, named(path)


def test_no_module_grows_beyond_reading():
    assert [named(path) for path in SOURCES if len(path.read_text().splitlines()) > 400] == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [("time.sleep(1)", [1]), ("await_()\nsleep(x)", [2]), ("asyncio.sleep(0)", []), ("sleep(1)  # a rate; nothing is waited for", [])],
)
def test_a_sleep_is_noticed(source, expected):
    assert sleeps(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x  # noqa: " + "S101", [1]),
        ("x  # " + "noqa", [1]),
        ("x  # noqa: " + "S101 - because", []),
        ("x  # type: " + "ignore[arg-type]", [1]),
        ("x  # type: " + "ignore[arg-type]  # because", []),
    ],
)
def test_an_unexplained_exception_is_noticed(source, expected):
    assert unexplained(source) == expected


@pytest.mark.parametrize("text", ["# TO" + "DO: later", "good enough fo" + "r now", "not implemented" + " yet"])
def test_unfinished_work_is_noticed(text):
    assert UNFINISHED.search(text)

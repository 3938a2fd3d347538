"""Which test shows which behaviour: `make behaviours` prints B1 to B200 with their tests, or with what they wait for.

A test cites a behaviour in its name (`test_..._b47`) or its docstring (`B47`, `B11 to B14`); what the docstring of a class or a module
cites holds for all its tests. Exit status 1 when a behaviour has neither a test nor something that it waits for.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parents[2]
TABLE = REPOSITORY / "docs" / "behaviours.md"
SHOWN = 3
ROW = re.compile(r"^\| B(\d+) \| (.+?) \| (\w+) \| ?(.*?) ?\|$", re.MULTILINE)
CITED = re.compile(r"\bB(\d{1,3})(?: to B(\d{1,3}))?\b")
IN_A_NAME = re.compile(r"_b(\d{1,3})(?=_|$)")


class Behaviour(NamedTuple):
    """One line of the table, with the tests that name it."""

    number: int
    what: str
    part: str
    waits_for: str
    tests: tuple[str, ...]

    @property
    def in_the_open(self) -> bool:
        """Whether it should be shown by a test now and is not."""
        return not self.tests and not self.waits_for


def behaviours(table: str, tests: dict[int, list[str]]) -> list[Behaviour]:
    """The lines of the table with their tests."""
    rows = ((int(number), what, part, waits) for number, what, part, waits in ROW.findall(table))
    return [Behaviour(number, what, part, waits, tuple(tests.get(number, ()))) for number, what, part, waits in rows]


def cited(folder: Path) -> dict[int, list[str]]:
    """The tests below a folder by the numbers that they cite."""
    found: dict[int, list[str]] = {}
    for path in sorted(folder.rglob("test_*.py")):
        for numbers, name in _tests(ast.parse(path.read_text()), frozenset()):
            for number in sorted(numbers):
                found.setdefault(number, []).append(f"{path.relative_to(folder.parent)}::{name}")
    return found


def _tests(node: ast.Module | ast.ClassDef, around: frozenset[int]) -> Iterator[tuple[frozenset[int], str]]:
    around |= numbers_in(ast.get_docstring(node) or "")
    for child in node.body:
        if isinstance(child, ast.ClassDef):
            yield from _tests(child, around)
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and child.name.startswith("test_"):
            named = frozenset(int(number) for number in IN_A_NAME.findall(child.name))
            yield around | named | numbers_in(ast.get_docstring(child) or ""), child.name


def numbers_in(text: str) -> frozenset[int]:
    """The numbers that a docstring cites, ranges spelt out."""
    return frozenset(number for first, last in CITED.findall(text) for number in range(int(first), int(last or first) + 1))


def main() -> int:
    """Print them all; answers the exit code."""
    told = behaviours(TABLE.read_text(), cited(REPOSITORY / "tests"))
    for one in told:
        print(f"B{one.number:<3} {one.what}  [{one.part}]")
        more = f" and {len(one.tests) - SHOWN} more" if len(one.tests) > SHOWN else ""
        for number, test in enumerate(one.tests[:SHOWN], 1):
            print(f"     {test}{more if number == SHOWN else ''}")
        if one.waits_for:
            print(f"     waits for: {one.waits_for}")
        elif not one.tests:
            print("     NOTHING SHOWS IT")
    missing = [one.number for one in told if one.in_the_open]
    shown = sum(bool(one.tests) for one in told)
    print(f"\n{len(told)} behaviours: {shown} shown by tests, {sum(bool(one.waits_for) for one in told)} wait for something.")
    if missing:
        names = ", ".join(f"B{number}" for number in missing)
        print(f"Neither shown nor waiting: {names}. Name them in a test, or say in docs/{TABLE.name} what they wait for.")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())

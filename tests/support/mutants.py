"""What mutation testing left alive: `make survivors` prints a table row for each, for docs/mutants.md.

The reasons stand in mutant_reasons.toml beside this file, by the change they are about: a person writes them, this only puts them beside
the changes. A survivor without a reason says so.
"""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

MUTMUT = Path(".mutants/bin/mutmut")
REASONS = Path(__file__).with_name("mutant_reasons.toml")
ALIVE = re.compile(r"^\s*(\S+__mutmut_\d+): survived$", re.MULTILINE)
WORD = re.compile(r"XX|^[^\"']*[\"'][A-Z_]+[\"']")
COMPARED = re.compile(r"""(==|!=|\bin|\bcase) \{?["'](XX|[A-Z_]+["'])""")
"""A word that is compared decides something: it is no word for people alone."""
A_WORD = "a word that only people read"
NO_REASON = "**no reason known yet**"


class Survivor(NamedTuple):
    """A change that no test noticed: where, and the line before and after it."""

    name: str
    before: str
    after: str


def names(results: str) -> list[str]:
    """The survivors that `mutmut results` lists."""
    return ALIVE.findall(results)


def survivor(name: str, shown: str) -> Survivor:
    """A survivor as `mutmut show` prints it: a diff of one function."""
    lines = [line for line in shown.splitlines() if not line.startswith(("---", "+++", "@@"))]
    before, after = (" ".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+")
    return Survivor(name, before, after)


def place_of(name: str) -> str:
    """A mutant's name as people read it: module, function and number."""
    return re.sub(r"^recovery\.decide\.|xǁ|x_(?=\w)", "", name).replace("ǁ", ".").replace("__mutmut_", " ")


def reason(one: Survivor, reasons: Iterable[dict[str, str]]) -> str:
    """Why it survives: the first reason whose place is in its name and whose change is in its line; else a word, else none."""
    for known in reasons:
        if place_of(one.name).startswith(known["place"]) and known.get("change", "") in one.after:
            return known["why"]
    return A_WORD if WORD.search(_new(one)) and not COMPARED.search(one.after) else NO_REASON


def _new(one: Survivor) -> str:
    """The text after the change that was not there before, roughly: from where they begin to differ."""
    start = next((place for place, (old, new) in enumerate(zip(one.before, one.after, strict=False)) if old != new), 0)
    return one.after[max(0, start - 2) :]


def rows(survivors: Iterable[Survivor], reasons: list[dict[str, str]]) -> Iterator[str]:
    """Lines of a Markdown table."""
    for one in survivors:
        yield f"| {place_of(one.name)} | `{_short(one.before)}` | `{_short(one.after)}` | {reason(one, reasons)} |"


def _short(line: str) -> str:
    text = line.replace("|", "\\|").replace("`", "'")
    return text if len(text) <= 110 else text[:107] + "..."


def _mutmut(*arguments: str) -> str:
    return subprocess.run([MUTMUT, *arguments], capture_output=True, text=True, check=True).stdout


def main() -> int:
    """Print the table; answers 1 when a survivor has no reason."""
    alive = names(_mutmut("results"))
    told = []
    for number, name in enumerate(alive, 1):
        print(f"\r{number} of {len(alive)}", end="", file=sys.stderr, flush=True)
        told.append(survivor(name, _mutmut("show", name)))
    print(file=sys.stderr)
    lines = list(rows(told, tomllib.loads(REASONS.read_text())["reason"]))
    print("| place and number | before | after | why it survives |\n|---|---|---|---|", *lines, sep="\n")
    return int(any(NO_REASON in line for line in lines))


if __name__ == "__main__":
    sys.exit(main())

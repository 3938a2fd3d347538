"""Counts the words that `docs/glossary.md` bans: `make language` prints where they occur, and one JSON object as its last line.

Three places are read in the product's packages: module names, identifiers (classes, functions, parameters, attributes and variables that
the module defines) and docstrings. The glossary names the exceptions. The sandbox is read, too. Exit status 1 when one is found.
"""

import ast
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = ("dunlin", "recovery", "producers", "streams", "sinks", "dashboard", "ml", "control", "sandbox")
NAMES = re.compile(
    "told|tells?|telling|says?|said|saying|asks?|asked|asking|looks?|looked|looking|hears?|heard|doors?|desk|again|wish|wishes|wished|whose"
    "|somebody|nobody|whoever|speakers?|listeners?|tether|quiet|hand"
)
"""Words that no identifier holds, however it is written (`snake_case`, `CamelCase`)."""
MODULES = re.compile(NAMES.pattern + "|words|leaving|handover|kept|turn|hints|echoes|retrying|reading|people")
PROSE = re.compile(
    r"\b(?:told|tells?|telling|heard|hears|asked|asks|looks?|looked|nobody|somebody|whoever|wish(?:es|ed)?|by hand|the house|desks?|doors?"
    r"|speakers?|listeners?|(?<!here )(?-i:is none|are none)|(?<!here )is no (?!longer|more)\w+|put back|puts back|put off|stands)\b",
    re.IGNORECASE,
)
"""Words that no docstring of the product holds."""
EXCEPTION = re.compile(r"^\| `([\w.]+)` \|", re.MULTILINE)


class Found(NamedTuple):
    """One banned word: the kind of place, where it stands, and the name or phrase."""

    kind: str
    where: str
    word: str


def parts(name: str) -> set[str]:
    """The words of an identifier, in lower case: `LookAgain` and `look_again` hold `look` and `again`."""
    return {part.lower() for part in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)}


def exceptions(glossary: str) -> frozenset[str]:
    """The identifiers that the glossary's last section allows."""
    return frozenset(EXCEPTION.findall(glossary.split("## Exceptions", 1)[1]))


def defined(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every name that a module defines, with its line; names of other libraries' attributes and arguments are not ours."""
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                yield node.lineno, node.name
            case ast.arg():
                yield node.lineno, node.arg
            case ast.Name(ctx=ast.Store()):
                yield node.lineno, node.id
            case ast.Attribute(ctx=ast.Store()):
                yield node.lineno, node.attr
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield node.lineno, name
            case ast.alias(asname=str(name)):
                yield node.lineno, name


def docstrings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every docstring with its line, those of fields and constants included."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        for statement in body if isinstance(body, list) else ():
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant) and isinstance(statement.value.value, str):
                yield statement.lineno, statement.value.value


def banned(path: Path, name: str, allowed: frozenset[str]) -> Iterator[Found]:
    """The banned words of one module; `name` is its path from the repository's folder."""
    if any(map(MODULES.fullmatch, parts(path.stem))) and path.stem not in allowed:
        yield Found("modules", name, path.stem)
    tree = ast.parse(path.read_text())
    for line, identifier in defined(tree):
        if any(map(NAMES.fullmatch, parts(identifier))) and identifier not in allowed:
            yield Found("identifiers", f"{name}:{line}", identifier)
    for line, text in docstrings(tree):
        for phrase in PROSE.findall(text):
            yield Found("docstrings", f"{name}:{line}", phrase)


def everywhere(packages: tuple[str, ...] = PACKAGES) -> list[Found]:
    """The banned words of the named packages."""
    allowed = exceptions((REPOSITORY / "docs" / "glossary.md").read_text())
    paths = [path for package in packages for path in sorted((REPOSITORY / package).rglob("*.py"))]
    return [found for path in paths for found in banned(path, str(path.relative_to(REPOSITORY)), allowed)]


def main(packages: list[str]) -> int:
    """Print what was found, then the counts as one JSON object."""
    found = everywhere(tuple(packages) or PACKAGES)
    for kind, where, word in found:
        sys.stdout.write(f"{where}: {kind[:-1]} {word!r}\n")
    counts = {kind: sum(one.kind == kind for one in found) for kind in ("modules", "identifiers", "docstrings")}
    sys.stdout.write(json.dumps({"banned": sum(counts.values()), **counts}) + "\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

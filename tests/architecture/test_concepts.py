"""A stranger finds each concept of the field by its usual name: the table in CONTRIBUTING.md."""

import re
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
ROW = re.compile(
    r"^\| ([^|]+) \| `git (ls-files \\\| grep (?P<name>\w+)|grep -l \"(?P<text>[^\"]+)\")` \| `(?P<file>[\w./]+)` \|$", re.MULTILINE
)
CONCEPTS = list(ROW.finditer((REPOSITORY / "CONTRIBUTING.md").read_text()))
AT_MOST = 8
"""Product files that one search may find: more are no help."""


def found(concept: re.Match[str]) -> list[str]:
    """The product files that the row's command finds."""
    command = ["ls-files"] if concept["name"] else ["grep", "-l", concept["text"]]
    lines = subprocess.run(["git", *command], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.splitlines()
    named = [line for line in lines if concept["name"] is None or concept["name"] in line]
    return [line for line in named if line.endswith(".py") and not line.startswith(("tests/", "bench/"))]


def test_the_table_has_thirty_concepts():
    assert len(CONCEPTS) >= 30
    assert len(CONCEPTS) == (REPOSITORY / "CONTRIBUTING.md").read_text().count("| `git ")


@pytest.mark.parametrize("concept", CONCEPTS, ids=lambda concept: concept[1])
def test_a_concept_is_found_by_its_usual_name(concept):
    files = found(concept)
    assert concept["file"] in files
    assert len(files) <= AT_MOST

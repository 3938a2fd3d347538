"""The state diagram of a case in docs/architecture.md shows what the decision does."""

from pathlib import Path
from typing import get_args

from recovery.vocabulary import Status
from tests.support.case_states import changes, diagram

PAGE = Path(__file__).resolve().parents[2] / "docs" / "architecture.md"
FOUND = changes()


def test_the_diagram_in_the_documentation_is_fresh():
    assert diagram(FOUND) in PAGE.read_text(), "print it anew: python -m tests.support.case_states, and paste it into docs/architecture.md"


def test_every_status_is_reached_and_every_end_is_forgotten():
    assert {after for _, after in FOUND} - {"[*]"} == set(get_args(Status))
    assert {before for before, after in FOUND if after == "[*]"} == {"recovered", "abandoned", "closed", "blocked"}


def test_a_recovered_case_is_never_active_again():
    assert {after for before, after in FOUND if before == "recovered"} == {"[*]"}

"""The rules by which `make prove-effects` judges can tell right from wrong."""

from types import SimpleNamespace

import pytest

from tests.support.crash_harness.media import Mails, Told, never_again, once_more_at_most


def told(result, why=""):
    return Told(Mails(), SimpleNamespace(id="a.in.mail.1"), SimpleNamespace(result=result, why=why), 0)


@pytest.mark.parametrize(
    ("result", "why", "seen", "doubts", "right"),
    [
        ("sent", "", 1, 0, True),
        ("sent", "", 1, 1, True),
        ("sent", "", 2, 1, True),
        ("sent", "", 2, 0, False),
        ("sent", "", 3, 2, False),
        ("sent", "", 0, 0, False),
        ("unknown", "may have been sent twice already", 2, 2, True),
        ("unknown", "", 1, 1, False),
        ("unknown", "already_paid", 1, 1, True),
        ("skipped", "already_paid", 0, 0, True),
        ("skipped", "already_paid", 1, 0, False),
        ("skipped", "no_contact", 0, 0, False),
    ],
)
def test_what_is_repeated_once_may_come_twice_after_a_doubt_and_never_more(result, why, seen, doubts, right):
    assert bool(once_more_at_most(told(result, why), seen, doubts)) is not right


@pytest.mark.parametrize(
    ("result", "why", "seen", "doubts", "right"),
    [
        ("sent", "", 1, 0, True),
        ("sent", "", 2, 1, False),
        ("sent", "", 1, 1, False),
        ("unknown", "not_repeated", 1, 1, True),
        ("unknown", "not_repeated", 0, 1, True),
        ("unknown", "not_repeated", 2, 1, False),
        ("unknown", "", 0, 0, False),
        ("skipped", "already_paid", 0, 0, True),
        ("skipped", "already_paid", 0, 1, False),
    ],
)
def test_what_is_never_repeated_comes_once_and_is_unknown_after_a_doubt(result, why, seen, doubts, right):
    assert bool(never_again(told(result, why), seen, doubts)) is not right

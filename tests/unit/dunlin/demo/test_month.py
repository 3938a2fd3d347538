"""A month's closing table and fingerprint: equal for equal cases in whatever order, different when anything of a case differs."""

import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dunlin.demo.month import MonthCase, fingerprint, month, write_cases
from dunlin.demo.world import first_moment

NOW = datetime(2026, 12, 1, 12, 30, 15, tzinfo=UTC)


def case(invoice: str, **other: Any) -> MonthCase:
    fields = {"status": "recovered", "cause": "soft insufficient_funds", "attempts": 2, "mails": 1, "currency": "usd"}
    return MonthCase(**({"invoice": invoice, **fields, "amount_minor": 900, "recovered_minor": 900} | other))


LINES = [case("in_1"), case("in_2", status="abandoned", recovered_minor=0, cause="hard lost_card"), case("in_3", currency="jpy", mails=0)]


def test_the_table_counts_cases_attempts_recoveries_mails_money_and_causes() -> None:
    table = month(LINES)
    assert (table.failures, table.attempts, table.recoveries, table.mails) == (3, 6, 2, 2)
    assert [(one.currency, one.failures, one.recovered, one.failed_minor, one.recovered_minor) for one in table.money] == [
        ("jpy", 1, 1, 900, 900),
        ("usd", 2, 1, 1_800, 900),
    ]
    assert list(table.causes.items()) == [("soft insufficient_funds", 2), ("hard lost_card", 1)]


def test_the_order_of_cases_does_not_matter() -> None:
    shuffled = random.Random(3).sample(LINES, len(LINES))
    assert fingerprint(shuffled) == fingerprint(LINES) == month(shuffled).fingerprint


@pytest.mark.parametrize(
    "change",
    [
        {"status": "closed"},
        {"cause": "hard expired_card"},
        {"attempts": 3},
        {"mails": 2},
        {"amount_minor": 901},
        {"recovered_minor": 0},
        {"currency": "eur"},
        {"invoice": "in_9"},
    ],
)
def test_anything_that_differs_in_one_case_changes_the_fingerprint(change: dict[str, Any]) -> None:
    assert fingerprint([msgspec.structs.replace(LINES[0], **change), *LINES[1:]]) != fingerprint(LINES)


def test_swapped_outcomes_of_two_cases_are_seen_although_all_totals_are_equal() -> None:
    one, other = case("in_1", attempts=1), case("in_2", attempts=3)
    assert fingerprint([one, other]) != fingerprint([case("in_1", attempts=3), case("in_2", attempts=1)])


def test_cases_are_kept_one_a_line_for_a_comparison(tmp_path: Path) -> None:
    write_cases(tmp_path, reversed(LINES))
    kept = [msgspec.json.decode(line, type=MonthCase) for line in (tmp_path / "cases.jsonl").read_bytes().splitlines()]
    assert kept == sorted(LINES)


def test_a_month_begins_on_the_day_that_is_given_or_so_many_days_ago() -> None:
    assert first_moment("2026-03-02", 30, NOW) == datetime(2026, 3, 2, tzinfo=UTC).timestamp()
    assert first_moment("2026-03-02T06:00:00+02:00", 30, NOW) == datetime(2026, 3, 2, 4, tzinfo=UTC).timestamp()
    assert first_moment("", 30, NOW) == NOW.timestamp() - 30 * 86_400


@pytest.mark.parametrize(
    ("day", "says"), [("yesterday", "give a day as"), ("2026-11-15", "Begin earlier"), ("2027-01-01", "Begin earlier")]
)
def test_a_day_that_cannot_be_read_or_whose_month_is_not_over_is_refused(day: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        first_moment(day, 30, NOW)

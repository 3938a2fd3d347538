"""A whole month, lived through in memory: what the events tell is what happened, and nobody is charged twice."""

import os

import pytest

from tests.support.month import CALM, STORM, Month, Weather

SEEDS = tuple(range(1, 1 + int(os.environ.get("DUNLIN_MONTHS", "2"))))
"""`make months` lives through more of them."""


def lived(seed: int, weather: Weather, *, stripe_retries: bool) -> Month:
    rough = weather is STORM
    return Month(seed, customers=100, days=24, weather=weather, stripe_retries=stripe_retries, merchant_acts=rough, shards=2).run()


@pytest.mark.parametrize("stripe_retries", [False, True], ids=["alone", "beside Stripe's retries"])
@pytest.mark.parametrize("weather", [CALM, STORM], ids=["calm", "storm"])
@pytest.mark.parametrize("seed", SEEDS)
def test_the_events_tell_the_truth_and_nobody_is_charged_twice(seed: int, weather: Weather, stripe_retries: bool) -> None:
    month = lived(seed, weather, stripe_retries=stripe_retries)
    report = month.report()
    assert report.failures > 5, "a month in which nothing failed proves nothing"
    assert (report.duplicate_charges, report.charges_after_end, report.lost_facts, report.repeated_rows, report.parked) == (0, 0, 0, 0, 0)
    for line in report.lines:
        undecided = month.in_doubt if line.name == "mails" else frozenset()  # it cannot be known of them (product decision 18)
        assert (set(line.missing) - undecided, line.extra) == (set(), ()), line.name
        if line.name != "mails":
            assert line.truth == line.warehouse, line.name


def test_the_same_month_twice_leaves_the_same_rows_and_events() -> None:
    """F62: the state follows from the facts alone."""
    first, second = (lived(3, STORM, stripe_retries=True) for _ in range(2))
    assert first.events == second.events
    assert [shard.rows for shard in first.shards] == [shard.rows for shard in second.shards]


def test_a_report_notices_a_recovery_that_nobody_told() -> None:
    month = lived(1, CALM, stripe_retries=False)
    month.events = [event for event in month.events if event.event_type != "payment_recovered"]
    assert month.report().differences > 0

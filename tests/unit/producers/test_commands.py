"""What people ask for by hand becomes a fact with who and why, or is refused in words (B93)."""

from datetime import UTC, datetime, timedelta

import pytest

from producers.commands import KINDS, build_command, moment
from recovery.contracts.encoding.codec import decode_fact, encode
from recovery.contracts.fact_types.commands import ExcludeRequested, RetryRequested, SnoozeRequested

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ABOUT = ("acct_1", "cus_1", "in_1")
LATER = NOW + timedelta(days=2)


def test_every_command_says_who_and_why_and_travels_as_a_fact() -> None:
    """B93."""
    for kind, fact_type in KINDS.items():
        fact = build_command(kind, ABOUT, LATER if kind == "snooze" else None, "ann", "she called", NOW, NOW)
        assert isinstance(fact, fact_type)
        assert (fact.who, fact.why, fact.invoice) == ("ann", "she called", "in_1")
        assert decode_fact(encode(fact)) == fact


def test_the_same_wish_at_another_moment_is_another_fact() -> None:
    first = build_command("retry", ABOUT, None, "ann", "", NOW, NOW)
    assert isinstance(first, RetryRequested)
    assert first.id != build_command("retry", ABOUT, None, "ann", "", NOW, NOW + timedelta(seconds=1)).id


def test_an_exclusion_may_have_an_end_and_a_snooze_must() -> None:
    for_ever, until = (
        build_command("exclude", ABOUT, None, "ann", "", NOW, NOW),
        build_command("exclude", ABOUT, LATER, "ann", "", NOW, NOW),
    )
    assert isinstance(for_ever, ExcludeRequested)
    assert isinstance(until, ExcludeRequested)
    assert (for_ever.until, until.until) == (None, LATER)
    snooze = build_command("snooze", ABOUT, LATER, "ann", "", NOW, NOW)
    assert isinstance(snooze, SnoozeRequested)
    assert snooze.until == LATER
    with pytest.raises(ValueError, match="needs its end"):
        build_command("snooze", ABOUT, None, "ann", "", NOW, NOW)


def test_an_end_that_is_past_or_means_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="is past"):
        build_command("snooze", ABOUT, NOW, "ann", "", NOW, NOW)
    with pytest.raises(ValueError, match="takes no --until"):
        build_command("retry", ABOUT, LATER, "ann", "", NOW, NOW)


def test_a_time_is_read_with_its_zone_or_refused() -> None:
    assert moment("2026-12-24T18:00:00+01:00") == datetime(2026, 12, 24, 17, tzinfo=UTC)
    with pytest.raises(ValueError, match="names no zone"):
        moment("2026-12-24T18:00:00")
    with pytest.raises(ValueError, match="is not a time"):
        moment("tomorrow")

from datetime import UTC, datetime, timedelta

from recovery.contracts.encoding.row_codec import stamp
from streams.timers import Timers

START = datetime(2026, 1, 1, tzinfo=UTC)


def hours(n: float) -> datetime:
    return START + timedelta(hours=n)


def timers_over(rows: dict[bytes, datetime]) -> Timers:
    timers = Timers(lambda key: stamp(rows.get(key)))
    timers.load((stamp(wake), key) for key, wake in rows.items())
    return timers


def test_rows_are_due_in_the_order_of_their_times_and_not_before() -> None:
    timers = timers_over({b"late": hours(3), b"early": hours(1), b"future": hours(9)})
    assert timers.due(hours(0.5), 10) == []
    assert timers.due(hours(3), 10) == [b"early", b"late"]
    assert len(timers) == 1


def test_a_moved_timer_fires_once_at_its_new_time() -> None:
    rows = {b"row": hours(1)}
    timers = timers_over(rows)
    rows[b"row"] = hours(5)
    timers.set(b"row", stamp(hours(5)))
    assert timers.due(hours(2), 10) == []
    assert timers.due(hours(5), 10) == [b"row"]


def test_a_timer_set_twice_for_the_same_time_fires_once() -> None:
    timers = timers_over({b"row": hours(1)})
    timers.set(b"row", stamp(hours(1)))
    assert timers.due(hours(1), 10) == [b"row"]
    assert len(timers) == 0


def test_a_deleted_row_is_not_due() -> None:
    rows = {b"row": hours(1)}
    timers = timers_over(rows)
    del rows[b"row"]
    assert timers.due(hours(2), 10) == []


def test_a_burst_is_cut_at_the_limit_and_the_rest_stays() -> None:
    timers = timers_over({b"%d" % n: hours(1) for n in range(5)})
    assert len(timers.due(hours(1), 3)) == 3
    assert len(timers.due(hours(1), 3)) == 2

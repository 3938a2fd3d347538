"""When to wait, when to abort and when to refuse, with a clock that moves only while waiting."""

import pytest

from streams.kafka.hanging_transactions import CHECK_EVERY, MARKERS_WITHIN, TIME_OUT_WITHIN, ShardOpenError, resolve_hanging_transactions


class World:
    """`changelog` and `outputs` stay open until `ends` seconds, or until aborted if that helps."""

    def __init__(self, topics: list[str], ends: float = float("inf"), abort_helps: bool = False) -> None:
        self.topics, self.ends, self.abort_helps = topics, ends, abort_helps
        self.time, self.aborted_at = 0.0, None

    def settle(self) -> None:
        resolve_hanging_transactions(self.undecided, "changelog", self.abort, now=lambda: self.time, pause=self.pause)

    def undecided(self) -> list[str]:
        closed = self.time >= self.ends or (self.abort_helps and self.aborted_at is not None)
        return [] if closed else self.topics

    def abort(self) -> None:
        assert self.aborted_at is None
        self.aborted_at = self.time

    def pause(self, seconds: float) -> None:
        self.time += seconds


def test_nothing_open_costs_no_time():
    world = World([])
    world.settle()
    assert (world.time, world.aborted_at) == (0.0, None)


def test_markers_on_their_way_are_waited_for():
    world = World(["changelog", "events"], ends=1.0)
    world.settle()
    assert world.aborted_at is None


def test_an_open_changelog_is_aborted():
    world = World(["changelog", "events"], abort_helps=True)
    world.settle()
    assert world.aborted_at == pytest.approx(MARKERS_WITHIN, abs=CHECK_EVERY)


def test_what_another_producer_left_open_is_waited_for_until_its_time_out():
    world = World(["changelog"], ends=25.0)
    world.settle()
    assert world.time == pytest.approx(25.0, abs=CHECK_EVERY)


def test_open_outputs_of_a_committed_position_are_never_aborted():
    world = World(["events"], abort_helps=True)
    with pytest.raises(ShardOpenError, match="the outputs would be lost"):
        world.settle()
    assert world.aborted_at is None


def test_what_nobody_ends_is_refused_within_bounds():
    world = World(["changelog"])
    with pytest.raises(ShardOpenError, match="records in changelog"):
        world.settle()
    assert world.time == pytest.approx(2 * MARKERS_WITHIN + TIME_OUT_WITHIN, abs=3 * CHECK_EVERY)

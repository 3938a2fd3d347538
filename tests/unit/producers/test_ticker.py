"""The time is told to every partition, often enough, never backwards, never stale."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from producers.ticker import CHECK_SECONDS, KEY, Ticker, run
from recovery.adapters.kafka import NotDelivered

START = datetime(2026, 10, 25, tzinfo=UTC)
WALL = datetime(2026, 11, 24, tzinfo=UTC)
PARTITIONS = 3


class World:
    """Two clocks that the test moves, and partitions that can be out of reach."""

    def __init__(self, tick_seconds: float = 5.0) -> None:
        self.now, self.seconds, self.down, self.ticks, self.keys = START, 100.0, False, [], set()
        self.ticker = Ticker(self, lambda: self.now, lambda: WALL, tick_seconds, lambda: self.seconds)

    def write(self, key, fact_for):
        if self.down:
            raise NotDelivered("The broker is down.")
        self.keys.add(key)
        self.ticks.append([fact_for(partition) for partition in range(PARTITIONS)])

    def after(self, wall_seconds: float, speed: float = 1.0) -> bool:
        self.seconds += wall_seconds
        self.now += timedelta(seconds=wall_seconds * speed)
        return self.ticker.check()


def test_the_first_look_ticks_on_every_partition():
    world = World()
    assert world.ticker.check()
    [tick] = world.ticks
    assert [fact.id for fact in tick] == [f"time:{n}:{int(START.timestamp() * 1000)}" for n in range(PARTITIONS)]
    assert {(fact.occurred_at, fact.received_at) for fact in tick} == {(START, WALL)}
    assert world.keys == {KEY}


def test_on_a_real_clock_it_ticks_every_tick_seconds():
    world = World(tick_seconds=5)
    world.ticker.check()
    assert [world.after(1) for _ in range(10)] == [False, False, False, False, True] * 2


@pytest.mark.parametrize("speed", [1, 60, 3600, 25_920, 36_000])
def test_on_a_fast_clock_at_most_an_hour_passes_between_ticks(speed):
    world = World()
    world.ticker.check()
    for _ in range(200):
        world.after(CHECK_SECONDS, speed)
    times = [tick[0].occurred_at for tick in world.ticks]
    assert max(b - a for a, b in itertools.pairwise(times)) <= timedelta(hours=1)
    assert len(times) > 1


def test_a_held_clock_does_not_tick():
    world = World()
    world.ticker.check()
    assert not any(world.after(5, speed=0) for _ in range(3))


def test_time_never_goes_backwards():
    world = World()
    world.ticker.check()
    assert not world.after(60, speed=-1)
    assert world.after(65)
    assert len(world.ticks) == 2


def test_while_the_broker_is_down_ticks_are_skipped_and_then_told_anew():
    world = World()
    world.ticker.check()
    world.down = True
    assert not any(world.after(5) for _ in range(20))
    world.down = False
    assert world.after(1)
    assert [tick[0].occurred_at for tick in world.ticks] == [START, START + timedelta(seconds=101)]


def test_it_runs_until_it_is_told_to_stop():
    world, waits = World(tick_seconds=1), iter([False, False, True])

    def wait(seconds):
        world.seconds += seconds
        world.now += timedelta(seconds=seconds)
        return next(waits)

    run(world.ticker, wait, every=lambda: 1.0)
    assert len(world.ticks) == 3


def test_a_clock_that_moves_in_steps_is_told_at_every_step_and_no_oftener():
    world, told = World(tick_seconds=5), []
    world.ticker = Ticker(world, lambda: world.now, lambda: WALL, 5, lambda: world.seconds, lambda: True, told.append)
    for _ in range(3):
        assert world.ticker.check()
        assert not world.ticker.check()
        world.now += timedelta(minutes=7)
    assert told == [tick[0].occurred_at for tick in world.ticks] == [START, START + timedelta(minutes=7), START + timedelta(minutes=14)]


def test_a_step_counts_as_told_only_when_the_broker_has_it():
    world, told = World(), []
    world.ticker = Ticker(world, lambda: world.now, lambda: WALL, 5, lambda: world.seconds, lambda: True, told.append)
    world.down = True
    world.ticker.check()
    assert told == []
    world.down = False
    world.ticker.check()
    assert told == [START]

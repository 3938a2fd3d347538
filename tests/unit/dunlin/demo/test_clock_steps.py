"""Business time goes a step further when everything is finished that the last step caused, and never before."""

from collections.abc import Callable
from typing import Any

import pytest

from dunlin.demo import clock_steps as steps
from dunlin.demo.clock_keeper import PATIENCE_SECONDS, ClockKeeper
from dunlin.demo.quiescence import NotQuiescentError
from recovery.adapters.progress import ProgressReport

START = 1_772_409_600.0


def report(**fields: Any) -> ProgressReport:
    return ProgressReport(process="7", **fields)


def test_steps_lie_half_an_hour_apart_and_end_with_the_month() -> None:
    assert list(steps.times(START, START + 4_000)) == [START + 1_800, START + 3_600, START + 4_000]
    assert list(steps.times(START, START + 3_600)) == [START + 1_800, START + 3_600]


def test_a_tick_is_told_when_the_ticker_says_so() -> None:
    assert steps.unticked({}, START)
    assert steps.unticked({"ticker": report(at=START - 1_800)}, START)
    assert steps.unticked({"ticker": report(at=START)}, START) is None


def test_facts_are_unread_until_a_worker_has_finished_with_them() -> None:
    ends = {"facts/0": 10, "facts/1": 4}
    wait = steps.unread({"streams-a": report(read={"facts/0": 7})}, ends)
    assert str(wait) == "waiting for 7 unread facts"
    both = {"streams-a": report(read={"facts/0": 10}), "streams-b": report(read={"facts/0": 3, "facts/1": 4})}
    assert steps.unread(both, ends) is None


def test_effects_are_taken_when_the_sink_has_stored_all_that_any_worker_wrote() -> None:
    written = {
        "streams-a": report(written={"effects.stripe/0": 5, "recovery.events/0": 90}),
        "streams-b": report(written={"effects.stripe/0": 8}),
    }
    wait = steps.unsettled(written | {"effects": report(read={"effects.stripe/0": 6})})
    assert wait is not None
    assert wait.count == 2
    assert steps.unsettled(written | {"effects": report(read={"effects.stripe/0": 8})}) is None


def test_rows_are_counted_against_the_events_of_a_step() -> None:
    told = {"streams-a": report(written={"recovery.events/2": 12})}
    assert steps.events_end(told) == {"recovery.events/2": 12}
    assert steps.unwritten(told | {"warehouse-0": report(read={"recovery.events/2": 11})}, {"recovery.events/2": 12})
    assert steps.unwritten(told | {"warehouse-0": report(read={"recovery.events/2": 12})}, {"recovery.events/2": 12}) is None


def test_the_daily_look_is_waited_for_only_when_it_is_due() -> None:
    assert steps.unpolled({"expiring": report(at=START, next=START + 86_400)}, START + 1_800) is None
    assert steps.unpolled({"expiring": report(at=START, next=START + 86_400)}, START + 86_400)
    assert steps.unpolled({}, START)


class World:
    """A sandbox and a pipeline that work on only while the keeper waits, one piece at each look."""

    def __init__(self, slow: int = 3, steps: int = 3) -> None:
        self.clock, self.slow, self.log = START, slow, []
        self.end = START + steps * 1_800
        self.facts, self.read, self.effects, self.kept = 0, 0, 0, 0
        self.events, self.rows, self.at = 0, 0, START
        self.hook: Callable[[], None] = lambda: None
        self.held = False

    # the sandbox
    def month(self) -> tuple[float, float]:
        return START, self.end

    def step(self, to: float) -> bool:
        if self.held:
            return False
        self.log.append(("step", to - self.clock, self.facts - self.read, self.effects, self.kept))
        self.clock, self.kept = to, self.kept + 2
        return True

    def follow(self) -> None:
        pass

    def deliver(self) -> dict[str, int]:
        begun, self.kept = self.kept, 0
        self.facts += begun
        return {"opened": 0, "begun": begun, "left": 0}

    # the pipeline
    def facts_end(self) -> dict[str, int]:
        return {"facts/0": self.facts}

    def reports(self) -> dict[str, ProgressReport]:
        return {
            "ticker": report(at=self.at),
            "expiring": report(next=START + 86_400),
            "streams-a": report(read={"facts/0": self.read}, written={"recovery.events/0": self.events}),
            "warehouse-0": report(read={"recovery.events/0": self.rows}),
        }

    def open_effects(self, now: float) -> int:
        assert now == self.clock
        return self.effects

    def unread_effects(self) -> int:
        return 0

    def work(self, _seconds: float) -> None:
        """One thing happens: a tick, a fact is read and asks for an effect, an effect is settled, a row is written."""
        self.hook()
        if self.at < self.clock:
            self.at, self.facts = self.clock, self.facts + 1
        elif self.read < self.facts:
            self.read, self.events = self.read + 1, self.events + 1
            self.effects += self.read % 3 == 0
        elif self.effects:
            self.effects, self.facts, self.kept = self.effects - 1, self.facts + 1, self.kept + 1
        elif self.rows < self.events:
            self.rows += 1


def keeper(world: World) -> ClockKeeper:
    return ClockKeeper(world, world, sleep=world.work)  # type: ignore[arg-type] # doubles of sandbox and pipeline


def test_no_step_begins_while_anything_of_the_last_one_is_unfinished() -> None:
    world = World()
    keeper(world).run()
    assert [step[1:] for step in world.log] == [(1_800.0, 0, 0, 0)] * 3
    assert world.clock == START + 5_400
    assert (world.read, world.rows) == (world.facts, world.events)


def test_rows_are_behind_by_a_few_steps_and_no_more() -> None:
    world = World(steps=10)
    behind: list[int] = []
    ends: list[int] = []
    step = world.step

    def noted(to: float) -> bool:
        behind.append(world.rows)
        ends.append(world.events)
        return step(to)

    world.step = noted  # type: ignore[method-assign] # the double's own
    keeper(world).run()
    assert behind[1] < ends[1]
    assert all(rows >= end for rows, end in zip(behind[steps.ROWS_STEPS :], ends, strict=False))


def test_a_held_clock_is_waited_for() -> None:
    world = World()
    world.held = True
    looks = iter(range(50))
    kept = keeper(world)

    def release() -> None:
        if next(looks, None) == 20:
            assert kept.waits == "waiting for 1 clock that is held"
            world.held = False

    world.hook = release
    kept.run()
    assert world.clock == START + 5_400


def test_what_never_finishes_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    now = [0.0]
    monkeypatch.setattr("dunlin.demo.clock_keeper.time.monotonic", lambda: now[0])

    def pass_time(_: float) -> None:
        now[0] += PATIENCE_SECONDS / 4

    world.effects = 2
    with pytest.raises(NotQuiescentError, match="2 effects"):
        ClockKeeper(world, world, sleep=pass_time).run()  # type: ignore[arg-type] # doubles of sandbox and pipeline

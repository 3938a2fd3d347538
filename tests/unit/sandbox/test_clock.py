import json
from pathlib import Path

from sandbox.clock import DAY, SandboxClock


class Wall:
    def __init__(self) -> None:
        self.at = 1_800_000_000.0

    def __call__(self) -> float:
        return self.at


def _clock(tmp_path: Path, wall: Wall) -> SandboxClock:
    return SandboxClock(tmp_path / "clock.json", speed=86_400.0, days=30.0, wall=wall)


def _reader(tmp_path: Path, wall: Wall) -> float:
    state = json.loads((tmp_path / "clock.json").read_text())
    return min(wall.at, state["business0"] + (wall.at - state["wall0"]) * state["speed"])


def test_it_stands_at_the_beginning_until_started(tmp_path: Path) -> None:
    wall = Wall()
    clock = _clock(tmp_path, wall)
    begin = wall.at - 30 * DAY
    wall.at += 100
    assert clock.now() == begin
    clock.start()
    wall.at += 2
    assert clock.now() == begin + 2 * DAY
    assert _reader(tmp_path, wall) == clock.now()


def test_it_catches_up_with_the_wall_and_then_walks_with_it(tmp_path: Path) -> None:
    wall = Wall()
    clock = _clock(tmp_path, wall)
    clock.start()
    wall.at += 31
    assert clock.caught_up
    assert clock.now() == wall.at
    wall.at += 5
    assert clock.now() == wall.at


def test_two_holders_do_not_undo_each_other(tmp_path: Path) -> None:
    wall = Wall()
    clock = _clock(tmp_path, wall)
    clock.start()
    wall.at += 1
    held_at = clock.now()
    clock.hold("delivery")
    clock.hold("verify")
    clock.hold("verify")
    clock.release("delivery")
    clock.release("verify")
    wall.at += 10
    assert clock.now() == held_at
    assert _reader(tmp_path, wall) == held_at
    clock.release("verify")
    wall.at += 1
    assert clock.now() == held_at + DAY


def test_a_hold_after_the_month_changes_nothing(tmp_path: Path) -> None:
    wall = Wall()
    clock = _clock(tmp_path, wall)
    clock.start()
    wall.at += 40
    clock.hold("delivery")
    wall.at += 3
    assert clock.now() == wall.at


def test_releasing_what_nobody_held_does_not_start_the_month(tmp_path: Path) -> None:
    wall = Wall()
    clock = _clock(tmp_path, wall)
    clock.release("verify")
    wall.at += 5
    assert clock.now() == clock.began
    assert not clock.started


class BusyWall(Wall):
    """Every look at it takes 1 ms, and a reader in another process computes its business time at each."""

    def __init__(self, tmp_path: Path) -> None:
        super().__init__()
        self.tmp_path = tmp_path
        self.computed: list[float] = []

    def __call__(self) -> float:
        self.at += 0.001
        if (self.tmp_path / "clock.json").exists():
            self.computed.append(_reader(self.tmp_path, self))
        return self.at


def test_a_hold_or_release_never_lies_before_what_a_reader_has_computed(tmp_path: Path) -> None:
    wall = BusyWall(tmp_path)
    clock = _clock(tmp_path, wall)
    for change in (clock.start, lambda: clock.hold("verify"), lambda: clock.release("verify"), lambda: clock.hold("verify")):
        wall.at += 1
        before = len(wall.computed)
        change()
        assert len(wall.computed) > before
        assert json.loads((tmp_path / "clock.json").read_text())["business0"] >= max(wall.computed)


def test_a_reader_with_the_old_file_is_ahead_of_a_hold_by_no_more_than_the_write_takes(tmp_path: Path) -> None:
    wall, writing_s = Wall(), 0.0002
    clock = _clock(tmp_path, wall)
    clock.start()
    wall.at += 3
    old = json.loads((tmp_path / "clock.json").read_text())
    clock.hold("delivery")
    held_at = clock.now()
    stale = old["business0"] + (wall.at + writing_s - old["wall0"]) * old["speed"]
    assert 0 <= stale - held_at <= writing_s * clock.speed + 0.01
    assert _reader(tmp_path, wall) == held_at


def test_another_speed_counts_from_now_on_and_a_held_clock_takes_it_when_released(tmp_path: Path) -> None:
    wall = Wall()
    clock = _clock(tmp_path, wall)
    clock.start()
    wall.at += 1
    before = clock.now()
    clock.run_at(60.0)
    wall.at += 1
    assert clock.now() == before + 60 == _reader(tmp_path, wall)
    clock.hold("test")
    clock.run_at(10.0)
    wall.at += 1
    assert clock.now() == before + 60
    clock.release("test")
    wall.at += 1
    assert clock.now() == before + 70 == _reader(tmp_path, wall)

"""A worker is stuck only if something does not move and ought to."""

import pytest

from streams.watchdog import Sign, Watchdog


class Watched:
    """A worker with one position, and a broker that may hold work for it."""

    def __init__(self) -> None:
        self.position, self.waiting, self.time = 0, "a record waits", 0.0
        self.asked, self.reasons = 0, []
        self.present = True
        self.watchdog = Watchdog(self.signs, self.reasons.append, 10.0, lambda: self.time)

    def signs(self):
        return [Sign("facts", self.position, self.overdue)] if self.present else []

    def overdue(self):
        self.asked += 1
        return self.waiting

    def look_for(self, seconds: int, moving: bool = False) -> None:
        for _ in range(seconds):
            self.time += 1
            self.position += moving
            self.watchdog.check()


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_a_worker_that_moves_is_left_alone(watched):
    watched.look_for(30, moving=True)
    assert (watched.asked, watched.reasons) == (0, [])


def test_standing_still_with_work_waiting_ends_the_worker(watched):
    watched.look_for(10)
    assert watched.reasons == []
    watched.look_for(1)
    assert watched.reasons == ["facts: a record waits; nothing has moved for 10 s"]


def test_standing_still_with_nothing_to_do_is_asked_about_once_per_patience(watched):
    watched.waiting = None
    watched.look_for(35)
    assert (watched.asked, watched.reasons) == (3, [])


def test_patience_begins_anew_with_each_movement(watched):
    watched.look_for(9)
    watched.look_for(1, moving=True)
    watched.look_for(9)
    assert watched.asked == 0


def test_a_sign_that_was_away_begins_anew(watched):
    watched.look_for(9)
    watched.present = False
    watched.look_for(5)
    watched.present = True
    watched.look_for(10)
    assert watched.asked == 0

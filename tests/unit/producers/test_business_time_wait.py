"""A look that is due once a day of business is made so on any clock."""

from datetime import UTC, datetime, timedelta

from producers.scans.business_time_wait import REST_SECONDS, STEP_SECONDS, STEPPED_SECONDS, in_business_time

START = datetime(2026, 10, 25, tzinfo=UTC)
DAY = 86_400.0


class Clocks:
    """Business time runs `speed` times as fast as the wall, whose seconds pass by waiting alone."""

    def __init__(self, speed: float, stopped_after: float = float("inf")) -> None:
        self.speed, self.stopped_after, self.waited = speed, stopped_after, 0.0

    def business(self) -> datetime:
        return START + timedelta(seconds=self.waited * self.speed)

    def wait(self, seconds: float) -> bool:
        self.waited += seconds
        return self.waited >= self.stopped_after


def test_a_day_of_real_time_is_a_day():
    clocks = Clocks(speed=1)
    assert not in_business_time(clocks.business, clocks.wait)(DAY)
    assert DAY <= clocks.waited < DAY + STEP_SECONDS


def test_a_day_of_a_quick_clock_passes_in_its_time():
    clocks = Clocks(speed=100)
    in_business_time(clocks.business, clocks.wait)(DAY)
    assert DAY / 100 <= clocks.waited < DAY / 100 + STEP_SECONDS


def test_there_is_a_rest_however_fast_business_runs():
    clocks = Clocks(speed=21_600)
    in_business_time(clocks.business, clocks.wait)(DAY)
    assert clocks.waited == REST_SECONDS


def test_a_wait_shorter_than_the_rest_stays_short():
    clocks = Clocks(speed=1)
    in_business_time(clocks.business, clocks.wait)(3)
    assert clocks.waited == 3


def test_a_stop_ends_the_wait_at_once_also_while_the_clock_is_held():
    clocks = Clocks(speed=0, stopped_after=40)
    assert in_business_time(clocks.business, clocks.wait)(DAY)
    assert clocks.waited == 40


class Steps:
    """Business time that goes a step further at every third wait."""

    def __init__(self, step: timedelta) -> None:
        self.now, self.step, self.waits, self.told = START, step, [], []

    def __call__(self) -> datetime:
        return self.now

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        if len(self.waits) % 3 == 0:
            self.now += self.step
        return False


def test_in_steps_it_is_due_at_the_first_step_that_reaches_its_time_and_rests_for_no_wall_time():
    time = Steps(timedelta(minutes=30))
    waited = in_business_time(time, time.wait, lambda: True, lambda at, again: time.told.append((at, again)))
    for day in (1, 2):
        assert waited(DAY) is False
        assert time.now == START + timedelta(days=day)
    assert set(time.waits) == {STEPPED_SECONDS}
    assert time.told == [(START + timedelta(days=day), START + timedelta(days=day + 1)) for day in (0, 1)]


def test_it_stops_when_it_is_asked_to():
    time = Steps(timedelta(minutes=30))
    assert in_business_time(time, lambda _: True, lambda: True)(DAY) is True

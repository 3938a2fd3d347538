"""The clock follows the sandbox's file, logs hold no address, and every metric says what it means."""

import json
import logging
from datetime import UTC, datetime, timedelta

import pytest

from recovery.adapters.clock import ClockFile, business_clock, business_seconds, wall
from recovery.adapters.logs import Calm, scrub
from recovery.adapters.metrics import METRICS, SECONDS

MONTH = 30 * 86_400


def test_a_fast_clock_catches_up_with_the_wall_and_then_keeps_pace():
    file = ClockFile(wall0=1_000_000.0, business0=1_000_000.0 - MONTH, speed=1000)
    assert business_seconds(file, 1_000_000.0) == 1_000_000.0 - MONTH
    assert business_seconds(file, 1_000_010.0) == 1_000_000.0 - MONTH + 10_000
    assert business_seconds(file, 1_100_000.0) == 1_100_000.0


def test_a_held_clock_stands_still():
    file = ClockFile(wall0=5.0, business0=1.0, speed=0)
    assert business_seconds(file, 100.0) == 1.0


def test_without_a_file_business_time_is_wall_time():
    assert business_clock(None) is wall
    assert wall().tzinfo is UTC


def test_a_change_of_the_file_is_seen_at_once(tmp_path):
    path = tmp_path / "clock.json"

    def write(business0):
        fresh = tmp_path / "fresh"
        fresh.write_text(json.dumps({"wall0": 0.0, "business0": business0, "speed": 0.0}))
        fresh.replace(path)

    write(100.0)
    clock = business_clock(path)
    assert clock() == datetime.fromtimestamp(100, UTC)
    write(200.0)
    assert clock() - datetime.fromtimestamp(100, UTC) == timedelta(seconds=100)


def test_a_clock_that_is_set_back_stands_still_until_time_has_caught_up(tmp_path):
    path = tmp_path / "clock.json"

    def write(business0):
        fresh = tmp_path / "fresh"
        fresh.write_text(json.dumps({"wall0": 0.0, "business0": business0, "speed": 0.0}))
        fresh.replace(path)

    write(200.0)
    clock = business_clock(path)
    assert clock() == datetime.fromtimestamp(200, UTC)
    write(150.0)
    assert clock() == datetime.fromtimestamp(200, UTC)
    write(300.0)
    assert clock() == datetime.fromtimestamp(300, UTC)


def test_without_the_sandboxs_file_there_is_no_clock(tmp_path):
    with pytest.raises(FileNotFoundError):
        business_clock(tmp_path / "clock.json")


@pytest.mark.parametrize("text", ["to jo@payer.example now", "JO.PAYER+x@mail.payer.example", "<jo_1@a-b.example>"])
def test_an_address_is_never_logged(text):
    assert "@" not in scrub(text)


def test_a_noisy_library_says_one_thing_in_five_seconds_and_nobody_else_is_cut_short():
    now = [0.0]
    calm = Calm(lambda: now[0])

    def written(name):
        return calm.filter(logging.LogRecord(name, logging.ERROR, "f", 1, "away", None, None))

    assert [written("aiokafka.conn"), written("aiokafka.client"), written("librdkafka")] == [True, False, True]
    assert all(written("streams.shard") for _ in range(3))
    now[0] = 5.0
    assert written("aiokafka")


def test_every_metric_says_what_it_means():
    assert all(name.startswith("dunlin_") and len(meaning) > 20 for name, meaning in METRICS.items())
    assert list(SECONDS) == sorted(set(SECONDS))

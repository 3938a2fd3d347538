"""The clock follows the sandbox's file, logs hold no address, and every metric says what it means."""

import json
import logging
import sys
from datetime import UTC, datetime, timedelta

import pytest

from recovery.adapters.clock import ClockFile, business_clock, business_seconds, wall
from recovery.adapters.logs import Calm, OneLine, scrub
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
    assert all(written("streams.transactional_shard") for _ in range(3))
    now[0] = 5.0
    assert written("aiokafka")


def test_every_metric_says_what_it_means():
    assert all(name.startswith("dunlin_") and len(meaning) > 20 for name, meaning in METRICS.items())
    assert list(SECONDS) == sorted(set(SECONDS))


def logged(name, message, *arguments, **more):
    record = logging.LogRecord(name, logging.INFO, "f", 1, message, arguments, more.get("exc_info"))
    return OneLine("%(asctime)s %(levelname)s %(name)s %(message)s", datefmt="%H:%M:%S").format(record)


LINE_ENDS = ["in_x\n12:00:00 CRITICAL all is paid", "in_x\r12:00:00 CRITICAL all is paid", "in_x\u202812:00:00"]
CONTROLS = ["in_x\x1b[2J\x1b]0;t\x07", "in_x\x9b2J", "in_\u202e1x", "in_\ud800", "in_\x00", "in_\u200b\ufeff"]


@pytest.mark.parametrize("id", [*LINE_ENDS, *CONTROLS])
def test_no_id_begins_a_line_of_the_log_or_drives_a_terminal(id):
    line = logged("sinks.effects.engine.dispatcher", "effect %s: %s", f"acct_1.{id}.read.1", "read")
    assert line.isprintable()
    assert "acct_1.in_" in line
    line.encode("utf-8")


def test_the_words_of_an_error_cannot_forge_a_line_either():
    try:
        raise ValueError("in_x\n12:00:00 CRITICAL root all is paid\x1b[2J")
    except ValueError:
        text = logged("streams", "failed", exc_info=sys.exc_info())
    first, *rest = text.split("\n")
    assert first.endswith("streams failed")
    assert rest
    assert all(line.startswith("    ") and line.isprintable() for line in rest)


SECRETS = [
    "sk_live_abcdefghijkl",
    "rk_test_51Habcdefgh",
    "whsec_c2VjcmV0c2VjcmV0",
    "https://hooks.slack.com/services/T1/B1/secret",
    "+4915112345678",
]
MORE = ["+49 151 1234 5678", "(+1) 202-555-0143", "004915112345678", "imaps://user:hunter2@mail.example/Box", "xoxb-123456789012-abcdef"]


@pytest.mark.parametrize("secret", [*SECRETS, *MORE, "jo@payer.example"])
@pytest.mark.parametrize("around", ["{}", "said {} here", "key={},", "'{}'", "<{}>", "({})"])
def test_secrets_and_numbers_are_never_logged(secret, around):
    line = logged("x", around.format(secret))
    for part in ("abcdefgh", "c2VjcmV0", "T1/B1", "151", "555", "hunter2", "123456789012", "jo@"):
        assert part not in line


@pytest.mark.parametrize(
    "text", ["in_1Nabc of cus_9 at 2026-05-04T10:00:00+02:00", "effects.stripe-0-1700000", "risk_level=3 task_id=7", "in 0.5 s (+3)"]
)
def test_ids_and_times_stay_readable(text):
    assert logged("x", text).endswith(text)


@pytest.mark.parametrize("text", ["a" * 400_000, "a" * 30_000 + "@", "+1" * 20_000, "http://" + ":" * 30_000, "0012345678" * 3000])
def test_a_long_line_is_cut_before_it_is_searched(text):
    assert len(logged("x", text)) < 5000

"""A parked message as a person reads it."""

from datetime import UTC, datetime

import pytest

from dunlin.ops.dead_letter_view import LONGEST, hexdump, in_full, line, reason_of
from recovery.adapters.dead_letter_reader import HeldMessage, MessagePosition
from recovery.contracts.dead_letters import DeadLetter, DeadLetterReplayed

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def both(stage="streams", topic="facts", value=b"{\x00", headers=None, **more):
    parked = DeadLetter(
        stage=stage,
        topic=topic,
        partition=2,
        offset=7,
        key=b"acct_1/cus_1",
        value=value,
        headers=headers or {},
        why="unreadable",
        at=NOW,
        replay_topic="facts",
    )
    told = {"account": "acct_1", "why": "unreadable", "error": "", "trace": "", "size": len(value), "parked_at": NOW}
    return HeldMessage(place=MessagePosition(stage, 2, 15), topic=topic, **told, **more), parked


def test_everything_about_a_message_is_told():
    told = in_full(*both(value=b"{hello}"))
    for words in (
        "streams-2-15",
        "facts, partition 2, offset 7",
        "acct_1/cus_1",
        "unreadable",
        "not yet",
        "7b 68 65 6c 6c 6f 7d",
        "{hello}",
    ):
        assert words in told


def test_a_line_says_who_put_it_back_and_when():
    back = DeadLetterReplayed(stage="streams", partition=2, offset=15, who="ada", at=NOW)
    assert line(both(replayed=back)[0]).put_back == "2026-11-24T12:00:00+00:00 by ada"
    assert line(both()[0]).put_back == ""


@pytest.mark.parametrize(
    ("stage", "topic", "headers", "words"),
    [
        ("gateway", "raw", {}, "report the event's type"),
        ("streams", "facts", {}, "does not continue"),
        ("streams", "dunlin-cases-changelog", {}, "wakes it"),
        ("sinks", "recovery.events", {}, "written once"),
        ("sinks", "effects.messages", {}, "past its deadline"),
        ("sinks", "effects.stripe", {"decided_anew": "charge_requested"}, "command retry"),
    ],
)
def test_what_to_try_depends_on_where_it_comes_from(stage, topic, headers, words):
    told = in_full(*both(stage, topic, headers=headers))
    assert words in told
    assert ("dunlin parked replay" in told) is not bool(headers)


def test_bytes_are_shown_as_hex_and_text_and_very_many_are_not():
    assert hexdump(b"a\xff\n") == f"00000000  {'61 ff 0a':<48} a.."
    assert hexdump(b"") == "(no bytes)"
    assert "904 more bytes" in hexdump(b"x" * (LONGEST + 904))


def test_the_error_behind_a_reason_is_told_once():
    assert reason_of("It failed.", "KeyError: a") == "It failed. (KeyError: a)"
    assert reason_of("KeyError: a", "KeyError") == "KeyError: a"

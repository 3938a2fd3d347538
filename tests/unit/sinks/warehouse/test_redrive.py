"""Parked events that are replayed: written under their first place, and only what is missing."""

from datetime import UTC, datetime

from recovery.contracts.dead_letters import DeadLetter
from recovery.contracts.encoding.codec import encode
from sinks.kafka.offset_ranges import Message, Range
from sinks.warehouse.redrive import WarehouseRedrive

NOW = datetime(2026, 11, 24, tzinfo=UTC)
TAKEN = Range("redrive.sinks", 1, 0, 9)


class Table:
    """A warehouse that has some events."""

    def __init__(self, *has):
        self.has, self.written = set(has), []

    def there(self, messages):
        return self.has & {(message.partition, message.offset) for message in messages}

    def write(self, taken, messages):
        self.written.append((taken, [(message.topic, message.partition, message.offset, message.value) for message in messages]))


def put_back(offset, topic="recovery.events", at=0):
    parked = DeadLetter(
        stage="sinks",
        topic=topic,
        partition=2,
        offset=offset,
        key=b"k",
        value=b"%d" % offset,
        why="then",
        at=NOW,
        replay_topic="redrive.sinks",
    )
    return Message("redrive.sinks", 1, at, b"k", encode(parked))


def test_an_event_is_written_under_the_place_that_it_first_had():
    table = Table()
    WarehouseRedrive(table).write(TAKEN, [put_back(7)])
    assert table.written == [(TAKEN, [("recovery.events", 2, 7, b"7")])]


def test_what_the_table_has_is_not_written_again():
    table = Table((2, 7))
    WarehouseRedrive(table).write(TAKEN, [put_back(7), put_back(8)])
    assert table.written == [(TAKEN, [("recovery.events", 2, 8, b"8")])]
    WarehouseRedrive(Table((2, 7))).write(TAKEN, [put_back(7)])


def test_one_that_is_put_back_twice_in_a_range_is_written_once():
    table = Table()
    WarehouseRedrive(table).write(TAKEN, [put_back(7, at=0), put_back(7, at=1)])
    assert table.written == [(TAKEN, [("recovery.events", 2, 7, b"7")])]


def test_effects_and_what_is_no_parked_message_are_passed_by():
    table = Table()
    WarehouseRedrive(table).write(
        TAKEN, [put_back(7, "effects.messages"), Message("redrive.sinks", 1, 3, b"", b"{"), Message("redrive.sinks", 1, 4, b"", None)]
    )
    assert table.written == []

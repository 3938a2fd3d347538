"""What the warehouse promises to the loop: a range offered again, whole and under its token, is written once, in every table."""

import pytest

from recovery.adapters import clickhouse as clickhouse_adapter
from recovery.adapters.kafka import NotDelivered
from recovery.contracts.encoding import codec
from sinks.kafka.exactly_once_consumer import NotWritten
from sinks.kafka.offset_ranges import Message, Range
from sinks.warehouse import migrate
from sinks.warehouse.writer import WarehouseWriter
from tests.integration.sinks.warehouse.test_exactly_once import event

pytestmark = pytest.mark.real
TOPIC = "recovery.events"


class ParkedNowhere:
    """Takes parked messages; refuses to acknowledge them when told so."""

    def __init__(self):
        self.sent, self.fails = [], False

    def send(self, topic, key, value, partition=-1):
        self.sent.append((topic, key, codec.decode_parked(value)))

    def flush(self, seconds=30.0):
        if self.fails:
            raise NotDelivered("no broker")


@pytest.fixture
def server(clickhouse):
    migrate.run(clickhouse.url("sink"), lambda _: None)
    with clickhouse_adapter.client(clickhouse.url("admin")) as admin:
        for table in ("events", "case_state"):
            admin.command(f"TRUNCATE TABLE dunlin.{table} SYNC")
        yield admin


@pytest.fixture
def parked():
    return ParkedNowhere()


@pytest.fixture
def warehouse(clickhouse, parked):
    return WarehouseWriter(lambda: clickhouse_adapter.client(clickhouse.url("sink")), parked, lambda: event("a", 0, "").occurred_at)


def messages(account, first, count):
    return [Message(TOPIC, 0, n, b"k", codec.encode(event(account, n, "kept"))) for n in range(first, first + count)]


def counts(server, account):
    rows = server.query(f"SELECT count() FROM dunlin.events WHERE account = '{account}'").result_rows[0][0]
    return rows, server.query(f"SELECT sum(opened_n) FROM dunlin.case_state WHERE account = '{account}'").result_rows[0][0]


def test_a_repeated_range_is_written_once_in_the_events_and_in_the_state(server, warehouse):
    taken = Range(TOPIC, 0, 0, 50)
    for _ in range(3):
        warehouse.write(taken, messages("acct_repeat", 0, 50))
    assert counts(server, "acct_repeat") == (50, 50)


def test_another_range_with_the_same_content_is_written(server, warehouse):
    warehouse.write(Range(TOPIC, 0, 100, 110), messages("acct_same", 0, 10))
    warehouse.write(Range(TOPIC, 0, 200, 210), messages("acct_same", 0, 10))
    assert counts(server, "acct_same") == (20, 20)


def test_an_insert_that_reached_the_events_and_not_the_state_is_completed_by_the_repeat(server, warehouse):
    server.command("RENAME TABLE dunlin.case_state TO dunlin.case_state_away")
    try:
        with pytest.raises(NotWritten):
            warehouse.write(Range(TOPIC, 0, 300, 320), messages("acct_half", 0, 20))
    finally:
        server.command("RENAME TABLE dunlin.case_state_away TO dunlin.case_state")
    warehouse.write(Range(TOPIC, 0, 300, 320), messages("acct_half", 0, 20))
    assert counts(server, "acct_half") == (20, 20)


def test_nothing_is_written_while_an_unreadable_message_cannot_be_parked(server, warehouse, parked):
    batch = [*messages("acct_park", 0, 2), Message(TOPIC, 0, 2, b"key", b"{")]
    parked.fails = True
    with pytest.raises(NotWritten, match="parked"):
        warehouse.write(Range(TOPIC, 0, 400, 403), batch)
    assert counts(server, "acct_park")[0] == 0
    parked.fails = False
    warehouse.write(Range(TOPIC, 0, 400, 403), batch)
    assert counts(server, "acct_park") == (2, 2)
    topic, key, message = parked.sent[-1]
    assert (topic, key, message.value, message.offset) == ("parked.sinks", b"key", b"{", 2)


def test_a_database_that_is_away_is_said_in_a_sentence(parked):
    away = WarehouseWriter(lambda: clickhouse_adapter.client("http://sink:x@127.0.0.1:1/"), parked, lambda: None)
    with pytest.raises(NotWritten, match=r"ClickHouse did not take recovery\.events:0:0-0"):
        away.write(Range(TOPIC, 0, 0, 1), messages("acct_away", 0, 1))

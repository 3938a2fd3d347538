"""Every event becomes one row, whoever dies in between."""

from datetime import UTC, datetime, timedelta

import confluent_kafka as kafka_client
import pytest
from clickhouse_connect.driver.exceptions import Error
from urllib3.exceptions import HTTPError

from recovery.adapters import clickhouse as clickhouse_adapter
from recovery.adapters.kafka import PRODUCER_SETTINGS, create_topics
from recovery.contracts.encoding import codec
from recovery.contracts.events import Event
from sinks.kafka.offset_ranges import announced
from tests.support.waiting import until

pytestmark = pytest.mark.real
PARTITIONS = 4
T0 = datetime(2026, 3, 30, 12, tzinfo=UTC)


class Stream:
    """Writes events in transactions, some of them aborted, as the stream does; remembers how many count."""

    def __init__(self, bootstrap: str, account: str) -> None:
        create_topics(bootstrap, "test", PARTITIONS, 1)
        self.producer = kafka_client.Producer(
            {"bootstrap.servers": bootstrap, **PRODUCER_SETTINGS, "transactional.id": account, "transaction.timeout.ms": 60_000}
        )
        self.producer.init_transactions(60)
        self.account, self.written = account, 0

    def write(self, count: int, abort: bool = False) -> None:
        self.producer.begin_transaction()
        for number in range(self.written, self.written + count):
            value = codec.encode(event(self.account, number, "aborted" if abort else "kept"))
            self.producer.produce("recovery.events", value, f"{self.account}/cus_{number % 40}".encode())
        self.producer.flush()
        if abort:
            self.producer.abort_transaction(60)
        else:
            self.producer.commit_transaction(60)
            self.written += count


def event(account: str, number: int, reason: str) -> Event:
    """One failure; half of a batch lies in another month, so that every insert makes two parts."""
    at = T0 + timedelta(days=number % 4)
    fields = {"id": f"0-{number}-0", "event_type": "payment_failed", "invoice": f"in_{number}", "sequence": 1, "status": "retrying"}
    fields |= {"amount_minor": 100, "currency": "eur", "reason": reason, "customer": f"cus_{number % 40}"}
    return Event(account=account, occurred_at=at, received_at=at, **fields)


def position(bootstrap: str, group: str) -> list[kafka_client.TopicPartition]:
    """What the group committed, without joining it."""
    reader = kafka_client.Consumer({"bootstrap.servers": bootstrap, "group.id": group})
    try:
        return reader.committed([kafka_client.TopicPartition("recovery.events", p) for p in range(PARTITIONS)], 30)
    finally:
        reader.close()


class Counts:
    """Rows of an account, however often the server is killed."""

    def __init__(self, url: str, account: str) -> None:
        self.url, self.account = url, account

    def __call__(self) -> tuple[int, int, int]:
        """Rows, distinct places in Kafka, cases opened according to the state table."""
        try:
            with clickhouse_adapter.client(self.url) as server:
                where = f"WHERE account = '{self.account}'"
                rows = server.query(f"SELECT count(), uniqExact(src_partition, src_offset) FROM dunlin.events {where}").result_rows[0]
                cases = server.query(f"SELECT sum(opened_n) FROM dunlin.case_state {where}").result_rows[0]
                return (*rows, *cases)
        except (Error, HTTPError, OSError):  # it was killed and is not back yet
            return (0, 0, 0)

    def reach(self, count: int) -> None:
        # A row and what follows from it are there one after the other, so all three are awaited before they are compared.
        until(lambda: min(self()) >= count, 90, f"{count} rows")
        assert self() == (count, count, count)


def test_each_event_is_one_row_however_often_sink_and_database_are_killed(kafka, own_clickhouse, sink):
    database, url = own_clickhouse
    stream, counts = Stream(kafka, "acct_kills"), Counts(url, "acct_kills")
    program = sink(kafka, url, "kills")
    for round_ in range(8):
        before = counts()[0]
        stream.write(700)
        stream.write(50, abort=True)
        stream.write(300)
        if round_ % 3 == 0:
            program.kill()
        elif round_ % 3 == 1:
            database.kill()
        else:
            until(lambda before=before: counts()[0] > before, 60, "some rows of the round")
            program.kill()
            database.kill()
        for victim in (program, database):
            if victim.process.poll() is not None:
                victim.start()
    counts.reach(8 * 1000)
    assert program.stop() == 0


def test_a_range_announced_before_a_kill_is_written_once_and_whole(kafka, own_clickhouse, sink):
    database, url = own_clickhouse
    stream, counts = Stream(kafka, "acct_announced"), Counts(url, "acct_announced")
    program = sink(kafka, url, "announced")
    until(program.ready.exists, 60, "the sink to be assigned")
    database.kill()
    stream.write(200)
    until(lambda: any(p.metadata for p in position(kafka, "announced-warehouse")), 60, "an announcement")
    promised = [announced(p.metadata) for p in position(kafka, "announced-warehouse")]
    program.kill()
    stream.write(400)
    program.ready.unlink()
    program.start()
    until(program.ready.exists, 60, "the sink to be assigned again")
    until(lambda: "repeats announced ranges" in program.said(), 10, "the announced range to be taken up")
    kept = [announced(p.metadata) for p in position(kafka, "announced-warehouse")]
    assert all(now == then for now, then in zip(kept, promised, strict=True) if then)
    database.start()
    counts.reach(600)


def test_the_sink_goes_on_after_the_broker_was_killed(own_kafka, own_clickhouse, sink):
    broker, bootstrap = own_kafka
    _, url = own_clickhouse
    stream, counts = Stream(bootstrap, "acct_broker"), Counts(url, "acct_broker")
    program = sink(bootstrap, url, "broker")
    stream.write(300)
    counts.reach(300)
    broker.kill()
    until(lambda: "waiting for it" in program.said(), 30, "the sink to tell the outage")
    broker.start()
    stream.write(500)
    counts.reach(800)
    assert program.process.poll() is None


def test_a_message_that_cannot_be_read_is_parked_with_its_bytes_and_the_rest_is_written(kafka, migrated, database, sink):
    stream = Stream(kafka, "acct_poison")
    poison = b'{"event_type":"payment_failed","account":17}'
    producer = kafka_client.Producer({"bootstrap.servers": kafka, **PRODUCER_SETTINGS})
    stream.write(10)
    producer.produce("recovery.events", poison, b"acct_poison/cus_1", headers=[("traceparent", b"00-abc")])
    producer.flush()
    stream.write(10)
    sink(kafka, migrated.url("sink"), "poison")
    count = "SELECT count() FROM dunlin.events WHERE account = 'acct_poison'"
    until(lambda: database(count)[0][0] == 20, 60, "the readable rows")
    parked = _parked(kafka, poison)
    assert parked.key == b"acct_poison/cus_1"
    assert parked.topic == "recovery.events"
    assert parked.headers == {"traceparent": "00-abc"}
    assert "account" in parked.why


def _parked(bootstrap: str, value: bytes):
    reader = kafka_client.Consumer({"bootstrap.servers": bootstrap, "group.id": "look", "auto.offset.reset": "earliest"})
    reader.assign([kafka_client.TopicPartition("parked.sinks", p, kafka_client.OFFSET_BEGINNING) for p in range(PARTITIONS)])
    found = []

    def look() -> bool:
        messages = [codec.decode_parked(message.value()) for message in reader.consume(100, 0.2) if message.error() is None]
        found.extend(parked for parked in messages if parked.value == value)
        return bool(found)

    until(look, 30, "the parked message")
    reader.close()
    return found[0]


def test_a_second_sink_of_the_same_name_fences_the_first_which_ends_with_70(kafka, migrated, database, sink):
    stream = Stream(kafka, "acct_fence")
    first = sink(kafka, migrated.url("sink"), "fence")
    until(first.ready.exists, 60, "the first sink to be assigned")
    second = sink(kafka, migrated.url("sink"), "fence")
    until(second.ready.exists, 60, "the second sink to be assigned")
    until(lambda: first.process.poll() is not None, 60, "the first sink to end")
    assert first.process.returncode == 70
    assert "to be started again" in first.said()
    stream.write(40)
    count = "SELECT count() FROM dunlin.events WHERE account = 'acct_fence'"
    until(lambda: database(count)[0][0] >= 40, 60, "the rows")
    assert database(count) == [(40,)]

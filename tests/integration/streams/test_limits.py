"""What no component can carry, on a real broker: the worker dead-letters it, goes on, and does not meet it again at its next start."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import confluent_kafka as kafka_client
import pytest

from recovery.adapters.kafka import Publisher, create_topics
from recovery.contracts.encoding.codec import decode_event, decode_parked, encode
from recovery.contracts.facts import InvoicePaid, TimePassed
from recovery.contracts.limits import LARGEST_BYTES, TOPIC_BYTES
from recovery.contracts.topics import TOPICS
from tests.support.services.own_servers import kafka_server
from tests.support.stream_facts import ACCOUNT, header, invoice_state

REPOSITORY = Path(__file__).resolve().parents[3]
PARTITIONS = 2


class Worker:
    """The real stream worker of an application of its own."""

    def __init__(self, brokers: str, app: str, home: Path) -> None:
        self.brokers, self.app, self.home = brokers, app, home
        self.log, self.process = home / "worker.log", None

    def start(self) -> None:
        env = {"DUNLIN_KAFKA_BOOTSTRAP": self.brokers, "DUNLIN_APP_ID": self.app, "DUNLIN_HOME": str(self.home), "DUNLIN_PARTITIONS": "2"}
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "streams", "worker"], cwd=REPOSITORY, env={**os.environ, **env}, stdout=output, stderr=output
            )

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()


@pytest.fixture
def own_kafka(kafka: str) -> Iterator[str]:
    """A broker of the test's own: the topics have their real names. The shared one is asked for because it skips where there is none."""
    with kafka_server() as bootstrap:
        yield bootstrap


@pytest.fixture
def worker(own_kafka: str, tmp_path: Path) -> Iterator[Worker]:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    create_topics(own_kafka, "limits", PARTITIONS, 1)
    made = Worker(own_kafka, "limits", home)
    yield made
    made.kill()


def paid(number: int, at: datetime) -> bytes:
    return encode(InvoicePaid(id=f"paid:{number}", state=invoice_state("paid", at), **header(number, at)))


def read(brokers: str, topic: str) -> list[bytes]:
    settings = {"bootstrap.servers": brokers, "group.id": "reader", "isolation.level": "read_committed", "enable.partition.eof": True}
    reader = kafka_client.Consumer(settings)
    reader.assign([kafka_client.TopicPartition(topic, number, 0) for number in range(PARTITIONS)])
    found, ended = [], set()
    while len(ended) < PARTITIONS:
        for message in reader.consume(500, 0.2):
            if message.error() is None:
                found.append(message.value())
            elif message.error().code() == kafka_client.KafkaError._PARTITION_EOF:
                ended.add(message.partition())
    reader.close()
    return found


def test_what_no_component_can_carry_is_dead_lettered_and_not_met_again(worker, until):
    now = datetime.now(UTC).replace(microsecond=0)
    publisher = Publisher(worker.brokers, **{"compression.type": "none"})
    largest = paid(1, now).replace(b'"invoice":"in_1"', b'"invoice":"in_%s"' % (b"x" * (TOPIC_BYTES - 3_000)))
    deep = b'{"type":"payment_failed","account":"%s","x":' % ACCOUNT.encode() + b"[" * 100_000 + b"]" * 100_000 + b"}"
    later = now + timedelta(days=365)
    ahead = TimePassed(id="t", account="*", occurred_at=later, received_at=later)
    for value in (paid(2, now), largest, deep, encode(ahead), paid(3, now)):
        publisher.send("facts", b"acct_1/cus_1", value, 0)
    publisher.flush()
    worker.start()

    def noted() -> set[str]:
        return {
            event.cause for event in map(decode_event, read(worker.brokers, "recovery.events")) if event.event_type == "fact_had_no_effect"
        }

    until(lambda: noted() == {"paid:2", "paid:3"} or worker.process.poll() is not None, 90, "the facts around them")
    assert worker.process.poll() is None, worker.log.read_text()[-3000:]
    letters = [decode_parked(value) for value in read(worker.brokers, "parked.streams")]
    assert [(letter.offset, letter.left_out, bool(letter.value)) for letter in letters] == [
        (1, len(largest), False),
        (2, 0, True),
        (3, 0, True),
    ]
    assert "ahead of the broker's time" in letters[2].why

    worker.kill()
    publisher.send("facts", b"acct_1/cus_1", paid(4, now), 0)
    publisher.flush()
    worker.start()
    until(lambda: "paid:4" in noted() or worker.process.poll() is not None, 90, "the fact after the restart")
    assert worker.process.poll() is None, worker.log.read_text()[-3000:]
    assert len(read(worker.brokers, "parked.streams")) == 3


def test_every_topic_takes_a_message_at_its_stated_limit_from_every_producer(worker):
    publisher = Publisher(worker.brokers, **{"compression.type": "none"})
    batch = 200  # bytes of a batch's and a record's own fields, the key among them
    for topic in TOPICS:
        publisher.send(topic.name, b"k", b"x" * (topic.max_message_bytes - batch), 0)
    publisher.flush(60)
    assert max(topic.max_message_bytes for topic in TOPICS) == LARGEST_BYTES

"""Outcomes reach the log: none waits behind one that no topic takes, and none is given twice to a client that still holds it."""

from datetime import UTC, datetime
from pathlib import Path

import confluent_kafka as kafka
import pytest

from recovery.adapters.kafka import NotDelivered, Publisher
from recovery.contracts.encoding.codec import decode_parked
from recovery.contracts.limits import MESSAGE_BYTES
from sinks.effects.engine.ledger import Arrival, Ledger, Outgoing
from sinks.effects.engine.outcome_publisher import OutcomePublisher

NOW = datetime(2026, 3, 2, tzinfo=UTC)


class Broker:
    """A publisher whose broker can be away, and takes only messages up to a size."""

    def __init__(self) -> None:
        self.there, self.largest = True, 10**9
        self.queue: list[tuple] = []
        self.log: list[tuple[str, bytes, bytes]] = []

    def send(self, topic, key, value, partition=-1, on_delivery=None):
        self.queue.append((topic, key, value, on_delivery))

    def flush(self, seconds=30.0):
        if not self.there:
            raise NotDelivered(f"{len(self.queue)} messages were not acknowledged")
        queue, self.queue = self.queue, []
        for topic, key, value, told in queue:
            if len(value) > self.largest:
                told(kafka.KafkaError(kafka.KafkaError.MSG_SIZE_TOO_LARGE), None)
            else:
                self.log.append((topic, key, value))
                told(None, None)


@pytest.fixture
def ledger(tmp_path: Path):
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    yield ledger
    ledger.close()


def settled(ledger: Ledger, outcomes: dict[str, bytes]) -> None:
    arrivals = [
        Arrival(
            id=id,
            account="acct_1",
            customer="cus_1",
            invoice="in_1",
            kind="read_requested",
            body=b"",
            place="effects.stripe-0-1",
            received_at=1.0,
            not_after=2.0,
        )
        for id in outcomes
    ]
    ledger.receive(arrivals, [], [], 1.0)
    ledger.settle([Outgoing(id=id, topic="facts", key=b"k", value=value) for id, value in outcomes.items()], [], 1.0)


def outbox(ledger: Ledger, broker: Broker) -> OutcomePublisher:
    return OutcomePublisher(ledger, broker, lambda: NOW)


def test_outcomes_are_sent_once_and_marked(ledger):
    broker = Broker()
    settled(ledger, {"e1": b"1", "e2": b"2"})
    box = outbox(ledger, broker)
    assert box.publish() == 2
    assert box.publish() == 0
    assert sorted(value for _, _, value in broker.log) == [b"1", b"2"]


@pytest.mark.parametrize("size", [MESSAGE_BYTES - 1, MESSAGE_BYTES])
def test_an_outcome_up_to_the_limit_is_sent(ledger, size):
    broker = Broker()
    settled(ledger, {"e1": b"x" * size})
    assert outbox(ledger, broker).publish() == 1
    assert [topic for topic, _, _ in broker.log] == ["facts"]


def test_an_outcome_beyond_the_limit_is_dead_lettered_and_keeps_no_other(ledger):
    broker = Broker()
    settled(ledger, {"e1": b"x" * (MESSAGE_BYTES + 1), "e2": b"2"})
    box = outbox(ledger, broker)
    assert box.publish() == 2
    sent = {topic: value for topic, _, value in broker.log}
    assert sent["facts"] == b"2"
    parked = decode_parked(sent["parked.sinks"])
    assert (parked.replay_topic, parked.value) == ("facts", b"x" * (MESSAGE_BYTES + 1))
    assert ledger.to_publish() == []
    assert outbox(ledger, broker).publish() == 0  # after a restart


def test_what_the_broker_refuses_for_its_size_is_dead_lettered_at_the_next_turn(ledger):
    broker = Broker()
    broker.largest = 1_000
    settled(ledger, {"e1": b"x" * 1_001, "e2": b"2"})
    box = outbox(ledger, broker)
    assert box.publish() == 1
    broker.largest = 10**6
    assert box.publish() == 1
    assert [topic for topic, _, _ in broker.log] == ["facts", "parked.sinks"]
    assert ledger.to_publish() == []


def test_while_the_broker_is_away_nothing_is_queued_twice(ledger):
    broker = Broker()
    broker.there = False
    settled(ledger, {f"e{number}": b"1" for number in range(10)})
    box = outbox(ledger, broker)
    assert [box.publish() for _ in range(5)] == [0] * 5
    assert len(broker.queue) == 10
    broker.there = True
    assert box.publish() == 10
    assert len(broker.log) == 10


def test_a_real_client_without_a_broker_holds_each_outcome_once(ledger, monkeypatch):
    monkeypatch.setattr("sinks.effects.engine.outcome_publisher.PATIENCE", 0.01)
    settled(ledger, {f"e{number}": b"1" for number in range(20)})
    publisher = Publisher("127.0.0.1:1", log_level=0)
    box = OutcomePublisher(ledger, publisher, lambda: NOW)
    for _ in range(4):
        assert box.publish() == 0
    assert len(publisher._producer) == 20


def test_an_outcome_that_even_the_client_refuses_stops_nothing(ledger):
    settled(ledger, {"e1": b"x" * (3 << 20)})
    publisher = Publisher("127.0.0.1:1", log_level=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sinks.effects.engine.outcome_publisher.PATIENCE", 0.01)
        assert OutcomePublisher(ledger, publisher, lambda: NOW).publish() == 0

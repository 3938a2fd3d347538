"""The baseline of bench/stream.py: a plain confluent-kafka loop with the same work and guarantee, and a shard that writes nowhere."""

import os
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import confluent_kafka as kafka

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from recovery.adapters.kafka import consumer
from recovery.config import from_env
from recovery.contracts.topics import FACTS, changelog
from streams.guard import Guard
from streams.processor import ShardProcessor
from streams.transactional_shard import Names

BATCH = 4_000
"""Records per transaction, as many as the worker's batches have."""


class Told(NamedTuple):
    """A record as a desk takes it."""

    key: bytes | None
    value: bytes | None
    offset: int
    timestamp: int


class FakeShard:
    """Rows in memory, outputs counted."""

    def __init__(self, number: int = 0) -> None:
        self.number, self.names = number, Names("bench", "bench-changelog", (), ())
        self.rows: dict[bytes, bytes] = {}
        self.changed: dict[bytes, bytes | None] = {}
        self.emitted: Counter[str] = Counter()
        self.desk = ShardProcessor(self, Guard())  # type: ignore[arg-type]  # has all that a desk asks of a shard

    def get(self, key: bytes) -> bytes | None:
        """The row."""
        return self.rows.get(key)

    def put(self, key: bytes, value: bytes | None) -> None:
        """Change the row."""
        if value is None:
            self.rows.pop(key, None)
        else:
            self.rows[key] = value
        self.changed[key] = value

    def emit(self, topic: str, _key: bytes | None, _value: bytes | None) -> None:
        """Count the output."""
        self.emitted[topic] += 1

    def take(self, key: bytes, value: bytes, offset: int) -> None:
        """Apply a record."""
        self.desk.process(Told(key, value, offset, 0))


class PlainShard(FakeShard):
    """Rows and outputs through a transactional producer, as a hand-written loop would do it."""

    def __init__(self, number: int, producer: Any, log: str) -> None:
        super().__init__(number)
        self._producer, self._log = producer, log

    def emit(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        """Send the output to this partition."""
        while True:
            try:
                self._producer.produce(topic, value, key, self.number)
                return
            except BufferError:
                self._producer.poll(0.05)

    def save(self) -> None:
        """Write the rows that changed, once each."""
        for key, value in self.changed.items():
            self.emit(self._log, key, value)
        self.changed.clear()


def main() -> None:
    """Consume `facts` for ever: batches, one transaction each, the input offsets within it."""
    settings = from_env(os.environ)
    producer = kafka.Producer(
        {
            "bootstrap.servers": settings.kafka_bootstrap,
            "transactional.id": f"{settings.app_id}-plain",
            "retry.backoff.ms": 5,
            "linger.ms": 5,
            "queue.buffering.max.messages": 500_000,
            "compression.type": "lz4",
        }
    )
    producer.init_transactions(30)
    reader = consumer(settings.kafka_bootstrap, settings.app_id, **{"fetch.wait.max.ms": 20})
    reader.subscribe([FACTS.name])
    log = changelog(settings.app_id).name
    shards = [PlainShard(number, producer, log) for number in range(settings.partitions)]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    while True:
        messages = [message for message in reader.consume(BATCH, 0.02) if message.error() is None]
        if messages:
            handle(reader, producer, shards, messages)


def handle(reader: Any, producer: Any, shards: list[PlainShard], messages: list[Any]) -> None:
    """One batch, one transaction."""
    producer.begin_transaction()
    for message in messages:
        shards[message.partition()].desk.process(Told(message.key(), message.value(), message.offset(), message.timestamp()[1]))
    for shard in shards:
        shard.save()
    producer.send_offsets_to_transaction(reader.position(reader.assignment()), reader.consumer_group_metadata())
    producer.commit_transaction(30)


if __name__ == "__main__":
    main()

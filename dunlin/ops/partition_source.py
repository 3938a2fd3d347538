"""One partition of a running or stopped stream, read from the broker for a replay; nothing is written, no group is joined."""

import time
from collections.abc import Iterator, Mapping

import confluent_kafka as kafka
import msgspec

from dunlin.ops.state_replay import CannotReplayError, Kept
from recovery.adapters.kafka import consumer
from recovery.adapters.kafka_cluster import Kafka
from recovery.contracts.topics import FACTS, changelog
from streams.kafka.partition_log import PartitionLog

PATIENCE = 30.0
"""Seconds of silence after which the broker counts as gone."""


class SourceFact(msgspec.Struct, frozen=True):
    """A message of `facts` as a shard sees it."""

    key: bytes | None
    value: bytes | None
    offset: int
    timestamp: int


class KafkaPartition:
    """Partition `number` as the broker keeps it. Close it after use."""

    def __init__(self, bootstrap: Kafka, app_id: str, number: int) -> None:
        self.number = number
        self._bootstrap, self._changelog = bootstrap, changelog(app_id).name
        self._log = PartitionLog(bootstrap, number)
        self._readers: list[kafka.Consumer] = []

    def close(self) -> None:
        """Free all connections."""
        self._log.close()
        for reader in self._readers:
            reader.close()

    def rows(self) -> Mapping[bytes, bytes]:
        """The changelog's rows, positions among them, all of the same transaction."""
        rows: dict[bytes, bytes] = {}
        for key, value in self._log.records(self._changelog):
            if value is None:
                rows.pop(key, None)
            else:
                rows[key] = value
        return rows

    def facts(self, end: int) -> Iterator[SourceFact]:
        """The facts from the first one up to the offset `end`. Raises CannotReplayError when the first ones were deleted."""
        start = self._log.bounds(FACTS.name).start
        if start > 0 and end > 0:
            raise CannotReplayError(
                f"{FACTS.name}[{self.number}] begins at offset {start}: the {start} facts before it were deleted (they are kept for "
                f"{FACTS.retention_ms // 86_400_000} days). The state follows from all facts, and a replay from a saved state is not "
                "offered. Restore them from a mirror or a backup, and replay from there."
            )
        for message in self._messages(FACTS.name, 0, end):
            yield SourceFact(message.key(), message.value(), message.offset() or 0, message.timestamp()[1])

    def kept(self, topic: str) -> Kept:
        """What the stream sent to a topic, up to what is committed when it is read."""
        bounds = self._log.bounds(topic)
        messages = ((message.key(), message.value()) for message in self._messages(topic, bounds.start, None))
        return Kept(bounds.start == 0, messages)

    def _messages(self, topic: str, start: int, end: int | None) -> Iterator[kafka.Message]:
        if end is not None and end <= start:
            return
        reader = consumer(self._bootstrap, "dunlin-replay", **{"enable.partition.eof": True, "queued.max.messages.kbytes": 16_384})
        self._readers.append(reader)
        reader.assign([kafka.TopicPartition(topic, self.number, start)])
        last_received = time.monotonic()
        while time.monotonic() < last_received + PATIENCE:
            for message in reader.consume(2_000, 0.05):
                last_received = time.monotonic()
                error = message.error()
                if error is not None and error.code() == kafka.KafkaError._PARTITION_EOF:
                    return
                if error is not None:
                    raise kafka.KafkaException(error)
                if end is not None and (message.offset() or 0) >= end:
                    return
                yield message
        raise CannotReplayError(f"{topic}[{self.number}] could not be read for {PATIENCE:.0f} s. Is the broker running?")

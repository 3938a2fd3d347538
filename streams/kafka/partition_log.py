"""The broker as a shard sees it while opening: where its partitions begin and end, and what the changelog holds."""

from collections.abc import Iterator
from types import TracebackType
from typing import NamedTuple, Self

import confluent_kafka as kafka

from recovery.adapters.kafka import made
from recovery.adapters.kafka_cluster import Kafka

ANSWER_WITHIN = 30.0  # seconds for one question to the broker


class PartitionBounds(NamedTuple):
    """Offsets of one partition: the first one kept, the end of what is decided, the end of everything."""

    start: int
    stable: int
    end: int


class PartitionLog:
    """Reads partition `number` of any topic. Blocking, for one thread; close it (or use `with`) to free its connections."""

    def __init__(self, brokers: Kafka, number: int) -> None:
        settings = {
            "group.id": "unused",  # the client insists on a name; nothing joins or commits
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "error",
            "fetch.wait.max.ms": 10,  # the end of the log is only known from a fetch that found nothing
            "fetch.queue.backoff.ms": 5,
            "queued.max.messages.kbytes": 4_096,  # of each partition; what waits to be loaded is memory beside the rows
        }
        self.number = number
        self._decided = made(kafka.Consumer, brokers, settings | {"isolation.level": "read_committed"})
        self._everything = made(kafka.Consumer, brokers, settings | {"isolation.level": "read_uncommitted"})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Free both connections."""
        self._decided.close()
        self._everything.close()

    def bounds(self, topic: str) -> PartitionBounds:
        """Where the partition begins and ends now. Raises KafkaException when the broker does not say so in time."""
        partition = kafka.TopicPartition(topic, self.number)
        # The decided end is asked for first: a writer between the two questions can only make it look too early.
        start, stable = self._decided.get_watermark_offsets(partition, timeout=ANSWER_WITHIN)
        _, end = self._everything.get_watermark_offsets(partition, timeout=ANSWER_WITHIN)
        return PartitionBounds(start, stable, end)

    def records(self, topic: str) -> Iterator[tuple[bytes, bytes | None]]:
        """All committed records (key, value) of the partition, in order. Raises KafkaException."""
        start, _, _ = self.bounds(topic)
        self._decided.assign([kafka.TopicPartition(topic, self.number, start)])
        while True:
            for message in self._decided.consume(2_000, 0.1):
                error = message.error()
                if error is None:
                    yield message.key() or b"", message.value()
                elif error.code() == kafka.KafkaError._PARTITION_EOF:
                    return
                elif not error.retriable():
                    raise kafka.KafkaException(error)

    def readable(self, topic: str, position: int, timeout: float) -> bool:
        """Whether a committed record lies at or after the position. No answer in time counts as no."""
        self._decided.assign([kafka.TopicPartition(topic, self.number, position)])
        message = self._decided.poll(timeout)
        return message is not None and message.error() is None

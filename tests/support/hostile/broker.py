"""A broker in memory that refuses what a real one refuses: a message beyond the limit of its topic or of the producer that sends it."""

import zlib
from collections import defaultdict
from collections.abc import Callable
from typing import Any, NamedTuple

import confluent_kafka as kafka

from recovery.adapters.kafka import PRODUCER_SETTINGS, TooLarge
from recovery.contracts.topics import TOPICS, settings

PARTITIONS = 3
OVERHEAD = 88
"""Bytes that a batch's header and a record's fields add to key and value."""
_BROKER = {topic.name: int(settings(topic).get("max.message.bytes", 1_048_588)) for topic in TOPICS}
_CLIENT = int(PRODUCER_SETTINGS.get("message.max.bytes", 1_000_000))


class Record(NamedTuple):
    """One message of a topic, as a consumer is handed it; `timestamp` in milliseconds of wall time."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int


class Broker:
    """Every topic's messages in order, and how far each named reader is."""

    def __init__(self, wall_ms: Callable[[], int]) -> None:
        self._wall_ms = wall_ms
        self._topics: dict[tuple[str, int], list[Record]] = defaultdict(list)
        self._read: dict[tuple[str, str, int], int] = defaultdict(int)
        self._base: dict[tuple[str, int], int] = defaultdict(int)
        self.sent: dict[str, int] = defaultdict(int)

    def produce(self, topic: str, value: bytes | None, key: bytes | None = None, partition: int = -1) -> None:
        """Append a message. Raises kafka.KafkaException when it is too large for the client or the topic."""
        size = len(value or b"") + len(key or b"") + OVERHEAD
        if size > min(_CLIENT, _BROKER.get(topic, _CLIENT)):
            raise kafka.KafkaException(kafka.KafkaError(kafka.KafkaError.MSG_SIZE_TOO_LARGE, f"{topic}: {size:,} bytes"))
        number = zlib.crc32(key or b"") % PARTITIONS if partition < 0 else partition
        place = (topic, number)
        offset = self._base[place] + len(self._topics[place])
        self._topics[place].append(Record(topic, number, offset, key, value, self._wall_ms()))
        self.sent[topic] += 1

    def read(self, reader: str, topic: str, partition: int, most: int = 1 << 30) -> list[Record]:
        """The messages that this reader has not had yet, at most so many."""
        place, at = (topic, partition), self._read[(reader, topic, partition)]
        found = self._topics[place][at - self._base[place] :][:most]
        self._read[(reader, topic, partition)] = at + len(found)
        return found

    def forget(self) -> None:
        """Drop all messages; call it when every reader is at the end."""
        for place, records in self._topics.items():
            self._base[place] += len(records)
            records.clear()


class Publisher:
    """What the sinks know of their producer; everything sent is acknowledged by the next `flush`."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._acknowledge: list[Callable[[Any, Any], None]] = []

    def send(
        self, topic: str, key: bytes, value: bytes, partition: int = -1, on_delivery: Callable[[Any, Any], None] | None = None
    ) -> None:
        """Send one message. Raises TooLarge where the client or the topic refuses it."""
        try:
            self._broker.produce(topic, value, key, partition)
        except kafka.KafkaException as error:
            raise TooLarge(str(error)) from error
        if on_delivery is not None:
            self._acknowledge.append(on_delivery)

    def flush(self, seconds: float = 30.0) -> None:
        """Acknowledge everything sent."""
        acknowledge, self._acknowledge = self._acknowledge, []
        for on_delivery in acknowledge:
            on_delivery(None, None)

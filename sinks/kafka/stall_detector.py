"""Notices when the client hands out nothing although the broker has more, so that a stuck process ends instead of hanging."""

from collections.abc import Callable, Iterable
from typing import Any

import confluent_kafka as kafka

from sinks.kafka.offset_ranges import Fatal, PartitionBuffer

JOIN_SECONDS = 120.0
"""Longest wait for the first assignment while the broker answers."""
CHECK_SECONDS = 30.0
"""How often a silent partition is compared with what the broker has."""


class StallDetector:
    """Compares what the broker has with what was handed out. An unreachable broker is an outage and no silence."""

    def __init__(self, consumer: Any, topic: str, elapsed: Callable[[], float]) -> None:
        self._consumer, self._topic, self._elapsed = consumer, topic, elapsed
        self._alone_since: float | None = elapsed()
        self._checked = elapsed()
        self._seen: dict[int, tuple[int, int]] = {}  # by partition: end at the broker, our position
        self._mute: set[int] = set()

    def joined(self) -> None:
        """Partitions were assigned, perhaps none."""
        self._alone_since = None
        self._seen, self._mute = {}, set()

    def left(self) -> None:
        """Partitions were taken; an assignment must follow."""
        self._alone_since = self._elapsed()

    def check(self, lanes: Iterable[PartitionBuffer]) -> None:
        """Do nothing, or once in a while ask the broker. Raises Fatal: a new process would read on."""
        now = self._elapsed()
        if now - self._checked < CHECK_SECONDS:
            return
        self._checked = now
        if self._alone_since is not None and now - self._alone_since > JOIN_SECONDS and self._broker_answers():
            raise Fatal(f"No partition of {self._topic} was assigned within {JOIN_SECONDS:g} s although Kafka answers.")
        for lane in lanes:
            self._check(lane)

    def _check(self, lane: PartitionBuffer) -> None:
        place = kafka.TopicPartition(self._topic, lane.partition)
        try:
            _, end = self._consumer.get_watermark_offsets(place, timeout=2)
            position = self._consumer.position([place])[0].offset
        except kafka.KafkaException:
            return  # an outage, which the loop reports
        before_end, before_position = self._seen.get(lane.partition, (end, position))
        stalled = not lane.paused and end > before_end and position == before_position
        if stalled and lane.partition in self._mute:
            raise Fatal(f"{self._topic}/{lane.partition} grew to {end} and nothing was handed out since {position}.")
        (self._mute.add if stalled else self._mute.discard)(lane.partition)
        self._seen[lane.partition] = (end, position)

    def _broker_answers(self) -> bool:
        try:
            self._consumer.list_topics(self._topic, timeout=2)
        except kafka.KafkaException:
            return False
        return True

"""Notices a consumer that hands out nothing although the log grows, so that a stuck process ends and a fresh one reads on."""

import time
from collections.abc import Callable

import confluent_kafka as kafka

CHECK_SECONDS = 30.0
STRIKES = 3
"""Checks in a row with growth and no message returned: an aborted transaction has the same effect, but not three times."""


class ConsumerFailed(RuntimeError):
    """The consumer cannot go on; the text says what the client library said."""


class PollStallDetector:
    """Compares, from time to time, the end of the log with the consumer's position. An unreachable broker is not a stall."""

    def __init__(self, consumer: kafka.Consumer, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._consumer, self._monotonic = consumer, monotonic
        self._checked = monotonic()
        self._seen: dict[tuple[str, int], tuple[int, int]] = {}
        self._strikes: dict[tuple[str, int], int] = {}

    def check(self) -> None:
        """Usually nothing. Raises ConsumerFailed when a partition has stalled."""
        if self._monotonic() - self._checked < CHECK_SECONDS:
            return
        self._checked = self._monotonic()
        try:
            for partition in self._consumer.assignment():
                self._check(partition)
        except kafka.KafkaException:
            return

    def _check(self, partition: kafka.TopicPartition) -> None:
        place = (partition.topic, partition.partition)
        end = self._consumer.get_watermark_offsets(partition, timeout=2)[1]
        position = self._consumer.position([partition])[0].offset
        end_before, position_before = self._seen.get(place, (end, position))
        stalled = end > end_before and position == position_before
        self._seen[place] = (end, position)
        self._strikes[place] = self._strikes.get(place, 0) + 1 if stalled else 0
        if self._strikes[place] >= STRIKES:
            raise ConsumerFailed(f"{place[0]}/{place[1]} grew to {end} and nothing was handed out since {position}.")

"""Facts that concern everybody in a partition: written to every partition of `facts`, and awaited."""

from collections.abc import Callable
from typing import Any

import confluent_kafka as kafka

from recovery.adapters.kafka import NotDelivered, Publisher
from recovery.adapters.kafka_cluster import Kafka
from recovery.adapters.kafka_trouble import admin, unusable
from recovery.contracts.encoding.codec import encode
from recovery.contracts.facts import Fact
from recovery.contracts.topics import FACTS

PATIENCE_SECONDS = 5.0
"""After so long the client drops what the broker did not take, so that nothing stale arrives later."""


class EveryPartition:
    """Writes to all partitions of `facts`, as many as the broker says there are.

    Raises:
        KafkaUnusable: the broker does not answer.
        NotDelivered: the topic is not there.

    """

    def __init__(self, bootstrap: Kafka) -> None:
        self.count = _partitions(bootstrap)
        self._publisher = Publisher(bootstrap, **{"delivery.timeout.ms": int(PATIENCE_SECONDS * 1000)})

    def write(self, key: bytes, fact_for: Callable[[int], Fact]) -> None:
        """Write `fact_for(partition)` to each partition and return when the broker has all. Raises NotDelivered; some may be there then."""
        for partition in range(self.count):
            self._publisher.send(FACTS.name, key, encode(fact_for(partition)), partition)
        self._publisher.flush(PATIENCE_SECONDS * 2)


def cluster_id(bootstrap: Kafka) -> str:
    """The id of the broker's cluster: another one knows nothing of what was published here. Raises KafkaUnusable."""
    return str(_facts(bootstrap).cluster_id)


def _facts(bootstrap: Kafka) -> Any:
    try:
        return admin(bootstrap).list_topics(FACTS.name, timeout=30)
    except kafka.KafkaException as error:
        raise unusable(bootstrap, error) from error


def _partitions(bootstrap: Kafka) -> int:
    found = _facts(bootstrap).topics[FACTS.name]
    if found.error is not None and found.error.code() == kafka.KafkaError.TOPIC_AUTHORIZATION_FAILED:
        raise unusable(bootstrap, kafka.KafkaException(found.error))
    if not (count := len(found.partitions)):
        raise NotDelivered(f"Topic {FACTS.name} is not there. Create the topics with `dunlin topics create`.")
    return count

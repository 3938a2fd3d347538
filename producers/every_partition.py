"""Facts that concern everybody in a partition: written to every partition of `facts`, and awaited."""

from collections.abc import Callable

import confluent_kafka as kafka
from confluent_kafka.admin import AdminClient

from recovery.adapters.kafka import NotDelivered, Publisher, quiet
from recovery.contracts.codec import encode
from recovery.contracts.facts import Fact
from recovery.contracts.topics import FACTS

PATIENCE_SECONDS = 5.0
"""After so long the client drops what the broker did not take, so that nothing stale arrives later."""


class EveryPartition:
    """Writes to all partitions of `facts`, as many as the broker says there are.

    Raises:
        NotDelivered: the broker does not answer, or the topic is not there.

    """

    def __init__(self, bootstrap: str) -> None:
        self.count = _partitions(bootstrap)
        self._publisher = Publisher(bootstrap, **{"delivery.timeout.ms": int(PATIENCE_SECONDS * 1000)})

    def write(self, key: bytes, fact_for: Callable[[int], Fact]) -> None:
        """Write `fact_for(partition)` to each partition and return when the broker has all. Raises NotDelivered; some may be there then."""
        for partition in range(self.count):
            self._publisher.send(FACTS.name, key, encode(fact_for(partition)), partition)
        self._publisher.flush(PATIENCE_SECONDS * 2)


def cluster_id(bootstrap: str) -> str:
    """The id of the broker's cluster: another one knows nothing of what was published here. Raises NotDelivered."""
    try:
        return str(AdminClient({"bootstrap.servers": bootstrap, "log_level": 3}, logger=quiet).list_topics(timeout=30).cluster_id)
    except kafka.KafkaException as error:
        raise _unreachable(bootstrap, error) from error


def _partitions(bootstrap: str) -> int:
    try:
        found = AdminClient({"bootstrap.servers": bootstrap, "log_level": 3}, logger=quiet).list_topics(FACTS.name, timeout=30)
    except kafka.KafkaException as error:
        raise _unreachable(bootstrap, error) from error
    if not (count := len(found.topics[FACTS.name].partitions)):
        raise NotDelivered(f"Topic {FACTS.name} is not there. Create the topics with `dunlin topics create`.")
    return count


def _unreachable(bootstrap: str, error: kafka.KafkaException) -> NotDelivered:
    return NotDelivered(f"The broker at {bootstrap} did not answer within 30 s: {error}. Is DUNLIN_KAFKA_BOOTSTRAP right?")

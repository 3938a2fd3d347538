"""Kafka as the shells use it: a producer whose delivery is awaited, plain consumers, and topics created from the table."""

import logging
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import confluent_kafka as kafka
from confluent_kafka.cimpl import NewTopic

from recovery.adapters.kafka_cluster import Kafka, client_properties
from recovery.adapters.kafka_trouble import Trouble, admin, check, misconfigured, sentence, silent_log, unusable
from recovery.contracts.limits import LARGEST_BYTES
from recovery.contracts.topics import TOPICS, Topic, changelog, settings

log = logging.getLogger(__name__)
Client = TypeVar("Client")
PRODUCER_SETTINGS: dict[str, Any] = {
    "acks": "all",
    "enable.idempotence": True,
    "linger.ms": 2,
    "compression.type": "lz4",
    "message.max.bytes": LARGEST_BYTES,  # as much as any topic takes: what is too large is refused where it is made, not by the client
    "partitioner": "murmur2_random",  # the partitioner of Java and Faust, so that a customer's partition is the same everywhere
}


class NotDelivered(RuntimeError):
    """The broker did not acknowledge a message; it may be there or not, so send it again. The text says what the broker or client said."""


class TooLarge(NotDelivered):
    """The message is larger than any topic takes; sending it again does not help."""


DeliveryCallback = Callable[[kafka.KafkaError | None, kafka.Message], None]
"""What is called with the broker's answer to a message: an error, or None."""


class Publisher:
    """Sends messages and waits until the broker has them all. For programs without an event loop."""

    def __init__(self, bootstrap: Kafka, **more: Any) -> None:
        self._producer = producer(bootstrap, **more)
        self._bootstrap = bootstrap
        self._errors: list[kafka.KafkaError] = []

    def send(self, topic: str, key: bytes, value: bytes, partition: int = -1, on_delivery: DeliveryCallback | None = None) -> None:
        """Queue a message; partition -1 is the one of its key. Blocks while the queue is full.

        `on_delivery` gets the broker's answer during a later call. Without it, `flush` raises when the message was refused.

        Raises:
            TooLarge: the client does not accept so large a message.
        """
        while True:
            try:
                self._producer.produce(topic, value, key, partition, on_delivery=on_delivery or self._delivered)
            except BufferError:
                self._producer.poll(0.1)
            except kafka.KafkaException as error:
                if error.args[0].code() != kafka.KafkaError.MSG_SIZE_TOO_LARGE:
                    raise
                raise TooLarge(
                    f"A message of {len(value):,} bytes for {topic} is larger than the {LARGEST_BYTES:,} that any topic takes."
                ) from error
            else:
                return

    def flush(self, seconds: float = 30.0) -> None:
        """Return when everything sent so far is acknowledged. Raises NotDelivered."""
        left = self._producer.flush(seconds)
        errors, self._errors = self._errors, []
        if left:
            raise NotDelivered(f"{left} messages were not acknowledged within {seconds:g} s. Is the broker reachable?")
        if errors:
            raise NotDelivered(f"{len(errors)} messages were refused. {sentence(self._bootstrap, errors)}")

    def _delivered(self, error: kafka.KafkaError | None, _message: kafka.Message) -> None:
        if error is not None:
            self._errors.append(error)


def made(kind: Callable[..., Client], bootstrap: Kafka, properties: dict[str, Any]) -> Client:
    """A client of the cluster, which says in the log why it cannot reach it. Raises KafkaUnusable when its properties are wrong."""
    try:
        return kind({**client_properties(bootstrap), "log_level": 3, "error_cb": Trouble(bootstrap), **properties}, logger=silent_log)
    except kafka.KafkaException as error:
        raise misconfigured(error) from error


def producer(bootstrap: Kafka, **more: Any) -> kafka.Producer:
    """A producer that loses and doubles nothing."""
    return made(kafka.Producer, bootstrap, {**PRODUCER_SETTINGS, **more})


def consumer(bootstrap: Kafka, group: str, **more: Any) -> kafka.Consumer:
    """A consumer that reads only committed messages, starts at the beginning when the group is new, and commits only explicitly."""
    return made(
        kafka.Consumer,
        bootstrap,
        {
            "group.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            # Without data; what comes meanwhile is answered at once. The end of a partition is only told by an answer without data.
            "fetch.wait.max.ms": 50 if more.get("enable.partition.eof") else 500,
            "fetch.queue.backoff.ms": 5,
            **more,
        },
    )


def create_topics(bootstrap: Kafka, app_id: str, partitions: int, replication: int = -1) -> list[str]:
    """Create every topic of the table that is absent, and return the names created. Existing topics are left as they are.

    Raises:
        ValueError: an existing topic has another number of partitions than the table; the message says what to do.
        KafkaUnusable: the broker does not answer, refuses the connection, or withholds the permission.
    """
    check(bootstrap)
    try:
        return _create_topics(bootstrap, app_id, partitions, replication)
    except kafka.KafkaException as error:
        raise unusable(bootstrap, error) from error


def _create_topics(bootstrap: Kafka, app_id: str, partitions: int, replication: int) -> list[str]:
    client = admin(bootstrap)
    wanted = (*TOPICS, changelog(app_id))
    present = client.list_topics(timeout=30).topics
    _refuse_other_counts(wanted, {name: len(topic.partitions) for name, topic in present.items()}, partitions)
    absent = [topic for topic in wanted if topic.name not in present]
    new = [NewTopic(t.name, num_partitions=partitions, replication_factor=replication, config=settings(t)) for t in absent]
    for name, future in (client.create_topics(new, operation_timeout=30) if new else {}).items():
        try:
            future.result()
        except kafka.KafkaException as error:
            if error.args[0].code() != kafka.KafkaError.TOPIC_ALREADY_EXISTS:
                raise
            log.info("%s was created by another program meanwhile", name)
    return [topic.name for topic in absent]


def _refuse_other_counts(wanted: Iterable[Topic], present: dict[str, int], partitions: int) -> None:
    for topic in wanted:
        count = present.get(topic.name, partitions)
        if count != partitions:
            raise ValueError(
                f"Topic {topic.name} has {count} partitions, not {partitions}. The number is chosen once: set DUNLIN_PARTITIONS={count}, "
                f"or use another DUNLIN_APP_ID with new topics and replay the facts."
            )

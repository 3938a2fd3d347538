"""From the log to the ledger: a polled batch is stored whole, withdrawals with it, and only then are its positions committed."""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

import confluent_kafka as kafka
import msgspec

from recovery.adapters.kafka_trouble import BROKERS, sentence
from recovery.adapters.progress import place
from recovery.contracts.dead_letters import DeadLetter
from recovery.contracts.effects import Effect, EffectWithdrawn
from recovery.contracts.encoding.codec import Unprocessable, decode_effect, encode
from recovery.contracts.topics import PARKED_SINKS, REDRIVE_SINKS
from recovery.contracts.topics import TOPICS as EVERY_TOPIC
from recovery.vocabulary import Clock
from sinks.effects.engine.ledger import Arrival, Ledger, Outgoing, Redrive
from sinks.effects.engine.redrive import Delivered, redrive_of, unparked
from sinks.effects.engine.worker_pools import kind_of_work
from sinks.kafka.poll_stall_detector import ConsumerFailed, PollStallDetector

log = logging.getLogger(__name__)
TOPICS = tuple(topic.name for topic in EVERY_TOPIC if topic.name.startswith("effects.") and "sinks.effects" in topic.consumers)
BATCH = 500
COMPLAIN_SECONDS = 60.0
"""Wall seconds after which it is said, and said again, that what waits is still held."""


class ReceivedBatch(msgspec.Struct, frozen=True):
    """What a poll brought: effects, withdrawals (effect id, because), what could not be read, and what is to be performed after all.

    `to_publish`: the ledger holds an outcome or a dead letter because of it.
    """

    arrivals: list[Arrival]
    withdrawals: list[tuple[str, str]]
    parked: list[Outgoing]
    given_up: list[Redrive]
    to_publish: bool = False


class EffectReceiver:
    """Moves effects into the ledger, which recognises redelivered ones by their id.

    `consumer` reports ends of partitions (`enable.partition.eof`).
    """

    def __init__(
        self,
        consumer: kafka.Consumer,
        ledger: Ledger,
        wall: Clock,
        stored: Callable[[dict[str, int]], object] = lambda _: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`stored` gets, after each batch that is in the ledger, the next offsets by topic and partition
        (recovery/adapters/progress.py)."""
        self._consumer, self._ledger, self._wall = consumer, ledger, wall
        self._stored, self._ends = stored, dict[str, int]()
        self._consumer.subscribe([*TOPICS, REDRIVE_SINKS.name])
        self._stall = PollStallDetector(consumer)
        self._ended: set[tuple[str | None, int | None]] = set()
        self._current = False
        self._monotonic = monotonic
        self._complain_at = monotonic() + COMPLAIN_SECONDS

    @property
    def current(self) -> bool:
        """Whether all that was written before this process began has been read: before, a withdrawal of what waits may be unread."""
        return self._current

    def poll(self, seconds: float) -> ReceivedBatch:
        """Store what the log has for us, waiting up to `seconds`. Returns what came.

        Raises:
            ConsumerFailed: the consumer is broken for good.

        """
        came = self._consumer.consume(1, seconds)  # asked for more, the client waits for all of them or the end of the time
        came += self._consumer.consume(BATCH - 1, 0) if came else []
        messages = [delivered(message) for message in came if _is_message(message)]
        self._stall.check()
        batch = sort(messages, self._wall)
        if messages:
            self._ledger.redrive(batch.given_up)
            to_publish = self._ledger.receive(batch.arrivals, batch.withdrawals, batch.parked, self._wall().timestamp())
            batch = msgspec.structs.replace(batch, to_publish=to_publish)
            self._ends.update((place(message.topic, message.partition), message.offset + 1) for message in messages)
            self._stored(self._ends)
            self._commit(messages)
        self._note_ends(came)
        return batch

    def close(self) -> None:
        """Leave the group, so that a successor need not wait."""
        self._consumer.close()

    def _note_ends(self, came: Iterable[kafka.Message]) -> None:
        """The ends of all our partitions have been seen once: the group has one member, so they are all there are."""
        if self._current:
            return
        self._ended |= {(one.topic(), one.partition()) for one in came if _is_end(one)}
        ours = {(one.topic, one.partition) for one in self._consumer.assignment()}
        self._current = bool(ours) and ours <= self._ended
        if self._current:
            log.info("the effects' topics are read to their ends: what waits may begin")
        elif self._monotonic() >= self._complain_at:
            self._complain_at = self._monotonic() + COMPLAIN_SECONDS
            missing = ", ".join(sorted(f"{topic}/{partition}" for topic, partition in ours - self._ended)) or "no partition is assigned yet"
            log.warning("charges and messages wait until the effects' topics are read to their ends; not read yet: %s", missing)

    def _commit(self, messages: Sequence[Delivered]) -> None:
        ends = {(message.topic, message.partition): message.offset + 1 for message in messages}
        positions = [kafka.TopicPartition(topic, partition, end) for (topic, partition), end in ends.items()]
        try:
            self._consumer.commit(offsets=positions, asynchronous=True)
        except kafka.KafkaException as error:
            # Harmless: the same effects come again and are recognised.
            log.info("positions not committed: %s", error)


def sort(messages: Iterable[Delivered], wall: Clock) -> ReceivedBatch:
    """Messages of `effects.*` by kind; an unreadable one becomes a dead letter with its bytes and the reason.

    A replayed dead letter counts as the message in it; those of other sinks are skipped.
    """
    batch, now = ReceivedBatch([], [], [], []), wall()
    for came in messages:
        message = unparked(came) if came.topic == REDRIVE_SINKS.name else came
        if message is None:
            continue
        try:
            effect = decode_effect(message.value)
        except Unprocessable as error:
            log.warning("parked %s: %s", message.place, error)
            batch.parked.append(_parked(message, error, now, came.place))
            continue
        if isinstance(effect, EffectWithdrawn):
            batch.withdrawals.append((effect.effect, effect.because))
        else:
            batch.arrivals.append(_arrival(effect, message, now))
            if (given_up := redrive_of(effect.id, message.headers)) is not None:
                batch.given_up.append(given_up)
    return batch


def delivered(message: kafka.Message) -> Delivered:
    """The client library's message as a plain value."""
    headers = {name: value if isinstance(value, str) else (value or b"").decode(errors="replace") for name, value in _headers(message)}
    key, value = message.key(), message.value()
    return Delivered(
        topic=message.topic() or "",
        partition=_number(message.partition()),
        offset=_number(message.offset()),
        key=key.encode() if isinstance(key, str) else key or b"",
        value=value.encode() if isinstance(value, str) else value,
        headers=headers,
    )


def _headers(message: kafka.Message) -> list[tuple[str, str | bytes | None]]:
    headers = message.headers()
    return list(headers.items() if isinstance(headers, dict) else headers or ())


def _number(number: int | None) -> int:
    return -1 if number is None else number


def _arrival(effect: Effect, message: Delivered, now: datetime) -> Arrival:
    return Arrival(
        id=effect.id,
        account=effect.account,
        customer=effect.customer,
        invoice=effect.invoice,
        kind=kind_of_work(effect),
        body=message.value or b"",
        place=message.place,
        received_at=now.timestamp(),
        not_after=effect.not_after.timestamp(),
    )


def _is_message(message: kafka.Message) -> bool:
    error = message.error()
    if error is None:
        return True
    if _is_end(message):
        return False
    if error.fatal() or error.code() in {kafka.KafkaError.TOPIC_AUTHORIZATION_FAILED, kafka.KafkaError.GROUP_AUTHORIZATION_FAILED}:
        raise ConsumerFailed(f"The consumer of {', '.join(TOPICS)} failed. {sentence(BROKERS, [error])}")
    log.info("the log said: %s", error)
    return False


def _is_end(message: kafka.Message) -> bool:
    error = message.error()
    return error is not None and error.code() == kafka.KafkaError._PARTITION_EOF


def _parked(message: Delivered, error: Unprocessable, now: datetime, place: str) -> Outgoing:
    parked = DeadLetter(
        stage="sinks",
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        key=message.key,
        value=message.value or b"",
        headers=message.headers,
        why=str(error),
        at=now,
        replay_topic=REDRIVE_SINKS.name,
    )
    return Outgoing(id=f"parked:{place}", topic=PARKED_SINKS.name, key=message.key, value=encode(parked))

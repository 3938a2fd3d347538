"""One partition of the app: its rows, its input positions and its transactional producer. Knows nothing of Faust.

Who owns a partition is decided by Kafka, not by the group: `open()` calls `init_transactions()`, which fences every
earlier owner of the same transactional id. What a batch changes (rows, outputs, input positions) is one transaction, so
a crash anywhere leaves all of it or nothing. Positions are records of the changelog: state and position cannot differ.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

import confluent_kafka as kafka

from recovery.adapters.kafka import made
from recovery.adapters.kafka_cluster import Kafka
from recovery.contracts.limits import LARGEST_BYTES
from streams.kafka.hanging_transactions import ShardOpenError, resolve_hanging_transactions
from streams.kafka.partition_log import PartitionBounds

log = logging.getLogger(__name__)

POSITION = b"\0position:"  # changelog key prefix: the next offset of an input topic
ANSWER_WITHIN = 30.0  # seconds per try; a retriable error is tried again
TRANSACTION_TIMEOUT_MS = 20_000  # after that the broker ends what a vanished owner left open


class Record(Protocol):
    """A fetched record, as aiokafka delivers it. `timestamp` is in milliseconds since 1970."""

    @property
    def key(self) -> bytes | None: ...  # noqa: D102 - the field's name says it
    @property
    def value(self) -> bytes | None: ...  # noqa: D102 - the field's name says it
    @property
    def offset(self) -> int: ...  # noqa: D102 - the field's name says it
    @property
    def timestamp(self) -> int: ...  # noqa: D102 - the field's name says it


class Partition(NamedTuple):
    """Topic and partition number; equal to Faust's and aiokafka's own."""

    topic: str
    partition: int


class Batch(NamedTuple):
    """Fetched records of one partition. `start` and `end` are the positions before and after them; None: not known."""

    tp: Partition
    start: int | None
    end: int
    records: Sequence[Record]


class Names(NamedTuple):
    """What a shard is called and which topics it touches. `outputs` are all topics that a handler emits to."""

    app: str
    changelog: str
    inputs: Sequence[str]
    outputs: Sequence[str]


class Log(Protocol):
    """What a shard reads while opening; the real one is PartitionLog."""

    def bounds(self, topic: str) -> PartitionBounds: ...  # noqa: D102 - see PartitionLog
    def records(self, topic: str) -> Iterable[tuple[bytes, bytes | None]]: ...  # noqa: D102 - see PartitionLog


class Shard:
    """Rows and outputs of one partition. Handlers use `number`, `get`, `put`, `emit`, `dirty`, `rows` (to read), `timers`."""

    exit_after_commit: tuple[int, str] | None = None  # exit code and reason, when the worker must leave after the next commit
    processor: Any = None  # derived data of the application, made by its `prepare` when the shard has been opened
    notes_ends = False  # whether `ends` is kept: a callback for each message

    def __init__(self, number: int, names: Names, producer: Any) -> None:
        self.number, self.names, self.producer = number, names, producer
        self.rows: dict[bytes, bytes] = {}
        self.positions: dict[str, int] = {}  # topic -> next offset
        self.loaded = 0  # records read while opening: a sign of life
        self.saving: asyncio.Future[None] | None = None  # the commit on its way
        self.ends: dict[str, int] = {}  # topic -> offset after the last message of ours that the broker has
        self._changed: dict[bytes, bytes | None] = {}
        self._in_transaction = False

    def open(self, log_of_partition: Callable[[], AbstractContextManager[Log]]) -> None:
        """Cut off all earlier owners, then load what they committed. Blocking: run it in a thread.

        Raises CannotOpen when facts between the position and the log are gone or a transaction cannot be ended, and
        KafkaException when the broker refuses.
        """
        retry(self.producer.init_transactions, ANSWER_WITHIN)
        with log_of_partition() as partition:
            resolve_hanging_transactions(lambda: self._undecided(partition), self.names.changelog, self._abort_what_is_open)
            for key, value in partition.records(self.names.changelog):
                self._load(key, value)
                self.loaded += 1
            for topic in self.names.inputs:
                start, _, end = partition.bounds(topic)
                self.positions[topic] = checked_position(topic, self.number, self.positions.get(topic), start, end)

    def get(self, key: bytes) -> bytes | None:
        """The row as the current batch sees it, or None."""
        return self.rows.get(key)

    def put(self, key: bytes, value: bytes | None) -> None:
        """Change a row (None deletes it). Written once per key when the batch is saved; an equal value is not written."""
        if key.startswith(POSITION):
            raise ValueError(f"row keys must not start with {POSITION!r}: {key!r}")
        if self.rows.get(key) == value:
            return
        if value is None:
            del self.rows[key]
        else:
            self.rows[key] = value
        self._changed[key] = value

    def emit(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        """Send an output to this shard's partition of the topic; visible together with the rows of the batch."""
        if not self._in_transaction:
            self.producer.begin_transaction()
            self._in_transaction = True
        while True:
            try:
                if self.notes_ends:
                    self.producer.produce(topic, value, key, self.number, self._note_end)
                else:
                    self.producer.produce(topic, value, key, self.number)
                return
            except BufferError:
                self.producer.poll(0.05)

    @property
    def dirty(self) -> bool:
        """Whether the current batch has changed a row or emitted anything so far."""
        return bool(self._changed) or self._in_transaction

    def save(self, batch: Batch) -> bool:
        """End a batch: advance its position and write rows and positions. True if there is something to commit.

        A batch that changed nothing needs no transaction; its position travels with the next one that does. After a
        crash it is read again and must change nothing again, which a pure handler of facts in order does.
        """
        self.positions[batch.tp.topic] = batch.end
        if not self.dirty:
            return False
        for key, value in self._changed.items():
            self.emit(self.names.changelog, key, value)
        self._changed.clear()
        for topic, position in self.positions.items():
            self.emit(self.names.changelog, POSITION + topic.encode(), b"%d" % position)
        self._in_transaction = False
        return True

    def commit(self) -> None:
        """Make the saved batch visible. Blocking; raises KafkaException when another owner has taken over."""
        retry(self.producer.commit_transaction, ANSWER_WITHIN)

    async def saved(self) -> None:
        """Return when the last saved batch is visible."""
        if self.saving is not None:
            await asyncio.shield(self.saving)

    def _note_end(self, error: Any, message: Any) -> None:
        if error is None:
            self.ends[message.topic()] = message.offset() + 1

    def _load(self, key: bytes, value: bytes | None) -> None:
        if key.startswith(POSITION):
            if value is not None:
                self.positions[key[len(POSITION) :].decode()] = int(value)
        elif value is None:
            self.rows.pop(key, None)
        else:
            self.rows[key] = value

    def _undecided(self, partition: Log) -> list[str]:
        topics = (self.names.changelog, *self.names.outputs)
        bounds = {topic: partition.bounds(topic) for topic in topics}
        return [topic for topic, found in bounds.items() if found.stable < found.end]

    def _abort_what_is_open(self) -> None:
        """Write one record to every partition and abort: the end marker decides all open records of this producer id."""
        self.producer.begin_transaction()
        for topic in (self.names.changelog, *self.names.outputs):
            self.producer.produce(topic, b"", b"", self.number)
        self.producer.flush(ANSWER_WITHIN)
        retry(self.producer.abort_transaction, ANSWER_WITHIN)


def connect(number: int, names: Names, brokers: Kafka) -> Shard:
    """A shard with a real producer, not opened yet."""
    producer = made(
        kafka.Producer,
        brokers,
        {
            "transactional.id": f"{names.app}-{number}",
            "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,
            # Begin is refused while the coordinator still ends the previous transaction; the default of 100 ms costs
            # a tenth of a second per refusal (measured at 200/s: p99 190 -> 17 ms).
            "retry.backoff.ms": 5,
            "linger.ms": 5,
            "queue.buffering.max.messages": 500_000,
            "compression.type": "lz4",
            "message.max.bytes": LARGEST_BYTES,
        },
    )
    return Shard(number, names, producer)


def checked_position(topic: str, number: int, position: int | None, start: int, end: int) -> int:
    """The position to read on from; the log's start if there is none yet. Raises CannotOpen if it lies outside the log."""
    if position is None:
        return start
    if position < start:
        raise ShardOpenError(
            f"{topic}[{number}]: the position is {position}, but the log starts at {start}: {start - position} facts were "
            "deleted before they were applied. Restore them (mirror or backup) if you can; to go on without them, write "
            f"the position {start} to the changelog with the worker stopped, and raise retention.ms of {topic}"
        )
    if position > end:
        raise ShardOpenError(
            f"{topic}[{number}]: the position is {position}, but the log starts at {start} and ends at {end}: the topic "
            "was created anew or has lost its tail. Restore it; a new topic needs a new app id (and an empty changelog)"
        )
    return position


def retry(call: Callable[[float], object], timeout: float) -> None:
    """Call with the time-out (seconds) until it works; raises KafkaException for what a repetition cannot cure."""
    while True:
        try:
            call(timeout)
            return
        except kafka.KafkaException as error:
            if not error.args[0].retriable():
                raise
            log.debug("trying again after: %s", error)

"""Reads the dead letters that the broker keeps, without a consumer group and without changing them. A dead letter is named by its position:
streams-2-15."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import confluent_kafka as kafka
import msgspec

from recovery.adapters.kafka import consumer
from recovery.adapters.kafka_cluster import Kafka
from recovery.adapters.kafka_trouble import sentence, unusable
from recovery.contracts.dead_letters import DeadLetter, DeadLetterReplayed
from recovery.contracts.encoding.codec import Unprocessable, decode_note, decode_parked
from recovery.contracts.topics import PARKED_GATEWAY, PARKED_NOTES, PARKED_SINKS, PARKED_STREAMS

STAGES: dict[str, str] = {
    "gateway": PARKED_GATEWAY.name,
    "streams": PARKED_STREAMS.name,
    "sinks": PARKED_SINKS.name,
}
"""The parking topics by the stage that speaks on them."""
PATIENCE = 30.0
"""Seconds of silence after which the broker counts as gone."""


class CannotRead(RuntimeError):
    """The parking topics cannot be read; the text says why and what to try."""


class MessagePosition(msgspec.Struct, frozen=True, order=True):
    """The position of a dead letter on its dead-letter topic. As text it is the message's name: stage-partition-offset."""

    stage: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.stage}-{self.partition}-{self.offset}"

    @classmethod
    def named(cls, name: str) -> "MessagePosition":
        """The position of a name. Raises ValueError for a text that is not a name."""
        stage, _, rest = name.partition("-")
        partition, _, offset = rest.partition("-")
        if stage not in STAGES or not partition.isdecimal() or not offset.isdecimal():
            raise ValueError(f"{name!r} names no parked message; `dunlin parked list` shows names such as streams-2-15.")
        return cls(stage, int(partition), int(offset))


class HeldMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter without its bytes. `parked_at` is wall time; `replayed` is True once it has been replayed."""

    place: MessagePosition
    account: str
    topic: str
    why: str
    error: str
    trace: str
    size: int
    parked_at: datetime
    replayed: DeadLetterReplayed | None = None


class DeadLetterFilter(msgspec.Struct, frozen=True, kw_only=True):
    """A filter of dead letters; an empty field matches everything.

    `topic` is a stage, a dead-letter topic or the topic that a message came from. `reason` is a part of the reason, in any case. The range
    of wall time begins with `since` and ends before `until`.
    """

    names: tuple[str, ...] = ()
    topic: str = ""
    reason: str = ""
    since: datetime | None = None
    until: datetime | None = None

    @property
    def matches_everything(self) -> bool:
        """Whether no field is set, so that every dead letter matches."""
        return self == DeadLetterFilter()

    def stages(self) -> list[str]:
        """The topics that can hold matching dead letters. Raises ValueError for an unknown name."""
        if self.names:
            return sorted({MessagePosition.named(name).stage for name in self.names})
        chosen = [stage for stage, topic in STAGES.items() if self.topic in {stage, topic}]
        return chosen or list(STAGES)

    def means(self, held: HeldMessage) -> bool:
        """Whether this message is one of them."""
        stage = held.place.stage
        return (
            (not self.names or str(held.place) in self.names)
            and self.topic in {"", stage, STAGES[stage], held.topic}
            and self.reason.lower() in f"{held.why} {held.error}".lower()
            and (self.since is None or held.parked_at >= self.since)
            and (self.until is None or held.parked_at < self.until)
        )


class DeadLetterReader:
    """All parking topics of one broker. Close it after use. Its methods raise CannotRead when the broker does not answer."""

    def __init__(self, bootstrap: Kafka) -> None:
        self._bootstrap = bootstrap
        self._reader = consumer(bootstrap, "dunlin-parked", **{"enable.partition.eof": True, "queued.max.messages.kbytes": 16_384})

    def close(self) -> None:
        """Free the connection."""
        self._reader.close()

    def find(self, filter_: DeadLetterFilter, report_progress: Callable[[int], None] = lambda _: None) -> list[HeldMessage]:
        """The messages meant, oldest first. `say(read)` is called now and then with how many were read."""
        found: dict[MessagePosition, HeldMessage] = {}
        count = 0
        for stage in filter_.stages():
            for message in self._messages(STAGES[stage], filter_.since):
                count += 1
                if (held := _held(stage, message)) is not None and filter_.means(held):
                    found[held.place] = held
                if count % 1000 == 0:
                    report_progress(count)
        for message in self._messages(PARKED_NOTES.name, filter_.since) if found else ():
            _note(found, message)
        return sorted(found.values(), key=lambda held: (held.parked_at, held.place))

    def message(self, place: MessagePosition) -> tuple[DeadLetter, datetime]:
        """One parked message with its bytes, and when it was parked. Raises LookupError when nothing is parked there (any more)."""
        partition = kafka.TopicPartition(STAGES[place.stage], place.partition, place.offset)
        for message in self._read([partition], {place.partition: place.offset + 1}):
            if message.offset() == place.offset and (parked := _parked(message)) is not None:
                return parked, _moment(message)
        raise LookupError(f"Nothing is parked as {place}, or not any more: parked messages are kept for 7 days.")

    def _messages(self, topic: str, since: datetime | None) -> Iterator[kafka.Message]:
        try:
            known = self._reader.list_topics(topic, timeout=PATIENCE).topics[topic].partitions
            first = int(since.timestamp() * 1000) if since is not None else 0
            starts = [kafka.TopicPartition(topic, number, first) for number in known]
            starts = self._reader.offsets_for_times(starts, timeout=PATIENCE) if starts else []
            ends = {
                number: self._reader.get_watermark_offsets(kafka.TopicPartition(topic, number), timeout=PATIENCE)[1] for number in known
            }
        except kafka.KafkaException as error:
            raise CannotRead(f"{topic} cannot be read. {unusable(self._bootstrap, error)}") from error
        wanted = [partition for partition in starts if 0 <= partition.offset < ends[partition.partition]]
        yield from self._read(wanted, ends)

    def _read(self, partitions: list[kafka.TopicPartition], ends: dict[int, int]) -> Iterator[kafka.Message]:
        """The messages from where the partitions point to, up to the ends."""
        open_ones = {partition.partition for partition in partitions}
        if not open_ones:
            return
        self._reader.assign(partitions)
        last_received = time.monotonic()
        while open_ones:
            if time.monotonic() > last_received + PATIENCE:
                raise CannotRead(f"{partitions[0].topic} could not be read for {PATIENCE:.0f} s. Is the broker running?")
            for message in self._reader.consume(500, 0.1):
                last_received, number, error = time.monotonic(), message.partition(), message.error()
                if error is not None and error.code() != kafka.KafkaError._PARTITION_EOF:
                    raise CannotRead(f"{partitions[0].topic} cannot be read. {sentence(self._bootstrap, [error])}")
                offset = message.offset() or 0
                if error is None and number in open_ones and offset < ends[number]:
                    yield message
                if error is not None or offset + 1 >= ends.get(number or 0, 0):
                    open_ones.discard(number or 0)


def _held(stage: str, message: kafka.Message) -> HeldMessage | None:
    parked = _parked(message)
    if parked is None:
        return None
    return HeldMessage(
        place=MessagePosition(stage, message.partition() or 0, message.offset() or 0),
        account=account_of(parked),
        topic=parked.topic,
        why=parked.why,
        error=parked.error,
        trace=parked.trace,
        size=parked.left_out or len(parked.value),
        parked_at=_moment(message),
    )


def _note(found: dict[MessagePosition, HeldMessage], message: kafka.Message) -> None:
    try:
        note = decode_note(_bytes(message))
    except Unprocessable:
        return
    place = MessagePosition(note.stage, note.partition, note.offset)
    if place in found:
        found[place] = msgspec.structs.replace(found[place], replayed=note)


def account_of(parked: DeadLetter) -> str:
    """The account that a parked message is about, as its key says; empty when it says nothing readable."""
    account = parked.key.split(b"/")[0].decode(errors="replace")
    return account if account.isprintable() else ""


def _parked(message: kafka.Message) -> DeadLetter | None:
    try:
        return decode_parked(_bytes(message))
    except Unprocessable:
        return None  # nothing of ours; it can only be looked at with a tool of Kafka's


def _bytes(message: kafka.Message) -> bytes | None:
    value = message.value()
    return value if isinstance(value, bytes) else None


def _moment(message: kafka.Message) -> datetime:
    return datetime.fromtimestamp(message.timestamp()[1] / 1000, UTC)

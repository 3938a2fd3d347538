"""The loop of a sink that writes ranges of messages exactly once: announce the range, write it, commit it.

The announcement is the metadata of the consumer's own offset commit: `offset = first, {"pend": [first, end]}`. It is also the fence: a
consumer that lost its partition cannot commit, so it never writes. The next owner of the partition reads the announcement, takes exactly
the same messages again and writes them under the same token; a target that knows the token drops the repeat.
"""

import logging
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any, Protocol

import confluent_kafka as kafka

from recovery.adapters.kafka_trouble import BROKERS, sentence
from sinks.kafka.offset_ranges import MOST_MESSAGES, Fatal, Message, PartitionBuffer, Range, announced, from_kafka
from sinks.kafka.stall_detector import StallDetector

log = logging.getLogger(__name__)

FLUSH_SECONDS = 1.0
"""While messages keep coming, all partitions are written together and at most this often: an insert costs the same for one row or many."""
IDLE_SECONDS = 0.1
"""When nothing has come for so long there is nothing to wait for, and what was read is written."""
STEPPED_IDLE_SECONDS = 2.0
"""The same where business time passes in steps: a step makes a few rows, and one insert holds those of several steps."""

_PATIENCE = frozenset(
    {
        kafka.KafkaError._ALL_BROKERS_DOWN,
        kafka.KafkaError._TRANSPORT,
        kafka.KafkaError._TIMED_OUT,
        kafka.KafkaError._RESOLVE,
        kafka.KafkaError._WAIT_COORD,
        kafka.KafkaError._MAX_POLL_EXCEEDED,
        kafka.KafkaError._NO_OFFSET,
        kafka.KafkaError.REQUEST_TIMED_OUT,
        kafka.KafkaError.NETWORK_EXCEPTION,
        kafka.KafkaError.COORDINATOR_NOT_AVAILABLE,
        kafka.KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        kafka.KafkaError.NOT_COORDINATOR,
        kafka.KafkaError.LEADER_NOT_AVAILABLE,
        kafka.KafkaError.NOT_LEADER_FOR_PARTITION,
        kafka.KafkaError.UNKNOWN_TOPIC_OR_PART,
        kafka.KafkaError.REBALANCE_IN_PROGRESS,
        kafka.KafkaError.ILLEGAL_GENERATION,
        kafka.KafkaError.UNKNOWN_MEMBER_ID,
    }
)
"""Errors after which the client goes on by itself: outages, elections, and a lost membership (it joins again and is assigned anew)."""


class NotWritten(RuntimeError):
    """The target did not take the range, or did not say so; the same range is offered again later."""


class Target(Protocol):
    """Where ranges go."""

    def write(self, taken: Range, messages: Sequence[Message]) -> None:
        """Write all messages of a range as one, recognising a repeat by its token. Raises NotWritten."""


class ExactlyOnceConsumer:
    """Reads a topic and hands ranges to a target; one thread, no waiting but for messages and the target itself."""

    def __init__(
        self,
        consumer: Any,
        topic: str,
        target: Target,
        on_ready: Callable[[], None],
        elapsed: Callable[[], float] = monotonic,
        step: Callable[[], bool | None] = lambda: None,
        written: Callable[[dict[int, int]], object] = lambda _: None,
    ) -> None:
        """`step` returns at each turn, where business time passes in steps, whether all waiting messages are written now, and None
        elsewhere. `written` gets, after each range that was written, the next offset of every partition written so far."""
        self._step, self._written, self._ends = step, written, dict[int, int]()
        self._consumer, self._topic, self._target, self._on_ready, self._elapsed = consumer, topic, target, on_ready, elapsed
        self.lanes: dict[int, PartitionBuffer] = {}
        self.rows = 0
        self._assignments = 0
        self._logged_at: dict[str, float] = {}
        self._silence = StallDetector(consumer, topic, elapsed)
        self._received_at = self._written_at = float("-inf")

    def start(self) -> None:
        """Join the group; partitions come with the first turns."""
        self._consumer.subscribe([self._topic], on_assign=self._assigned, on_revoke=self._lost, on_lost=self._lost)

    def close(self) -> None:
        """Leave the group, so that a successor need not wait."""
        self._consumer.close()

    def turn(self, seconds: float = 0.05) -> None:
        """Read what is there, write what is due. Raises Fatal."""
        for raw in self._read(seconds):
            self._receive(raw)
        due = self._due()
        begun = self._commit([(lane, lane.taken.first, lane.taken.announcement) for lane in due if lane.taken])
        for lane in begun:
            lane.written = -1  # the announcement moved the position too; committing it again would wipe the announcement
            self._write(lane)
        self._commit_done()
        self._hold_back()
        self._silence.check(self.lanes.values())

    def _read(self, seconds: float) -> list[Any]:
        before = self._assignments
        found: list[Any] = self._consumer.consume(1, seconds)  # asked for more, the client waits for all of them or the end of the time
        if found:
            found += self._consumer.consume(MOST_MESSAGES - 1, 0)
        if found and before != self._assignments:
            # The assignment changed within the call, so these may be of the former one: read them again from where the group stands.
            self._consumer.assign([kafka.TopicPartition(self._topic, lane.partition, lane.start) for lane in self.lanes.values()])
            return []
        return found

    def _receive(self, raw: Any) -> None:
        if (error := raw.error()) is not None:
            self._complain(error)
        elif (lane := self.lanes.get(raw.partition())) is not None:
            lane.receive(from_kafka(raw))
            self._received_at = self._elapsed()

    def trouble(self, error: Any) -> None:
        """What the client reports by itself; it goes on unless the error is fatal. Raises Fatal."""
        if error.fatal():
            raise Fatal(sentence(BROKERS, [error]))
        self._log_rarely("kafka", "%s The sink is waiting for it.", sentence(BROKERS, [error]))

    def _complain(self, error: Any) -> None:
        if error.code() not in _PATIENCE:
            raise Fatal(sentence(BROKERS, [error]))
        self.trouble(error)

    def _due(self) -> list[PartitionBuffer]:
        now, step = self._elapsed(), self._step()
        if step is None:
            pause_over = now >= self._written_at + FLUSH_SECONDS or now >= self._received_at + IDLE_SECONDS
        else:
            pause_over = now >= self._received_at + STEPPED_IDLE_SECONDS
        due = []
        for lane in self.lanes.values():
            full = lane.failures == 0 and (step or len(lane.waiting) >= MOST_MESSAGES)
            if ((pause_over and now >= lane.not_before) or full) and lane.take() is not None:
                due.append(lane)
        return due

    def _write(self, lane: PartitionBuffer) -> None:
        if lane.taken is None:
            return
        messages = lane.messages()
        try:
            self._target.write(lane.taken, messages)
        except NotWritten as problem:
            delay = lane.fail(self._elapsed())
            self._log_rarely("target", "%s; %d messages wait, position kept, next try in %.1f s", problem, self._backlog(), delay)
        else:
            self.rows += len(messages)
            self._ends[lane.partition] = lane.taken.end
            lane.finish()
            self._written_at = self._elapsed()
            self._written(self._ends)

    def _backlog(self) -> int:
        return sum(len(lane.waiting) for lane in self.lanes.values())

    def _commit_done(self) -> None:
        written = [lane for lane in self.lanes.values() if lane.written >= 0]
        for lane in self._commit([(lane, lane.written, "") for lane in written]):
            lane.written = -1

    def _commit(self, wanted: list[tuple[PartitionBuffer, int, str]]) -> list[PartitionBuffer]:
        """Commit positions. Returns the lanes whose commit the broker took. The others stay as they are and come again."""
        if not wanted:
            return []
        offsets = [kafka.TopicPartition(self._topic, lane.partition, offset, metadata) for lane, offset, metadata in wanted]
        try:
            answers = self._consumer.commit(offsets=offsets, asynchronous=False)
        except kafka.KafkaException as error:
            self._complain(error.args[0])
            return []
        refused = {answer.partition for answer in answers if answer.error is not None}
        for answer in answers:
            if answer.error is not None:
                self._complain(answer.error)
        return [lane for lane, _, _ in wanted if lane.partition not in refused and lane.partition in self.lanes]

    def _hold_back(self) -> None:
        """Read no further in a partition whose target is behind; the client keeps polling, so the membership stays."""
        for lane in self.lanes.values():
            much = lane.redo is None and len(lane.waiting) >= 2 * MOST_MESSAGES
            if much != lane.paused and (much or len(lane.waiting) < MOST_MESSAGES):
                (self._consumer.pause if much else self._consumer.resume)([kafka.TopicPartition(self._topic, lane.partition)])
                lane.paused = much

    def _assigned(self, consumer: Any, partitions: list[Any]) -> None:
        try:
            positions = consumer.committed(partitions, 30) if partitions else []
        except kafka.KafkaException as error:
            raise Fatal(f"The group's positions cannot be read: {error}") from error
        self.lanes = {position.partition: self._lane(consumer, position) for position in positions}
        consumer.assign([kafka.TopicPartition(self._topic, lane.partition, lane.start) for lane in self.lanes.values()])
        redone = {lane.partition: lane.redo for lane in self.lanes.values() if lane.redo}
        log.info("reads %s, partitions %s%s", self._topic, sorted(self.lanes), f", repeats announced ranges {redone}" if redone else "")
        self._assignments += 1
        self._silence.joined()
        self._on_ready()

    def _lane(self, consumer: Any, position: Any) -> PartitionBuffer:
        lane = PartitionBuffer(self._topic, position.partition, position.offset)
        if position.offset >= 0:
            lane.redo = announced(position.metadata)
        self._drop_expired(consumer, lane)
        return lane

    def _drop_expired(self, consumer: Any, lane: PartitionBuffer) -> None:
        """An announced range that the broker no longer holds whole can only be reported, not repaired."""
        if lane.redo is None:
            return
        low, _ = consumer.get_watermark_offsets(kafka.TopicPartition(self._topic, lane.partition), timeout=30)
        if low > lane.redo[0]:
            log.error("%s/%d: offsets %d to %d expired before they were confirmed", self._topic, lane.partition, lane.redo[0], low - 1)
        if low >= lane.redo[1]:
            lane.redo = None

    def _lost(self, _consumer: Any, partitions: list[Any]) -> None:
        log.info("gave up partitions %s", sorted(p.partition for p in partitions))
        self._assignments += 1
        self._silence.left()
        for partition in partitions:
            self.lanes.pop(partition.partition, None)

    def _log_rarely(self, about: str, text: str, *values: object) -> None:
        """Log a trouble at most every 5 s, so that an outage shows progress and not a flood."""
        now = self._elapsed()
        if now - self._logged_at.get(about, -5.0) >= 5.0:
            self._logged_at[about] = now
            log.warning(text, *values)

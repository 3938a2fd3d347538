"""The loop announces, writes and confirms ranges, in that order, whatever fails."""

from collections import defaultdict

import confluent_kafka as kafka
import pytest

from sinks.kafka.exactly_once_consumer import FLUSH_SECONDS, IDLE_SECONDS, STEPPED_IDLE_SECONDS, ExactlyOnceConsumer, NotWritten
from sinks.kafka.offset_ranges import MOST_BYTES, MOST_MESSAGES, Fatal, Message, PartitionBuffer, Range, announced

TOPIC = "recovery.events"


class FakeMessage:
    def __init__(self, partition, offset, error=None):
        self._partition, self._offset, self._error = partition, offset, error

    def error(self):
        return self._error

    def topic(self):
        return TOPIC

    def partition(self):
        return self._partition

    def offset(self):
        return self._offset

    def key(self):
        return b"k"

    def value(self):
        return f"{self._partition}/{self._offset}".encode()

    def headers(self):
        return None


class FakeConsumer:
    """A broker's group and log, as far as the loop sees them; everything that happens is in `told`."""

    def __init__(self, told, partitions=(0,)):
        self.told, self.partitions, self.commits = told, partitions, {}
        self.log = defaultdict(list)
        self.position_of, self.refuse, self.callbacks, self.assigned = {}, None, {}, None
        self.low, self.before_answer = 0, None

    def subscribe(self, topics, on_assign, on_revoke, on_lost):
        self.callbacks = {"assign": on_assign, "revoke": on_revoke, "lost": on_lost}

    def consume(self, count, seconds):
        if self.assigned is None:
            self.callbacks["assign"](self, [kafka.TopicPartition(TOPIC, p) for p in self.partitions])
            return []
        found = []
        for p, log in self.log.items():
            new = [m for m in log if m.offset() >= self.position_of.get(p, 0)]
            found += new[: count - len(found)]
        if self.before_answer:
            self.before_answer()
            self.before_answer = None
            return found[1:]  # the rest of what the former assignment had read ahead
        for message in found:
            self.position_of[message.partition()] = message.offset() + 1
        return found

    def assign(self, partitions):
        self.assigned = [p.partition for p in partitions]
        self.position_of = {p.partition: max(p.offset, 0) for p in partitions}

    def committed(self, partitions, timeout):
        return [kafka.TopicPartition(TOPIC, p.partition, *self.commits.get(p.partition, (-1001, ""))) for p in partitions]

    def commit(self, offsets, asynchronous):
        assert not asynchronous
        if self.refuse:
            raise kafka.KafkaException(kafka.KafkaError(self.refuse))
        for place in offsets:
            self.commits[place.partition] = (place.offset, place.metadata or "")
            self.told.append(("commit", place.partition, place.offset, announced(place.metadata)))
        return offsets

    def get_watermark_offsets(self, place, timeout):
        return self.low, 0

    def position(self, places):
        return [kafka.TopicPartition(TOPIC, place.partition, self.position_of[place.partition]) for place in places]

    def pause(self, partitions):
        self.told.append(("pause", partitions[0].partition))

    def resume(self, partitions):
        self.told.append(("resume", partitions[0].partition))

    def has(self, partition, *offsets):
        self.log[partition] += [FakeMessage(partition, offset) for offset in offsets]


class FakeTarget:
    def __init__(self, told):
        self.told, self.broken = told, False

    def write(self, taken, messages):
        if self.broken:
            self.told.append(("refused", taken.partition, taken.first, taken.end))
            raise NotWritten("no answer")
        self.told.append(("write", taken.token, [message.offset for message in messages]))


class World:
    def __init__(self, partitions=(0,)):
        self.told, self.now, self.ready = [], 100.0, 0
        self.consumer = FakeConsumer(self.told, partitions)
        self.target = FakeTarget(self.told)
        self.step = None
        self.loop = ExactlyOnceConsumer(self.consumer, TOPIC, self.target, self.on_ready, lambda: self.now, lambda: self.step)
        self.loop.start()

    def on_ready(self):
        self.ready += 1

    def turns(self, count=1, apart=1.0):
        if self.consumer.assigned is None:
            self.loop.turn(0)
        for _ in range(count):
            self.loop.turn(0)
            self.now += apart
        told, self.told[:] = list(self.told), []
        return told


@pytest.fixture
def world():
    return World()


def test_a_range_is_announced_then_written_then_confirmed(world):
    world.consumer.has(0, 5, 6, 9)
    assert world.turns() == [("commit", 0, 5, (5, 10)), ("write", "recovery.events:0:5-9", [5, 6, 9]), ("commit", 0, 10, None)]
    assert world.ready == 1


def test_nothing_to_write_commits_nothing(world):
    assert world.turns(3) == []


def test_nothing_is_written_when_the_announcement_is_refused_as_to_a_zombie(world):
    world.consumer.has(0, 1, 2)
    world.consumer.refuse = kafka.KafkaError.ILLEGAL_GENERATION
    assert world.turns(3) == []
    world.consumer.refuse = None
    assert world.turns()[1] == ("write", "recovery.events:0:1-2", [1, 2])


def test_a_fenced_instance_ends(world):
    world.consumer.has(0, 1)
    world.consumer.refuse = kafka.KafkaError.FENCED_INSTANCE_ID
    with pytest.raises(Fatal):
        world.turns()


def test_a_range_that_was_not_written_keeps_its_bounds_while_more_arrives(world):
    world.consumer.has(0, 1, 2)
    world.target.broken = True
    assert world.turns() == [("commit", 0, 1, (1, 3)), ("refused", 0, 1, 3)]
    world.consumer.has(0, 3, 4)
    world.target.broken = False
    assert [step for step in world.turns(2, apart=10) if step[0] == "write"] == [
        ("write", "recovery.events:0:1-2", [1, 2]),
        ("write", "recovery.events:0:3-4", [3, 4]),
    ]


def test_a_failed_range_stays_announced_even_after_an_earlier_one_was_written_and_not_confirmed(world):
    world.consumer.has(0, 1)
    commit, calls = world.consumer.commit, []

    def second_fails(offsets, asynchronous):
        calls.append(offsets)
        if len(calls) == 2:
            raise kafka.KafkaException(kafka.KafkaError(kafka.KafkaError.REQUEST_TIMED_OUT))
        return commit(offsets, asynchronous)

    world.consumer.commit = second_fails
    world.turns()
    world.consumer.has(0, 2)
    world.target.broken = True
    world.turns()
    assert announced(world.consumer.commits[0][1]) == (2, 3)


def test_an_announced_range_is_repeated_exactly_and_first(world):
    world.consumer.commits[0] = (5, '{"pend":[5,8]}')
    world.consumer.has(0, 5, 7, 8, 9)
    writes = [step for step in world.turns(2) if step[0] == "write"]
    assert writes == [("write", "recovery.events:0:5-7", [5, 7]), ("write", "recovery.events:0:8-9", [8, 9])]


def test_an_announced_range_waits_until_it_is_complete(world):
    world.consumer.commits[0] = (5, '{"pend":[5,8]}')
    world.consumer.has(0, 5)
    assert world.turns(3) == []
    world.consumer.has(0, 6, 7)
    assert ("write", "recovery.events:0:5-7", [5, 6, 7]) in world.turns()


def test_an_announced_range_that_expired_whole_is_given_up(world):
    world.consumer.commits[0] = (5, '{"pend":[5,8]}')
    world.consumer.low = 20
    world.consumer.has(0, 20)
    assert ("write", "recovery.events:0:20-20", [20]) in world.turns()


def test_a_lone_message_does_not_wait_and_a_stream_is_written_in_steps(world):
    world.consumer.has(0, 1)
    assert len(world.turns(apart=0.01)) == 3
    world.consumer.has(0, 2)
    assert world.turns(apart=FLUSH_SECONDS / 2) == []
    world.consumer.has(0, 3)
    assert world.turns(apart=FLUSH_SECONDS) == []
    assert ("write", "recovery.events:0:2-3", [2, 3]) in world.turns()


def test_where_time_passes_in_steps_rows_are_written_when_a_step_asks_for_them_or_nothing_comes_for_long(world):
    world.step = False
    world.consumer.has(0, 1)
    assert world.turns(apart=0.01) == []
    world.consumer.has(0, 2)
    assert world.turns(apart=FLUSH_SECONDS) == []
    world.step = True
    assert ("write", "recovery.events:0:1-2", [1, 2]) in world.turns()
    world.step = False
    world.consumer.has(0, 3)
    assert world.turns(apart=0.01) == []
    assert ("write", "recovery.events:0:3-3", [3]) in world.turns(2, apart=STEPPED_IDLE_SECONDS)


def test_a_burst_is_written_as_soon_as_nothing_more_comes(world):
    world.consumer.has(0, 1)
    world.turns(apart=0.01)
    world.consumer.has(0, 2)
    assert world.turns(apart=IDLE_SECONDS / 2) == []
    world.consumer.has(0, 3)
    assert world.turns(2, apart=IDLE_SECONDS / 2) == []
    assert ("write", "recovery.events:0:2-3", [2, 3]) in world.turns()


def test_all_partitions_of_a_stream_are_written_together():
    world = World(partitions=(0, 1))
    world.consumer.has(0, 1)
    world.turns(apart=0.01)
    world.consumer.has(1, 4)
    assert world.turns(apart=FLUSH_SECONDS) == []
    world.consumer.has(0, 2)
    assert [step[1] for step in world.turns() if step[0] == "write"] == ["recovery.events:0:2-2", "recovery.events:1:4-4"]


def test_no_range_is_larger_than_the_limit(world):
    world.consumer.has(0, *range(MOST_MESSAGES + 10))
    sizes = [len(step[2]) for step in world.turns(4) if step[0] == "write"]
    assert sizes == [MOST_MESSAGES, 10]


def test_a_target_that_is_behind_stops_the_reading_and_not_the_membership(world):
    world.target.broken = True
    world.consumer.has(0, *range(2 * MOST_MESSAGES + 10))
    assert ("pause", 0) in world.turns(4)
    world.target.broken = False
    assert ("resume", 0) in world.turns(6, apart=10)


def test_partitions_are_written_apart_and_announced_together():
    world = World(partitions=(0, 1))
    world.consumer.has(0, 1)
    world.consumer.has(1, 4)
    told = world.turns()
    assert [step[0] for step in told] == ["commit", "commit", "write", "write", "commit", "commit"]
    assert {step[1] for step in told if step[0] == "write"} == {"recovery.events:0:1-1", "recovery.events:1:4-4"}


def test_messages_read_while_the_assignment_changed_are_read_again_and_written_once(world):
    world.consumer.has(0, 1, 2)
    world.turns()
    world.consumer.has(0, 3, 4)
    places = [kafka.TopicPartition(TOPIC, 0)]

    def rebalance():
        world.loop._lost(world.consumer, places)
        world.loop._assigned(world.consumer, places)

    world.consumer.before_answer = rebalance
    assert [step[2] for step in world.turns(3) if step[0] == "write"] == [[3, 4]]


def test_a_message_handed_out_twice_is_written_once(world):
    world.consumer.has(0, 1, 2, 2, 1, 3)
    assert ("write", "recovery.events:0:1-3", [1, 2, 3]) in world.turns()


def test_a_full_range_that_failed_waits_before_it_is_tried_again(world):
    world.target.broken = True
    world.consumer.has(0, *range(MOST_MESSAGES))
    assert len([step for step in world.turns(5, apart=0.01) if step[0] == "refused"]) == 1


def test_a_lost_partition_is_left_to_its_next_owner(world):
    world.target.broken = True
    world.consumer.has(0, 1)
    world.turns()
    world.loop._lost(world.consumer, [kafka.TopicPartition(TOPIC, 0)])
    world.target.broken = False
    assert [step for step in world.turns(2, apart=10) if step[0] in {"write", "commit"}] == []


def test_an_error_of_the_client_that_it_cannot_heal_ends_the_process(world):
    world.turns()
    world.consumer.log[0].append(FakeMessage(0, 1, kafka.KafkaError(kafka.KafkaError.TOPIC_AUTHORIZATION_FAILED)))
    with pytest.raises(Fatal, match="Kafka"):
        world.turns()


def test_metadata_of_another_program_is_not_overwritten(world):
    world.consumer.commits[0] = (5, "checkpoint 17")
    with pytest.raises(Fatal, match="another program"):
        world.turns()


def test_an_outage_that_the_client_reports_is_told_now_and_then_and_ends_nothing(world, caplog):
    for _ in range(12):
        world.loop.trouble(kafka.KafkaError(kafka.KafkaError._ALL_BROKERS_DOWN))
        world.now += 1
    assert len([line for line in caplog.messages if "waiting for it" in line]) == 3


def test_a_fatal_error_that_the_client_reports_ends_the_process(world):
    with pytest.raises(Fatal):
        world.loop.trouble(kafka.KafkaError(kafka.KafkaError._FATAL, "fenced", fatal=True))


def test_a_range_of_large_messages_ends_by_its_bytes_and_takes_one_at_least():
    lane, size = PartitionBuffer(TOPIC, 0, 0), MOST_BYTES // 4
    for offset in range(6):
        lane.receive(Message(TOPIC, 0, offset, b"k", b"x" * size))
    assert lane.take() == Range(TOPIC, 0, 0, 4)
    lane.finish()
    assert lane.take() == Range(TOPIC, 0, 4, 6)
    lane.finish()
    lane.receive(Message(TOPIC, 0, 6, b"k", b"x" * (MOST_BYTES + 1)))
    lane.receive(Message(TOPIC, 0, 7, b"k", b"x"))
    assert lane.take() == Range(TOPIC, 0, 6, 7)

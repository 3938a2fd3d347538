"""A shard's buffering, positions and opening, with a producer and a log that only remember."""

from contextlib import nullcontext
from types import SimpleNamespace

import confluent_kafka as kafka
import pytest

from streams.kafka.hanging_transactions import ShardOpenError
from streams.kafka.partition_log import PartitionBounds
from streams.transactional_shard import POSITION, Batch, Names, Partition, Shard, checked_position, retry

NAMES = Names("app", "app-rows-changelog", ("facts",), ("events", "effects"))
AT_FACTS = POSITION + b"facts"
A_LOG = PartitionBounds(0, 100, 100)


class RememberingProducer:
    def __init__(self) -> None:
        self.calls: list[tuple] = []
        self.full = 0  # how many times the queue is full

    def init_transactions(self, timeout):
        self.calls.append(("init",))

    def begin_transaction(self):
        self.calls.append(("begin",))

    def produce(self, topic, value, key, partition):
        if self.full:
            self.full -= 1
            raise BufferError
        self.calls.append((topic, key, value, partition))

    def poll(self, timeout):
        self.calls.append(("poll",))

    def flush(self, timeout):
        self.calls.append(("flush",))

    def commit_transaction(self, timeout):
        self.calls.append(("commit",))

    def abort_transaction(self, timeout):
        self.calls.append(("abort",))


class WrittenLog:
    def __init__(self, records=(), facts=A_LOG, undecided=0) -> None:
        self.written, self.facts, self.undecided = list(records), facts, undecided

    def bounds(self, topic):
        if topic == "facts":
            return self.facts
        if topic == NAMES.changelog and self.undecided:
            self.undecided -= 1
            return PartitionBounds(0, 5, 6)
        return PartitionBounds(0, 6, 6)

    def records(self, topic):
        assert topic == NAMES.changelog
        return iter(self.written)


def an_open_shard(**log) -> Shard:
    shard = Shard(3, NAMES, RememberingProducer())
    shard.open(lambda: nullcontext(WrittenLog(**log)))
    shard.producer.calls.clear()
    return shard


def a_batch(end: int) -> Batch:
    return Batch(Partition("facts", 3), 0, end, [])


def test_earlier_owners_are_cut_off_before_anything_is_read():
    producer = RememberingProducer()

    def read():
        assert producer.calls == [("init",)]
        return nullcontext(WrittenLog())

    Shard(3, NAMES, producer).open(read)


def test_opening_loads_rows_deletions_and_positions():
    shard = an_open_shard(records=[(b"a", b"1"), (b"b", b"2"), (b"a", None), (b"c", b""), (AT_FACTS, b"42")])
    assert shard.rows == {b"b": b"2", b"c": b""}
    assert shard.positions == {"facts": 42}
    assert shard.loaded == 5


def test_a_shard_without_position_starts_where_the_log_starts():
    assert an_open_shard(facts=PartitionBounds(7, 100, 100)).positions == {"facts": 7}


def test_a_row_changed_often_in_one_batch_is_written_once():
    shard = an_open_shard()
    for value in (b"1", b"2", b"3"):
        shard.put(b"a", value)
        assert shard.get(b"a") == value
    assert shard.producer.calls == []
    assert shard.save(a_batch(4))
    assert shard.producer.calls == [
        ("begin",),
        (NAMES.changelog, b"a", b"3", 3),
        (NAMES.changelog, AT_FACTS, b"4", 3),
    ]


def test_outputs_go_to_the_shards_own_partition_before_rows_and_position():
    shard = an_open_shard()
    shard.put(b"a", b"1")
    shard.emit("events", b"a", b"happened")
    shard.emit("effects", b"a", b"do")
    shard.save(a_batch(1))
    shard.commit()
    assert shard.producer.calls == [
        ("begin",),
        ("events", b"a", b"happened", 3),
        ("effects", b"a", b"do", 3),
        (NAMES.changelog, b"a", b"1", 3),
        (NAMES.changelog, AT_FACTS, b"1", 3),
        ("commit",),
    ]


def test_a_deleted_row_is_gone_and_written_as_a_tombstone():
    shard = an_open_shard(records=[(b"a", b"1")])
    shard.put(b"a", None)
    assert shard.get(b"a") is None
    shard.save(a_batch(1))
    assert (NAMES.changelog, b"a", None, 3) in shard.producer.calls


def test_equal_values_and_deletions_of_nothing_are_not_written():
    shard = an_open_shard(records=[(b"a", b"1")])
    shard.put(b"a", b"1")
    shard.put(b"nothing", None)
    assert not shard.dirty
    assert not shard.save(a_batch(9))
    assert shard.producer.calls == []


def test_a_row_changed_and_changed_back_is_written_as_it_is():
    shard = an_open_shard(records=[(b"a", b"1")])
    shard.put(b"a", b"2")
    shard.put(b"a", b"1")
    shard.save(a_batch(1))
    assert (NAMES.changelog, b"a", b"1", 3) in shard.producer.calls


def test_the_position_of_a_batch_without_writes_travels_with_the_next_one():
    shard = an_open_shard()
    assert not shard.save(a_batch(5))
    assert shard.positions == {"facts": 5}
    shard.put(b"a", b"1")
    shard.save(a_batch(6))
    assert shard.producer.calls[-1] == (NAMES.changelog, AT_FACTS, b"6", 3)


def test_every_batch_begins_a_transaction_of_its_own():
    shard = an_open_shard()
    for end in (1, 2):
        shard.emit("events", b"a", b"x")
        assert shard.dirty
        shard.save(a_batch(end))
        assert not shard.dirty
        shard.commit()
    assert [call for call in shard.producer.calls if call[0] in {"begin", "commit"}] == [("begin",), ("commit",)] * 2


def test_a_saved_row_is_not_written_again_by_the_next_batch():
    shard = an_open_shard()
    shard.put(b"a", b"1")
    shard.save(a_batch(1))
    assert not shard.save(a_batch(2))
    assert [call[1] for call in shard.producer.calls if len(call) == 4] == [b"a", AT_FACTS]


def test_a_full_queue_is_waited_for():
    shard = an_open_shard()
    shard.producer.full = 2
    shard.emit("events", b"a", b"x")
    assert shard.producer.calls == [("begin",), ("poll",), ("poll",), ("events", b"a", b"x", 3)]


def test_row_keys_cannot_pretend_to_be_positions():
    with pytest.raises(ValueError, match="must not start with"):
        an_open_shard().put(AT_FACTS, b"0")


def test_what_stays_undecided_is_aborted_with_a_record_in_every_partition(monkeypatch):
    monkeypatch.setattr("streams.kafka.hanging_transactions.MARKERS_WITHIN", 0.0)
    producer = RememberingProducer()
    Shard(3, NAMES, producer).open(lambda: nullcontext(WrittenLog(undecided=1)))
    topics = (NAMES.changelog, "events", "effects")
    assert producer.calls == [("init",), ("begin",), *((t, b"", b"", 3) for t in topics), ("flush",), ("abort",)]


@pytest.mark.parametrize(("position", "expected"), [(10, 10), (20, 20), (15, 15), (None, 10)])
def test_a_position_within_the_log_is_kept(position, expected):
    assert checked_position("facts", 3, position, 10, 20) == expected


def test_a_position_below_the_log_is_refused_naming_what_is_gone():
    with pytest.raises(ShardOpenError, match=r"facts\[3\]: the position is 9, but the log starts at 10: 1 facts"):
        checked_position("facts", 3, 9, 10, 20)


def test_a_position_beyond_the_log_is_refused():
    with pytest.raises(ShardOpenError, match=r"facts\[3\]: the position is 21, but .* ends at 20"):
        checked_position("facts", 3, 21, 10, 20)


def failing(*errors):
    left = list(errors)

    def call(timeout):
        if left:
            raise kafka.KafkaException(left.pop(0))
        left.append(None)

    return call, left


def test_retriable_errors_are_tried_again():
    call, left = failing(kafka.KafkaError(kafka.KafkaError._TIMED_OUT, "slow", retriable=True))
    retry(call, 1.0)
    assert left == [None]


def test_other_errors_are_raised():
    call, _ = failing(kafka.KafkaError(kafka.KafkaError._FENCED, "cut off", fatal=True))
    with pytest.raises(kafka.KafkaException):
        retry(call, 1.0)


def test_the_ends_of_its_messages_are_noted_when_the_broker_has_them_and_only_if_it_is_asked_to():
    callbacks = []

    class Acknowledging(RememberingProducer):
        def produce(self, topic, value, key, partition, acknowledged=None):
            callbacks.append(acknowledged)

    shard = Shard(0, NAMES, Acknowledging())
    shard.emit("events", b"key", b"value")
    shard.notes_ends = True
    shard.emit("events", b"key", b"value")
    assert shard.ends == {}
    silent, acknowledged = callbacks
    assert silent is None
    acknowledged("refused", None)
    assert shard.ends == {}
    acknowledged(None, SimpleNamespace(topic=lambda: "events", offset=lambda: 41))
    assert shard.ends == {"events": 42}

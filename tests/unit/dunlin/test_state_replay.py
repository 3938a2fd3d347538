"""A replay of the facts must find what the stream kept, and every way in which it could differ (F62)."""

from collections.abc import Iterable, Iterator, Mapping

import msgspec
import pytest

from dunlin.ops.state_replay import Kept, Replayed, apart, replay
from recovery.contracts.encoding.codec import encode
from recovery.contracts.encoding.row_codec import decode_row, encode_row
from recovery.contracts.topics import EFFECTS_STRIPE, EVENTS, FACTS
from streams.simulation import Output, ShardInMemory
from streams.transactional_shard import POSITION
from tests.support.month import Month, Record

Message = tuple[bytes | None, bytes | None]


class Memory:
    """What a broker would have kept of a shard: everything, unless a test takes it away or changes it."""

    number = 0

    def __init__(self, month: Month) -> None:
        self._facts = list(month.facts[0])
        self.state = dict(month.shards[0].rows) | {POSITION + FACTS.name.encode(): b"%d" % len(self._facts)}
        self.sent: dict[str, list[Message]] = {}
        for output in month.outputs[0]:
            self.sent.setdefault(output.topic, []).append((output.key, output.value))
        self.trimmed: set[str] = set()

    def rows(self) -> Mapping[bytes, bytes]:
        return self.state

    def facts(self, end: int) -> Iterable[Record]:
        return self._facts[:end]

    def kept(self, topic: str) -> Kept:
        messages: Iterator[Message] = iter(self.sent.get(topic, []))
        return Kept(topic not in self.trimmed, messages)


@pytest.fixture(scope="module")
def month() -> Month:
    return Month(5, customers=30, days=12, shards=1).run()


@pytest.fixture
def memory(month: Month) -> Memory:
    return Memory(month)


def replayed(memory: Memory, *, verify: bool = True) -> Replayed:
    return replay(memory, "dunlin", FACTS.name, verify=verify, report=lambda _done, _end: None)


def test_the_facts_alone_give_the_same_rows_and_messages(memory: Memory, month: Month) -> None:
    told = replayed(memory)
    assert (told.differences, told.facts, told.outputs) == (0, len(month.facts[0]), len(month.outputs[0]))
    assert told.rows == len(month.shards[0].rows) > 2


def test_a_changed_row_is_found(memory: Memory) -> None:
    key = next(key for key in memory.state if not key.startswith(b"\0"))
    row = decode_row(memory.state[key])
    row.requests += 7
    memory.state[key] = encode_row(row)
    [difference] = replayed(memory).shown
    assert (difference.kind, key.decode() in difference.where) == ("changed", True)
    assert '"requests":7' in (difference.kept or "")


def test_a_damaged_row_is_found(memory: Memory) -> None:
    key = next(key for key in memory.state if not key.startswith(b"\0"))
    memory.state[key] = memory.state[key][:-9]
    assert [one.kind for one in replayed(memory).shown] == ["changed"]


def test_a_lost_row_and_a_row_too_many_are_found(memory: Memory) -> None:
    key = next(key for key in memory.state if not key.startswith(b"\0"))
    memory.state[b"acct_1/cus_nobody"] = memory.state.pop(key)
    assert sorted(one.kind for one in replayed(memory).shown) == ["extra", "missing"]


def test_one_changed_byte_in_a_message_is_found(memory: Memory) -> None:
    key, value = memory.sent[EFFECTS_STRIPE.name][0]
    memory.sent[EFFECTS_STRIPE.name][0] = (key, (value or b"").replace(b'"read_requested"', b'"read_requesteD"'))
    assert replayed(memory).differences == 1


def test_a_message_that_was_never_sent_is_found(memory: Memory) -> None:
    memory.sent[EVENTS.name].pop()
    [difference] = replayed(memory).shown
    assert (difference.kind, difference.where) == ("missing", EVENTS.name)


def test_an_event_too_many_is_found_unless_it_is_of_a_later_fact(memory: Memory, month: Month) -> None:
    later = msgspec.structs.replace(month.events[-1], id=f"0-{len(month.facts[0])}-0")
    memory.sent[EVENTS.name].append((b"k", encode(later)))
    assert replayed(memory).differences == 0, "the stream has gone on meanwhile"
    memory.sent[EVENTS.name].append((b"k", encode(msgspec.structs.replace(later, id="0-1-7"))))
    assert [one.kind for one in replayed(memory).shown] == ["extra"]


def test_a_topic_whose_beginning_was_deleted_is_compared_from_where_it_begins(memory: Memory) -> None:
    memory.trimmed.add(EVENTS.name)
    del memory.sent[EVENTS.name][:40]
    assert replayed(memory).differences == 0
    memory.sent[EVENTS.name][3] = (b"k", b"{}")
    assert replayed(memory).differences == 1


def test_a_trimmed_topic_that_begins_with_something_unknown_is_no_match(memory: Memory) -> None:
    memory.trimmed.add(EVENTS.name)
    memory.sent[EVENTS.name] = [(b"k", b'{"id":"0-1-7"}')]
    assert replayed(memory).differences == 1


def test_without_comparison_only_the_state_is_rebuilt(memory: Memory) -> None:
    told = replayed(memory, verify=False)
    memory.sent.clear()
    assert (told.differences, told.digest) == (0, replayed(memory, verify=False).digest)


def test_facts_after_the_position_of_the_rows_are_not_replayed(memory: Memory) -> None:
    memory.state = {POSITION + FACTS.name.encode(): b"0"}
    assert replayed(memory, verify=False).facts == 0


def test_two_texts_are_shown_where_they_part() -> None:
    first, second = apart("x" * 100 + "paid", "x" * 100 + "open")
    assert first.startswith("…x")
    assert (first[-4:], second[-4:]) == ("paid", "open")


def test_a_shard_in_memory_sends_what_it_decides(month: Month) -> None:
    shard = ShardInMemory(0, "again")
    sent: list[Output] = [output for record in month.facts[0] for output in shard.take(record)]
    assert sent == month.outputs[0]

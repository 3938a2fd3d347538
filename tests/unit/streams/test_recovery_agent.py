"""How much of a batch one transaction takes: it ends by time and by bytes, well before the broker would end it."""

from typing import Any

from recovery.contracts.encoding.codec import encode
from recovery.contracts.facts import InvoicePaid
from recovery.contracts.limits import BATCH_BYTES, BATCH_SECONDS
from recovery.contracts.topics import FACTS, changelog
from streams.agents.recovery import handle
from streams.guard import FAILING_ACCOUNTS, FAILURES_OF_AN_ACCOUNT, Guard
from streams.kafka.exactly_once import APP_SETTINGS, rest
from streams.processor import ShardProcessor
from streams.simulation import Tape
from streams.topology import OUTPUTS
from streams.transactional_shard import TRANSACTION_TIMEOUT_MS, Batch, Names, Partition, Shard
from tests.support.stream_facts import START, header, invoice_state


class Told:
    def __init__(self, offset: int, value: bytes, key: bytes = b"k") -> None:
        self.key, self.value, self.offset, self.timestamp = key, value, offset, 0


class Ticking:
    """A clock that moves by `step` seconds whenever it is read."""

    def __init__(self, step: float) -> None:
        self.now, self.step = 0.0, step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


def a_shard() -> Shard:
    shard = Shard(0, Names("dunlin", changelog("dunlin").name, (FACTS.name,), OUTPUTS), Tape())
    shard.processor = ShardProcessor(shard, Guard())
    return shard


def paid(number: int) -> bytes:
    return encode(InvoicePaid(id=f"paid:{number}", state=invoice_state("paid", START), **header(number, START)))


def a_batch(values: list[bytes], first: int = 10) -> Batch:
    records: list[Any] = [Told(first + number * 2, value) for number, value in enumerate(values)]  # markers leave gaps
    return Batch(Partition(FACTS.name, 0), first, records[-1].offset + 1, records)


def test_a_batch_that_is_done_in_time_is_one_transaction() -> None:
    batch = a_batch([paid(number) for number in range(20)])
    assert handle(a_shard(), batch, Ticking(0.001)) == batch.end


def test_a_batch_that_takes_long_ends_after_the_record_that_used_up_the_time() -> None:
    batch = a_batch([paid(number) for number in range(20)])
    end = handle(a_shard(), batch, Ticking(BATCH_SECONDS / 4))
    assert end == batch.records[3].offset + 1


def test_what_is_left_of_a_batch_is_applied_in_the_next_transaction() -> None:
    shard, batch, ends = a_shard(), a_batch([paid(number) for number in range(20)]), []
    while not ends or ends[-1] < batch.end:
        ends.append(handle(shard, batch, Ticking(BATCH_SECONDS / 4)))
        batch = rest(batch, ends[-1])
    assert len(ends) == 5
    causes = [output.value for output in shard.producer.outputs if output.topic == "recovery.events"]
    assert len(causes) == 20


def test_a_batch_of_many_bytes_ends_early() -> None:
    large = b"[" + b" " * (BATCH_BYTES // 4)
    batch = a_batch([large] * 10)
    assert handle(a_shard(), batch, Ticking(0.0)) == batch.records[3].offset + 1


def test_a_single_record_is_always_applied() -> None:
    batch = a_batch([paid(1)])
    assert handle(a_shard(), batch, Ticking(BATCH_SECONDS * 10)) == batch.end


def test_a_transaction_ends_long_before_the_broker_ends_it() -> None:
    assert BATCH_SECONDS * 1000 * 3 < TRANSACTION_TIMEOUT_MS


def test_when_nearly_every_account_fails_the_batch_ends_and_what_was_dead_lettered_is_committed() -> None:
    shard = a_shard()
    needed = FAILING_ACCOUNTS * FAILURES_OF_AN_ACCOUNT
    broken = [b'{"type":"nothing","account":"acct_%d"}' % (number % FAILING_ACCOUNTS) for number in range(needed + 50)]
    batch = a_batch(broken)
    end = handle(shard, batch, Ticking(0.0))
    assert end == batch.records[needed - 1].offset + 1
    assert shard.exit_after_commit is not None
    assert shard.exit_after_commit[0] == 75
    assert shard.save(batch._replace(end=end))
    assert shard.positions[FACTS.name] == end


def test_a_full_batch_of_slow_facts_ends_in_time() -> None:
    """With a thousand open invoices a fact takes some 16 ms: a batch of them is several transactions, each far below the broker's bound."""
    clock, shard = Ticking(0.016), a_shard()
    batch = a_batch([paid(number) for number in range(APP_SETTINGS["broker_max_poll_records"])])
    end = handle(shard, batch, clock)
    assert end < batch.end
    assert clock.now < TRANSACTION_TIMEOUT_MS / 1000 / 3
    assert shard.save(batch._replace(end=end))
    began = clock.now
    assert handle(shard, rest(batch, end), clock) > end
    assert clock.now - began < TRANSACTION_TIMEOUT_MS / 1000 / 3

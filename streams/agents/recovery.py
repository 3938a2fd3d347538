"""The agent of the recovery: facts in, one shard and batch at a time."""

from collections.abc import Callable
from time import monotonic

from recovery.contracts.limits import BATCH_BYTES, BATCH_SECONDS
from streams.guard import Guard
from streams.processor import ShardProcessor
from streams.transactional_shard import Batch, Shard


def prepare(shard: Shard) -> None:
    """Give a freshly opened shard its processor: timers, accounts and the time follow from its state."""
    shard.processor = ShardProcessor(shard, Guard())


def handle(shard: Shard, batch: Batch, elapsed: Callable[[], float] = monotonic) -> int:
    """Apply a batch of facts as far as one transaction takes them. Returns the position after the last one that was applied.

    What is decided is a function of the shard and the facts alone: no await and no I/O, and no clock but to end the transaction well before
    the broker would.
    """
    processor: ShardProcessor = shard.processor
    end, left, until = batch.end, BATCH_BYTES, elapsed() + BATCH_SECONDS
    last = len(batch.records) - 1
    for number, record in enumerate(batch.records):
        processor.process(record)
        left -= len(record.value or b"")
        if number < last and (processor.leaving is not None or left <= 0 or elapsed() >= until):
            end = record.offset + 1
            break
    shard.exit_after_commit = processor.leaving
    if shard.dirty:
        processor.keep_time()
    return end

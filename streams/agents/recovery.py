"""The agent of the recovery: facts in, one shard and batch at a time."""

from collections.abc import Callable
from time import monotonic

from recovery.contracts.limits import BATCH_BYTES, BATCH_SECONDS
from streams.desk import Desk
from streams.guard import Guard
from streams.shard import Batch, Shard


def prepare(shard: Shard) -> None:
    """Give a freshly opened shard its desk: timers, accounts and the time follow from its rows."""
    shard.timers = Desk(shard, Guard())


def handle(shard: Shard, batch: Batch, elapsed: Callable[[], float] = monotonic) -> int:
    """Apply a batch of facts as far as one transaction takes them; answers the position after the last one that was applied.

    What is decided is a function of the shard and the facts alone: no await and no I/O, and no clock but to end the transaction well before
    the broker would.
    """
    desk: Desk = shard.timers
    end, left, until = batch.end, BATCH_BYTES, elapsed() + BATCH_SECONDS
    last = len(batch.records) - 1
    for number, record in enumerate(batch.records):
        desk.take(record)
        left -= len(record.value or b"")
        if number < last and (desk.leaving is not None or left <= 0 or elapsed() >= until):
            end = record.offset + 1
            break
    shard.leaving = desk.leaving
    if shard.dirty:
        desk.keep_time()
    return end

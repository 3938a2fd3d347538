"""The agent of the recovery: facts in, one shard and batch at a time."""

from streams.desk import Desk
from streams.guard import Guard
from streams.shard import Batch, Shard


def prepare(shard: Shard) -> None:
    """Give a freshly opened shard its desk: timers, accounts and the time follow from its rows."""
    shard.timers = Desk(shard, Guard())


def handle(shard: Shard, batch: Batch) -> None:
    """Apply a batch of facts. A function of the shard and the batch alone: no await, no clock, no I/O."""
    desk: Desk = shard.timers
    for record in batch.records:
        desk.take(record)
    if shard.dirty:
        desk.keep_time()

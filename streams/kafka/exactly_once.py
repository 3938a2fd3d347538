# ruff: noqa: ARG002 - the signatures are Faust's
"""Exactly-once batches for Faust: one Kafka transaction per batch and partition.

Faust decides which worker gets a partition, starts and stops everything and hands over what was fetched; rows, outputs
and positions belong to `streams.transactional_shard`. The transport and the store are chosen with `shard://` in faust.App:

    app = faust.App("dunlin", broker="shard://127.0.0.1:9092", **APP_SETTINGS, topic_partitions=4, datadir=...)
    facts = app.topic("facts", partitions=4, schema=BatchSchema())
    rows = app.Table("rows", partitions=4)                       # changelog: dunlin-rows-changelog
    exactly_once(app, facts, rows, handle, outputs=["recovery.events", ...], prepare=load_timers)

Give each process its own `consumer_group_instance_id`, the same after every restart: a killed worker then has its
partitions back as soon as it is up, not after the session time-out. Two processes must never share one.

All topics must exist before the start, with one partition count. The process leaves with 70 ("restart me") when a
handler or a transaction failed or nothing moves, and with 75 ("do not restart me") when a shard must not be opened.
"""

import asyncio
import logging
import os
from collections import ChainMap
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, TypedDict

from faust import Schema
from faust.stores import STORES, memory
from faust.types import TP

from recovery.adapters.kafka_cluster import Kafka
from recovery.adapters.progress import ProgressReport, ReportProgress, place
from recovery.contracts.limits import BATCH_RECORDS
from streams.kafka import transport
from streams.kafka.partition_log import PartitionLog
from streams.process_exit import exit_process, or_exit
from streams.transactional_shard import Batch, Names, Shard, connect

log = logging.getLogger(__name__)

PATIENCE = 60.0  # seconds without any movement before the watchdog asks the broker; above broker_rebalance_timeout
THREADS = ThreadPoolExecutor(32, "transaction")  # commits and openings; at least one per partition

Handler = Callable[[Shard, Batch], int | None]
"""Applies a batch as far as one transaction takes it. Returns the position after the last record that was applied, None for all."""


class AppSettings(TypedDict):
    """The settings of faust.App that this module relies on."""

    store: str
    autodiscover: bool
    web_enabled: bool
    topic_disable_leader: bool
    table_standby_replicas: int
    consumer_auto_offset_reset: str
    broker_session_timeout: float
    broker_heartbeat_interval: float
    broker_rebalance_timeout: float
    stream_buffer_maxsize: int
    stream_wait_empty: bool
    broker_max_poll_records: int
    consumer_max_fetch_size: int


APP_SETTINGS: Final[AppSettings] = {
    "store": "shard://",
    "autodiscover": False,
    "web_enabled": False,
    "topic_disable_leader": True,
    "table_standby_replicas": 0,
    "consumer_auto_offset_reset": "earliest",  # only until the shards' positions are known
    "broker_session_timeout": 6.0,
    "broker_heartbeat_interval": 1.0,
    "broker_rebalance_timeout": 30.0,
    "stream_buffer_maxsize": 2,  # waiting records form one larger batch instead of many small ones
    "stream_wait_empty": False,  # a batch is done when its transaction is; there is nothing to acknowledge
    "broker_max_poll_records": BATCH_RECORDS,
    "consumer_max_fetch_size": 4 << 20,
}


def exactly_once(
    app: Any,
    inputs: Any,
    table: Any,
    handle: Handler,
    *,
    outputs: Sequence[str],
    prepare: Callable[[Shard], None] | None = None,
    patience: float = PATIENCE,
    progress: ReportProgress | None = None,
    linger: float = 0.0,
    brokers: Kafka | None = None,
) -> None:
    """Register an agent that calls handle(shard, batch), a plain function, for each batch exactly once and in order.

    `outputs` are all topics that the handler emits to. `prepare` is called with every freshly opened shard before its first batch (timers),
    in a thread. `handle` decides by the shard and the batch alone, without await or I/O. It may process only the beginning of a batch and
    returns where it stopped: that is a transaction of its own, and the rest follows in the next one. A transaction must end within
    TRANSACTION_TIMEOUT_MS. An exception of it ends the process with 70; with `shard.exit_after_commit` set, the process exits after the
    commit. `progress` gets the finished positions (recovery/adapters/progress.py).

    `linger` (seconds) is the time from one batch to the next while facts keep arriving: each batch is a transaction per partition, and few
    larger ones cost less. A fact that arrives after such a pause is processed at once. `brokers` is the cluster of shards and watchdog, by
    default the app's addresses without a login.
    """
    store: ShardStore = table.data
    store.names = Names(app.conf.id, table.changelog_topic.get_topic_name(), tuple(inputs.topics), tuple(outputs))
    store.prepare, store.patience, store.linger, store.progress = prepare, patience, linger, progress
    store.cluster = brokers

    async def batches(stream: Any) -> None:
        async for batch in stream:
            await _take(app, store, handle, batch)

    app.agent(inputs, name=handle.__qualname__)(batches)


async def _take(app: Any, store: "ShardStore", handle: Handler, batch: Batch) -> None:
    """Apply the batch if it continues where the shard is. Others are remains of a rebalance or of a dropped queue."""
    shard = store.shards.get(batch.tp.partition)
    if shard is None:
        return  # taken away meanwhile
    await shard.saved()  # its previous transaction; those of other shards run on
    position = shard.positions[batch.tp.topic]
    if shard is not store.shards.get(shard.number) or batch.end <= position:
        return  # fetched before a rebalance
    if batch.start != position:
        log.info("%s: at %s, but got records from %s on; rewinding", batch.tp, position, batch.start)
        await app.consumer.rewind({batch.tp: position})
        return
    while await _transact(store, shard, handle, batch):
        batch = rest(batch, shard.positions[batch.tp.topic])
        await shard.saved()
        if shard is not store.shards.get(shard.number):
            return  # taken away meanwhile; its next owner reads on from what was committed


async def _transact(store: "ShardStore", shard: Shard, handle: Handler, batch: Batch) -> bool:
    """Apply the batch, or its beginning, in one transaction. Answers whether something of it is left."""
    end = or_exit(handle, shard, batch)
    done = batch if end is None else batch._replace(end=end)
    if or_exit(shard.save, done):
        shard.saving = _in_thread(or_exit, shard.commit)
        shard.saving.add_done_callback(lambda _: store.finished(shard, done))
    else:
        store.finished(shard, done)
    if shard.exit_after_commit is not None:  # what was dead-lettered is committed first, so that the next start does not meet it again
        await shard.saved()
        exit_process(*shard.exit_after_commit)
    return done.end < batch.end


def rest(batch: Batch, position: int) -> Batch:
    """What is left of a batch from a position on."""
    return batch._replace(start=position, records=[record for record in batch.records if record.offset >= position])


class ShardStore(memory.Store):  # type: ignore[type-arg]  # keys and values are bytes here
    """Table store `shard://`: opens shards when partitions are assigned; their rows are the table's content, read-only."""

    names: Names
    prepare: Callable[[Shard], None] | None
    patience: float
    linger: float
    progress: ReportProgress | None = None
    cluster: Kafka | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.shards: dict[int, Shard] = {}
        self.opening: list[Shard] = []
        self._read: dict[str, int] = {}
        self._rebalances = 0

    @property
    def brokers(self) -> Kafka:
        """The cluster of the app, as confluent-kafka's clients want it."""
        return self.cluster or transport.bootstrap_servers(self.app)

    def finished(self, shard: Shard, batch: Batch) -> None:
        """A batch needs nothing more: it is committed, or changed nothing."""
        if self.progress is not None:
            self._read[place(batch.tp.topic, shard.number)] = batch.end
            self._report(self.progress)

    def _report(self, progress: ReportProgress) -> None:
        written = {place(topic, shard.number): end for shard in self.shards.values() for topic, end in list(shard.ends.items())}
        progress(ProgressReport(process=f"{os.getpid()}:{self._rebalances}", read=self._read, written=written))

    async def on_rebalance(self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0) -> None:
        """Drop shards that were taken away, open those that are new. Partitions are fetched only after this returns."""
        # Shards load themselves; Faust's own recovery would wait for changelog records that are never delivered.
        self.app.tables.recovery.need_recovery = lambda: False  # type: ignore[attr-defined]  # not in AppT
        mine = {tp.partition for tp in assigned if tp.topic == self.names.changelog}
        await asyncio.gather(*(shard.saved() for shard in self.shards.values()))
        self.shards = {number: shard for number, shard in self.shards.items() if number in mine}
        missing = sorted(mine - set(self.shards))
        self.opening = [connect(number, self.names, self.brokers) for number in missing]
        await asyncio.gather(*(_in_thread(or_exit, self._open, shard) for shard in self.opening))
        for shard in self.opening:
            self.shards[shard.number] = shard
            log.info("shard %s is open: %s rows, at %s", shard.number, len(shard.rows), shard.positions)
        self.opening = []
        if self.progress is not None:
            self._rebalances += 1
            shards = self.shards.values()
            self._read = {place(topic, shard.number): position for shard in shards for topic, position in shard.positions.items()}
            self._report(self.progress)
        self.data = ChainMap(*(shard.rows for shard in self.shards.values()))

    def _open(self, shard: Shard) -> None:
        """Load the shard and what is derived from it, in a thread: with a million rows Faust's loop would stand still for seconds."""
        shard.notes_ends = self.progress is not None
        shard.open(partial(PartitionLog, self.brokers, shard.number))
        if self.prepare is not None:
            self.prepare(shard)

    def __setitem__(self, key: Any, value: Any = None) -> None:
        raise TypeError("rows are written with Shard.put(), inside a handler")

    __delitem__ = pop = clear = update = __setitem__  # type: ignore[assignment]  # every way to write is closed


class BatchSchema(Schema):  # type: ignore[type-arg]  # hands through what is no key and no value
    """Hands a Batch through undecoded."""

    def loads_key(self, app: Any, message: Any, **kwargs: Any) -> Any:
        """The key as it came."""
        return message.key

    def loads_value(self, app: Any, message: Any, **kwargs: Any) -> Any:
        """The Batch as it came."""
        return message.value


def _in_thread(call: Callable[..., Any], *args: Any) -> "asyncio.Future[Any]":
    return asyncio.get_running_loop().run_in_executor(THREADS, call, *args)


# Faust finds stores by the scheme of their URL; importing streams.kafka.transport has done the same for the broker.
STORES.aliases["shard"] = f"{__name__}:ShardStore"

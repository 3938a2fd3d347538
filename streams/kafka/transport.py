# ruff: noqa: ARG002 - the signatures are Faust's
"""Kafka for Faust, delivering what was fetched of a partition as one Batch. Chosen by `shard://` as the app's broker.

Positions come from the shards; Faust's acknowledgements, offset commits and livelock warnings are switched off. A batch
names the position it starts from, taken where the records leave the fetcher, so whatever is dropped on the way through
Faust's queues is noticed at the next batch and fetched again.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import confluent_kafka as kafka
from faust.transport.drivers import TRANSPORTS, aiokafka
from faust.types import TP, ConsumerMessage

from recovery.adapters.kafka_cluster import Kafka
from recovery.adapters.kafka_trouble import admin
from streams.kafka.linger import Linger
from streams.kafka.partition_log import PartitionLog
from streams.process_exit import EXIT_RESTART, exit_process
from streams.transactional_shard import Batch, Partition, Shard
from streams.watchdog import Sign, Watchdog

RETRY_SECONDS = 0.005  # seconds between looks at partitions whose records had no room
FETCH_WAIT_MS = 100  # how long the broker may hold a fetch without data; Faust hard-codes 1500, see ConsumerThread
DRAIN_SECONDS = 0.01  # beside the linger, how long fetched records may wait for us before the other partitions are fetched without theirs


class Shards(Protocol):
    """What the consumer needs to know of the table's store."""

    shards: dict[int, Shard]
    opening: list[Shard]
    patience: float
    linger: float

    @property
    def brokers(self) -> Kafka: ...  # noqa: D102 - see ShardStore


class ConsumerThread(aiokafka.AIOKafkaConsumerThread):
    """Fetches committed records only and notes from where to where, so that nothing can be skipped unseen."""

    _linger = Linger(0.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._passed_on: dict[TP, int] = {}  # position after what was handed over last; only this thread's loop writes

    def _create_worker_consumer(self, transport: Any) -> Any:
        self.consumer.in_transaction = True  # only to get isolation_level="read_committed"
        consumer = super()._create_worker_consumer(transport)
        self.consumer.in_transaction = False
        # A partition whose records were just taken is asked for again only when a fetch in flight for the others has
        # returned. Such a fetch is rare (see on_start), and a shorter wait costs broker and worker CPU when idle.
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        return consumer

    async def on_start(self) -> None:
        """Start, with a fetcher that fetches all partitions at once when its buffer is empty, and not some of them before."""
        await super().on_start()
        consumer: Any = self.consumer
        self._linger = Linger(consumer.store.linger)
        self._ensure_consumer()._fetcher._prefetch_backoff = self._linger.seconds + DRAIN_SECONDS

    async def _fetch_records(self, consumer: Any, *args: Any, **kwargs: Any) -> Any:
        """What was fetched, as one Batch per partition; at the earliest `linger` after the last ones."""
        now = asyncio.get_running_loop().time
        if (rest := self._linger.rest(now())) > 0:
            await asyncio.sleep(rest)
        fetched = await super()._fetch_records(consumer, *args, **kwargs)
        self._linger.taken(now(), sum(map(len, fetched.values())))
        batches = {tp: self._pass_on(tp, records) for tp, records in fetched.items()}
        for tp, batch in batches.items():
            if batch.start is not None and batch.records[0].offset != batch.start:
                batches[tp] = await self._explain_gap(consumer, batch, batch.start)
        return batches

    def _pass_on(self, tp: TP, records: Sequence[Any]) -> Batch:
        """Note where the batch ends. No await between the fetch and this: a rewind must not come in between."""
        batch = Batch(Partition(*tp), self._passed_on.get(tp), records[-1].offset + 1, records)
        self._passed_on[tp] = batch.end
        return batch

    async def _explain_gap(self, consumer: Any, batch: Batch, expected: int) -> Batch:
        """Markers and compaction leave gaps. Retention or a new topic make aiokafka jump, which must be detected.

        Restarting is the response to a jump: the opening shard reads the whole state and decides. Records from before the expected offset
        arrive when the group was lost and aiokafka started over; then the start is unknown.
        """
        found = batch.records[0].offset
        start = (await consumer.beginning_offsets([batch.tp]))[batch.tp]
        end = (await consumer.end_offsets([batch.tp]))[batch.tp]
        if not start <= expected <= end:
            topic, number = batch.tp
            exit_process(EXIT_RESTART, f"{topic}[{number}]: expected offset {expected}, got {found}; the log has {start} to {end}")
        return batch._replace(start=None) if found < expected else batch

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Forget what was handed over: after this aiokafka may begin anywhere."""
        self._passed_on.clear()
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Forget again: a fetch that was under way has ended in between."""
        self._passed_on.clear()
        await super().on_partitions_assigned(assigned, generation_id)

    async def rewind(self, positions: Mapping[TP, int]) -> None:
        """Fetch on from these positions. Runs in this thread's loop: seek and note are one step for the fetches."""
        consumer = self._ensure_consumer()
        for tp, position in positions.items():
            if tp in consumer.assignment():  # otherwise taken away meanwhile
                consumer.seek(tp, position)
                self._passed_on[tp] = position

    async def on_thread_stop(self) -> None:
        """Leave the group at once. aiokafka lets static members stay, which is right for crashes but not for a stop."""
        if self._consumer is not None:
            self._consumer._coordinator._group_instance_id = None
        await super().on_thread_stop()

    def member_lives(self) -> bool:
        """Whether thread and group membership still work. True while starting."""
        if self._thread is None or self._consumer is None:
            return True
        task = getattr(self._consumer._coordinator, "_coordination_task", None)
        return self._thread.is_alive() and not (task is not None and task.done())


class BatchConsumer(aiokafka.Consumer):
    """Delivers the records of a partition as one message; positions come from the shards, Faust's acks are switched off."""

    _thread: ConsumerThread

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    @property
    def store(self) -> Shards:
        """The one table's store."""
        table: Any = next(iter(self.app.tables.values()))
        return table.data  # type: ignore[no-any-return]  # Faust types it as any mapping

    async def on_start(self) -> None:
        """Start the watchdog first: it also watches the start."""
        store = self.store
        signs = lambda: self._signs(store.brokers)  # noqa: E731 - a closure over the address, used once
        Watchdog(signs, lambda reason: exit_process(EXIT_RESTART, reason), store.patience).start()
        await super().on_start()

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Any]]:
        """The messages for Faust's fetch loop: here, at most one message per partition, holding a Batch."""
        batches = await self._next_batches(timeout)
        generation = self.app.consumer_generation_id
        for aiokafka_tp, batch in batches.items():
            if self.should_stop or not self.flow_active or self.app.consumer_generation_id != generation:
                return  # what is dropped here is noticed: the next batch does not start at the shard's position
            tp, last = TP(*aiokafka_tp), batch.records[-1]
            value: Any = batch  # typed as bytes, passed on as it is
            self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
            yield tp, ConsumerMessage(*tp, last.offset, last.timestamp / 1000, 0, None, None, value, None, tp=tp, generation_id=generation)

    async def _next_batches(self, timeout: float) -> Mapping[TP, Batch]:
        """Fetched batches of the partitions that have room in the agent's queue.

        Faust would sleep for a second when none has room, and would not check again one that got room while the fetch waits for others; so
        this checks again soon as long as any partition is held back.
        """
        if not self.flow_active:
            await self.wait(self.can_resume_flow)  # type: ignore[arg-type]  # mode types its own Event
        active = self._get_active_partitions()
        if not active:
            await self.sleep(RETRY_SECONDS if self._buffered_partitions else 1)
            return {}
        held_back = bool(self._buffered_partitions)
        batches: Any = await self._getmany(active, RETRY_SECONDS if held_back else timeout)
        return batches or {}  # ConsumerThread returns a Batch in the place of each record list

    async def perform_seek(self) -> None:
        """Continue where the transactions ended. Faust calls this after every rebalance."""
        shards = self.store.shards
        mine = (tp for tp in self.assignment() if tp.partition in shards and not self._is_changelog_tp(tp))
        await self.rewind({tp: shards[tp.partition].positions[tp.topic] for tp in mine})

    async def rewind(self, positions: Mapping[TP, int]) -> None:
        """Deliver again from these positions on."""
        for tp in positions:
            self._read_offset[tp] = None  # otherwise Faust drops what it has seen before
        done = asyncio.run_coroutine_threadsafe(self._thread.rewind(positions), self._thread.thread_loop)
        await asyncio.wrap_future(done)

    def ack(self, message: Any) -> bool:
        """Nothing to note: positions are committed with the rows."""
        message.acked = True
        self._unacked_messages.discard(message)
        return True

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        """Nothing to commit, see ack."""
        return False

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """No ack lists, no gaps in them."""

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Silent: Faust would warn that nothing is ever committed. The watchdog checks instead."""

    def _signs(self, brokers: Kafka) -> Iterable[Sign]:
        """What must move while this worker lives."""
        yield Sign("group membership", self._thread.member_lives() or None, lambda: _lost_member(self._thread, brokers))
        shards = list(self.store.shards.values())
        if self.app.rebalancing:
            loaded = sum(shard.loaded for shard in (*self.store.opening, *shards))
            state = (self.app.consumer_generation_id, loaded)
            yield Sign("rebalance", state, lambda: "it does not end" if _broker_answers(brokers) else None)
            return
        for shard in shards:
            if shard.saving is not None and not shard.saving.done():
                commit = f"commit of shard {shard.number}"
                yield Sign(commit, id(shard.saving), lambda: "it hangs" if _broker_answers(brokers) else None)
            for topic, position in list(shard.positions.items()):
                yield Sign((topic, shard.number), position, _unread(brokers, topic, shard.number, position))


class Transport(aiokafka.Transport):
    """Kafka for Faust, delivering batches."""

    Consumer = BatchConsumer


def bootstrap_servers(app: Any) -> str:
    """The broker addresses of the app, as confluent-kafka wants them."""
    return ",".join(aiokafka.server_list(app.transport.url, app.transport.default_port))


def _lost_member(thread: ConsumerThread, brokers: Kafka) -> str | None:
    return "the consumer has ended" if not thread.member_lives() and _broker_answers(brokers) else None


def _unread(brokers: Kafka, topic: str, number: int, position: int) -> Callable[[], str | None]:
    """A question for the watchdog: is there a committed record at the position that did not move?"""

    def overdue() -> str | None:
        with PartitionLog(brokers, number) as partition:
            return "a record waits to be handled" if partition.readable(topic, position, timeout=5) else None

    return overdue


def _broker_answers(brokers: Kafka) -> bool:
    try:
        admin(brokers).list_topics(timeout=5)
    except kafka.KafkaException:
        return False
    return True


# Faust finds transports by the scheme of their URL.
TRANSPORTS.aliases["shard"] = f"{__name__}:Transport"

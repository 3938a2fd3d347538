"""The whole way of a message in one process: gateway, codec, processor, warehouse sink and effects sink, over a broker in memory.

What is real: the gateway with its signature check and translation, the stream's processor, guard and shard, the warehouse's writer, the
effects sink's inbox, ledger (SQLite), dispatcher and outbox. What stands in: the broker, ClickHouse (its rows are parsed), and the
performers, which answer as a hostile world does.
"""

import asyncio
import hashlib
import hmac
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import sqlalchemy as sql

from producers.gateway.kafka_delivery import OutgoingMessage as Sent
from producers.gateway.metrics import GatewayMetrics
from producers.gateway.webhook_endpoint import PATH, Gateway
from recovery.adapters.kafka import NotDelivered
from recovery.contracts.encoding.codec import decode_parked, encode
from recovery.contracts.facts import PolicyPublished, TimePassed
from recovery.contracts.topics import EVENTS, FACTS, PARKED_GATEWAY, PARKED_SINKS, PARKED_STREAMS, changelog
from recovery.contracts.warehouse import EVENT_COLUMNS
from recovery.ids import webhook_fact_id
from recovery.policy import Policy
from sinks.effects.engine.dispatcher import Dispatcher
from sinks.effects.engine.ledger import Ledger
from sinks.effects.engine.ledger_tables import EFFECTS as EFFECTS_TABLE
from sinks.effects.engine.outcome_publisher import OutcomePublisher
from sinks.effects.engine.receiver import EffectReceiver
from sinks.effects.engine.worker_pools import WORK
from sinks.effects.performer import Clocks
from sinks.kafka.offset_ranges import Message, Range
from sinks.warehouse.writer import WarehouseWriter
from streams.guard import Guard
from streams.processor import ShardProcessor
from streams.topology import OUTPUTS
from streams.transactional_shard import Batch, Names, Partition, Shard
from tests.support.hostile.broker import PARTITIONS, Broker, Publisher, Record
from tests.support.hostile.inputs import HONEST, HOSTILE, Input
from tests.support.hostile.world import Performers

APP = "hostile"
START = 1_795_000_000
DEAD_LETTERS = (PARKED_GATEWAY.name, PARKED_STREAMS.name, PARKED_SINKS.name)
SECRETS = {tenant: (f"whsec_{hashlib.sha256(tenant.encode()).hexdigest()}",) for tenant in (HONEST, *HOSTILE)}
MOST_TURNS = 400
"""Turns of the sinks and the stream within one round beside one for each effect that arrived in it: workers are threads, which on a busy
machine end one effect a turn. A round that needs more does not come to rest."""

LEDGER_SECONDS = 7_200
"""How long, in business time, the ledger keeps what is published: some ten rounds, in which an effect may be sent again."""


class Accounts:
    """Four tenants in test mode, each with an endpoint's secret."""

    def accounts(self) -> list[str]:
        """Their ids."""
        return list(SECRETS)

    def secrets(self, account: str) -> tuple[str, ...]:
        """The secrets of one; none of an unknown one."""
        return SECRETS.get(account, ())

    def livemode(self, account: str) -> bool:
        """Whether it is in live mode."""
        return False


class _Delivery:
    """The gateway's producer."""

    healthy = True

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def deliver(self, messages: Sequence[Sent]) -> "asyncio.Future[None]":
        """Append all; a message that is too large is refused as the client refuses it."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        for message in messages:
            for partition in range(PARTITIONS) if message.everywhere else (-1,):
                self._broker.produce(message.topic, message.value, message.key, partition)
        future.set_result(None)
        return future


class _Transactions:
    """The shard's producer: outputs become visible when the batch is saved, or never."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self.written: Counter[str] = Counter()

    def begin_transaction(self) -> None:
        """Nothing to begin."""

    def poll(self, seconds: float = 0.0) -> None:
        """Nothing to hear."""

    def produce(self, topic: str, value: bytes | None, key: bytes | None, partition: int) -> None:
        """Append, refusing what the client or the topic refuses."""
        self._broker.produce(topic, value, key, partition)
        self.written[topic] += 1


class _ClickHouse:
    """Takes rows as ClickHouse does: each a JSON array with every column."""

    def __init__(self) -> None:
        self.rows = 0
        self.causes: set[str] = set()
        self._account, self._cause = (list(EVENT_COLUMNS).index(name) for name in ("account", "cause"))

    def raw_insert(self, _table: str, *, insert_block: bytes, column_names: Sequence[str], **_: Any) -> None:
        """Parse every line; keep the causes of the honest tenant's rows."""
        for line in insert_block.split(b"\n"):
            row = json.loads(line)
            assert len(row) == len(column_names), "a row with another number of columns"
            self.rows += 1
            if row[self._account] == HONEST:
                self.causes.add(row[self._cause])

    def close(self) -> None:
        """Nothing to close."""


class _Consumer:
    """The effects sink's consumer."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def subscribe(self, topics: Iterable[str], **_: Any) -> None:
        """Read these."""
        self.topics = tuple(topics)

    def consume(self, most: int, _seconds: float) -> list[Any]:
        """The next messages of any of them."""
        found: list[Any] = []
        for topic in self.topics:
            for partition in range(PARTITIONS):
                found += [_read(record) for record in self._broker.read("effects", topic, partition, most - len(found))]
        return found

    def commit(self, **_: Any) -> None:
        """The position is the broker's own."""

    def assignment(self) -> list[Any]:
        """None that could stall."""
        return []

    def close(self) -> None:
        """Nothing to leave."""


def _read(record: Record) -> Any:
    return SimpleNamespace(
        error=lambda: None,
        topic=lambda: record.topic,
        partition=lambda: record.partition,
        offset=lambda: record.offset,
        key=lambda: record.key,
        value=lambda: record.value,
        headers=lambda: None,
    )


class Stopped(Exception):
    """The stream worker would have left: nearly every account failed."""


class System:
    """All stages, and what came of what they were given."""

    def __init__(self, home: Path, samples: Callable[[str, bytes], None]) -> None:
        self._samples = samples
        self.now = float(START)
        self.broker = Broker(lambda: int(self.now * 1000))
        self.crashes: Counter[str] = Counter()
        self.examples: dict[str, str] = {}
        self.lost: Counter[str] = Counter()
        self.accepted: set[str] = set()
        self.answers: Counter[int] = Counter()
        self.dead_letters = 0
        self.gateway = Gateway(Accounts(), _Delivery(self.broker), self._wall, GatewayMetrics())
        self._producers = [_Transactions(self.broker) for _ in range(PARTITIONS)]
        names = Names(APP, changelog(APP).name, (FACTS.name,), OUTPUTS)
        self._shards = [Shard(number, names, producer) for number, producer in enumerate(self._producers)]
        self._guards = [Guard(self._stop) for _ in range(PARTITIONS)]
        self.desks = [ShardProcessor(shard, guard) for shard, guard in zip(self._shards, self._guards, strict=True)]
        self.clickhouse = _ClickHouse()
        self._warehouse = WarehouseWriter(lambda: self.clickhouse, Publisher(self.broker), self._wall)
        self.ledger = Ledger(f"sqlite:///{home / 'ledger.sqlite'}")
        clocks = Clocks(self._wall, self._wall)
        self.performers = Performers(clocks)
        self.dispatcher = Dispatcher(self.ledger, dict.fromkeys(WORK, self.performers), self.performers, clocks, lambda _: False)
        self._inbox = EffectReceiver(_Consumer(self.broker), self.ledger, self._wall)
        self._outbox = OutcomePublisher(self.ledger, Publisher(self.broker))
        self._arrived = 0  # effects so far
        self._policies()

    def close(self) -> None:
        """End the workers and the ledger."""
        self.performers.release()
        self.dispatcher.close()
        self.ledger.close()

    async def send(self, one: Input) -> None:
        """Hand one input to where it enters."""
        if one.way == "webhook":
            await self._post(one)
            return
        try:
            self.broker.produce(one.way, one.body, one.key)
        except Exception:  # noqa: BLE001 - the broker itself refuses what is larger than the topic's limit: it never was in the system
            self.answers[413] += 1

    def work(self) -> None:
        """Let every stage work until nothing is left to do, or only what hangs."""
        turns, before = 0, self._arrived
        while self._stream() + self._write() + self._act():
            turns += 1
            if turns > MOST_TURNS + self._arrived - before:
                self.lost["a round that does not come to rest"] += 1
                break
        self._count_dead_letters()
        self.broker.forget()
        self._forget_published()

    def _forget_published(self) -> None:
        """Delete what was published some time ago: a million inputs with bodies of every size are ten gigabytes of ledger.

        `Ledger.forget` keeps an effect until its deadline is past, which is weeks away here.
        """
        old = (EFFECTS_TABLE.c.state == "published") & (EFFECTS_TABLE.c.received_at < self.now - LEDGER_SECONDS)
        with self.ledger.writing() as db:
            db.execute(EFFECTS_TABLE.delete().where(old))

    def pass_time(self, seconds: float) -> None:
        """Move both clocks and say so to every partition, as the ticker does."""
        self.now += seconds
        at = self._wall()
        for partition in range(PARTITIONS):
            id = f"time:{partition}:{int(self.now * 1000)}"
            tick = TimePassed(id=id, account="", occurred_at=at, received_at=at, trace=id)
            self.broker.produce(FACTS.name, encode(tick), b"time", partition)

    def unsettled(self, account: str) -> int:
        """How many effects of an account have no outcome though nothing is left to do but what hangs or waits for its time.

        The first of them is kept as an example, with all that the ledger says of it.
        """
        wanted = (EFFECTS_TABLE.c.account == account) & EFFECTS_TABLE.c.state.in_(("waiting", "claimed", "doubt"))
        with self.ledger.engine.connect() as db:
            rows = db.execute(sql.select(EFFECTS_TABLE).where(wanted)).mappings().all()
        if rows:
            shown = {name: value for name, value in rows[0].items() if name not in {"body", "outcome"}}
            self.examples.setdefault("an effect that waits", f"at {self.now}: {shown}")
        return len(rows)

    def _wall(self) -> datetime:
        return datetime.fromtimestamp(self.now, UTC)

    def _stop(self, _code: int, why: str) -> None:
        self._crashed("the stream worker leaves", Stopped(why))

    def _crashed(self, where: str, error: BaseException) -> None:
        self.crashes[f"{where}: {type(error).__name__}"] += 1
        self.examples.setdefault(where, str(error)[:300])

    def _policies(self) -> None:
        policy = msgspec.convert({"mode": "act", "test_first_invoices": False}, Policy)
        for account in SECRETS:
            header = {"id": f"policy:{account}", "account": account, "occurred_at": self._wall(), "received_at": self._wall()}
            told = PolicyPublished(**header, policy=policy, number=1, who="operator")
            for partition in range(PARTITIONS):
                self.broker.produce(FACTS.name, encode(told), f"{account}/~policy".encode(), partition)
        self.pass_time(0)

    async def _post(self, one: Input) -> None:
        stamp = int(self.now) - (1_000 if one.signature == "stale" else 0)
        secret = SECRETS[one.tenant][0].encode() if one.signature != "forged" else b"whsec_of_another"
        digest = hmac.new(secret, f"{stamp}.".encode() + one.body, "sha256").hexdigest()
        headers = [(b"content-length", str(len(one.body)).encode())]
        if one.signature != "none":
            headers.append((b"stripe-signature", f"t={stamp},v1={digest}".encode()))
        statuses: list[int] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": one.body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        scope = {"type": "http", "method": "POST", "path": f"{PATH}/{one.tenant}", "query_string": b"", "headers": headers}
        try:
            await self.gateway(scope, receive, send)
        except Exception as error:  # noqa: BLE001 - counted: nothing may escape the gateway
            self._crashed("gateway", error)
            return
        self.answers[statuses[0] if statuses else 0] += 1
        if statuses == [200] and one.tenant == HONEST:
            self.accepted.add(webhook_fact_id(HONEST, json.loads(one.body)["id"]))

    def _stream(self) -> int:
        taken = 0
        for number, desk in enumerate(self.desks):
            records = self.broker.read("streams", FACTS.name, number)
            for record in records:
                before = self._written(number)
                self._samples(FACTS.name, record.value or b"")
                try:
                    desk.process(record)
                except Exception as error:  # noqa: BLE001 - counted: nothing may escape the processor
                    self._crashed("stream", error)
                if self._written(number) == before and b'"time_passed"' not in (record.value or b""):
                    self.lost["a fact without an event or a dead letter"] += 1
            if records:
                self._save(number, records)
            taken += len(records)
        return taken

    def _written(self, number: int) -> int:
        written = self._producers[number].written
        return written[EVENTS.name] + written[PARKED_STREAMS.name]

    def _save(self, number: int, records: list[Record]) -> None:
        ends = Batch(Partition(FACTS.name, number), records[0].offset, records[-1].offset + 1, ())
        try:
            self.desks[number].keep_time()
            self._shards[number].save(ends)
        except Exception as error:  # noqa: BLE001 - counted: a batch that cannot be saved stops its partition
            self._crashed("saving a batch", error)

    def _write(self) -> int:
        written = 0
        for number in range(PARTITIONS):
            records = self.broker.read("warehouse", EVENTS.name, number, 5_000)
            for record in records[:20]:
                self._samples(EVENTS.name, record.value or b"")
            if records:
                self._insert(number, records)
            written += len(records)
        return written

    def _insert(self, number: int, records: list[Record]) -> None:
        messages = [Message(one.topic, one.partition, one.offset, one.key or b"", one.value) for one in records]
        before = self.clickhouse.rows + self.broker.sent[PARKED_SINKS.name]
        try:
            self._warehouse.write(Range(EVENTS.name, number, records[0].offset, records[-1].offset + 1), messages)
        except Exception as error:  # noqa: BLE001 - counted: nothing may escape the writer
            self._crashed("warehouse", error)
        missing = len(records) - (self.clickhouse.rows + self.broker.sent[PARKED_SINKS.name] - before)
        if missing:
            self.lost["an event without a row or a dead letter"] += missing

    def _act(self) -> int:
        moved = 0
        try:
            batch = self._inbox.poll(0.0)
            for arrival in batch.arrivals[:5]:
                self._samples(arrival.place.rsplit("-", 2)[0], arrival.body)
            self._arrived += len(batch.arrivals)
            self.dispatcher.add(batch.arrivals)
            self.dispatcher.withdrawn([effect for effect, _ in batch.withdrawals])
            moved += len(batch.arrivals) + len(batch.withdrawals) + len(batch.parked)
            moved += self.dispatcher.start() + self.dispatcher.collect(0.02 if self.dispatcher.in_work > self.performers.hanging else 0.0)
            moved += max(0, self.dispatcher.in_work - self.performers.hanging)
            moved += self._outbox.publish()
        except NotDelivered as error:
            self._crashed("outbox", error)
        except Exception as error:  # noqa: BLE001 - counted: nothing may escape the effects sink
            self._crashed("effects", error)
        return moved

    def _count_dead_letters(self) -> None:
        for topic in DEAD_LETTERS:
            for number in range(PARTITIONS):
                for record in self.broker.read("operator", topic, number):
                    try:
                        decode_parked(record.value)
                    except Exception as error:  # noqa: BLE001 - counted: a dead letter that nobody can read is lost
                        self._crashed("reading a dead letter", error)
                    self.dead_letters += 1

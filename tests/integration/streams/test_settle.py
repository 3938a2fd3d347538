"""What a broker that lost its end markers leaves behind, and that opening a shard heals it.

The broken state is made by a producer with the shard's own transactional id that writes records of a transaction without
telling the coordinator. For the log it is exactly what the marker loss leaves: open records of this producer id, and a
coordinator that believes there is nothing to end. The broker's guard against such writers is switched off meanwhile.
"""

import asyncio
import time
from collections.abc import Iterator

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka import TopicPartition as Tp
from confluent_kafka import Producer
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

import streams.kafka.hanging_transactions
from streams.kafka.hanging_transactions import ShardOpenError
from streams.kafka.partition_log import PartitionLog
from streams.transactional_shard import POSITION, Batch, Names, Partition, Shard, connect

pytestmark = pytest.mark.real


def names(stage) -> Names:
    return Names(stage.app, stage.changelog, (stage.inputs,), (stage.outputs,))


def open_shard(stage) -> Shard:
    shard = connect(0, names(stage), stage.brokers)
    shard.open(lambda: PartitionLog(stage.brokers, 0))
    return shard


@pytest.fixture
def unguarded(stage) -> Iterator[None]:
    """Let a transactional producer write to partitions that the coordinator was not told of."""

    def switch(value: str) -> None:
        admin = stage.admin
        brokers = admin.list_topics(timeout=30).brokers
        entry = ConfigEntry("transaction.partition.verification.enable", value, incremental_operation=AlterConfigOpType.SET)
        resources = [ConfigResource(ResourceType.BROKER, str(node), incremental_configs=[entry]) for node in brokers]
        for changed in admin.incremental_alter_configs(resources).values():
            changed.result(30)

    switch("false")
    yield
    switch("true")


def leave_open(stage, transactional_id: str, records: list[tuple[str, bytes, bytes]]) -> None:
    """Write records of a transaction of partition 0 that nobody will ever end."""

    async def write() -> None:
        producer = AIOKafkaProducer(bootstrap_servers=stage.brokers, transactional_id=transactional_id)
        await producer.start()
        await producer.begin_transaction()
        for topic, key, value in records:
            producer._txn_manager._txn_partitions.add(Tp(topic, 0))  # the coordinator is not told
            await producer.send_and_wait(topic, value, key, partition=0)
        await producer.client.close()  # not producer.stop(): that would end the transaction
        producer._sender._sender_task.cancel()
        producer._closed = True

    asyncio.run(write())


def apply_all(shard: Shard, stage, values: list[bytes]) -> None:
    """What a handler does with the facts from the shard's position on."""
    position = shard.positions[stage.inputs]
    for value in values[position:]:
        shard.put(b"key", value)
        shard.emit(stage.outputs, b"key", b"1 " + value)
    assert shard.save(Batch(Partition(stage.inputs, 0), position, len(values), []))
    shard.commit()


def half_finished(stage) -> tuple[Shard, list[bytes]]:
    """Three facts; the first two applied by an owner whose second transaction was left open."""
    values = [b"first", b"second", b"third"]
    stage.send(values, partition=0)
    owner = open_shard(stage)
    apply_all(owner, stage, values[:1])
    leave_open(
        stage,
        f"{stage.app}-0",
        [
            (stage.changelog, b"key", b"second"),
            (stage.outputs, b"key", b"1 second"),
            (stage.changelog, POSITION + stage.inputs.encode(), b"2"),
        ],
    )
    return owner, values


def undecided(stage) -> dict[str, int]:
    with PartitionLog(stage.brokers, 0) as log:
        bounds = {topic: log.bounds(topic) for topic in (stage.changelog, stage.outputs)}
    return {topic: found.end - found.stable for topic, found in bounds.items() if found.end > found.stable}


def test_opening_a_shard_aborts_what_lost_its_end_marker_and_nothing_is_applied_twice(stage, unguarded):
    _, values = half_finished(stage)
    assert undecided(stage) == {stage.changelog: 2, stage.outputs: 1}
    shard = open_shard(stage)
    assert undecided(stage) == {}
    assert (shard.rows, shard.positions) == ({b"key": b"first"}, {stage.inputs: 1})
    apply_all(shard, stage, values)
    assert stage.outcome() == values
    assert open_shard(stage).positions == {stage.inputs: 3}


def test_without_settling_the_lost_transaction_would_come_back_to_life(stage, unguarded, monkeypatch):
    _, values = half_finished(stage)
    monkeypatch.setattr("streams.transactional_shard.resolve_hanging_transactions", lambda *_: None)
    shard = open_shard(stage)
    apply_all(shard, stage, values)
    assert stage.outcome() == [b"first", b"second", b"second", b"third"]


def test_a_transaction_of_another_producer_that_nobody_ends_is_refused_with_a_repair(stage, unguarded, monkeypatch):
    monkeypatch.setattr(streams.kafka.hanging_transactions, "TIME_OUT_WITHIN", 1.0)
    leave_open(stage, "a-stranger", [(stage.changelog, b"key", b"value")])
    with pytest.raises(ShardOpenError, match=f"{stage.changelog}.*kafka-transactions.sh abort"):
        open_shard(stage)


def test_a_known_transaction_of_another_producer_is_waited_for_until_the_broker_ends_it(stage):
    settings = {"bootstrap.servers": stage.brokers, "transactional.id": f"{stage.app}-operator"}
    stranger = Producer(settings | {"transaction.timeout.ms": 4000})
    stranger.init_transactions(30)
    stranger.begin_transaction()
    stranger.produce(stage.changelog, b"value", b"key", 0)
    stranger.flush(30)
    started = time.monotonic()
    shard = open_shard(stage)
    assert time.monotonic() - started > 2
    assert undecided(stage) == {}
    assert shard.rows == {}

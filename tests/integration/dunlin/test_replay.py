"""`dunlin replay --verify` on the real broker, against the rows and messages of the real worker, which is killed on the way."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from dunlin.ops.partition_source import KafkaPartition
from dunlin.stack.ports import HOST, free_ports, is_open
from recovery.adapters.kafka import Publisher, create_topics
from recovery.contracts.topics import EVENTS, FACTS
from streams.transactional_shard import POSITION
from tests.support.month import Month

pytestmark = pytest.mark.real
PARTITIONS = 2
REPOSITORY = Path(__file__).resolve().parents[3]


def position(bootstrap: str, number: int) -> int:
    source = KafkaPartition(bootstrap, "dunlin", number)
    try:
        return int(source.rows().get(POSITION + FACTS.name.encode(), b"0"))
    finally:
        source.close()


def publish(bootstrap: str, month: Month, start: int, end: int) -> None:
    publisher = Publisher(bootstrap)
    for number, facts in enumerate(month.facts):
        for record in facts[start:end]:
            publisher.send(FACTS.name, record.key, record.value, number)
    publisher.flush()


def replay(environment: dict[str, str]) -> tuple[int, dict]:
    command = [sys.executable, "-m", "dunlin", "replay", "--verify", "--json"]
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout.strip(), done.stderr[-3000:]
    return done.returncode, json.loads(done.stdout.strip().splitlines()[-1])


def test_a_replay_finds_what_a_worker_that_was_killed_kept(start, until, tmp_path):
    port, controller = free_ports(2)
    bootstrap = f"{HOST}:{port}"
    start("-m", "dunlin.kafka_server", "--root", tmp_path / "kafka", "--port", port, "--controller-port", controller)
    until(lambda: is_open(port), 60, "the broker to listen")
    create_topics(bootstrap, "dunlin", PARTITIONS, 1)
    month = Month(4, customers=25, days=20, shards=PARTITIONS).run()
    half, whole = len(month.facts[0]) // 2, max(map(len, month.facts))
    environment = {
        "DUNLIN_KAFKA_BOOTSTRAP": bootstrap,
        "DUNLIN_PARTITIONS": str(PARTITIONS),
        "DUNLIN_HOME": str(tmp_path),
        "DUNLIN_WORKER_ID": "one",
    }
    worker = start("-m", "streams", "worker", env=environment)
    publish(bootstrap, month, 0, half)
    until(lambda: all(position(bootstrap, number) > half // 2 for number in range(PARTITIONS)), 90, "the first half to be applied")
    worker.process.kill()
    worker.left()
    publish(bootstrap, month, half, whole)
    worker = start("-m", "streams", "worker", env=environment)
    ends = [max(record.offset for record, sent in pairs if sent) for pairs in paired(month)]
    until(lambda: all(position(bootstrap, number) > ends[number] for number in range(PARTITIONS)), 90, "all facts to be applied")
    assert worker.stop() == 0

    code, told = replay(dict(environment, PATH="/usr/bin:/bin"))
    assert (code, told["differences"]) == (0, 0), told
    assert sum(one["facts"] for one in told["partitions"]) > 200
    assert [one["rows"] for one in told["partitions"]] == [len(shard.rows) for shard in month.shards]

    publisher = Publisher(bootstrap)
    publisher.send(EVENTS.name, b"acct_1/cus_1", b'{"id":"0-1-9"}', 0)
    publisher.flush()
    code, told = replay(dict(environment, PATH="/usr/bin:/bin"))
    assert (code, told["differences"]) == (1, 1), told


def paired(month: Month) -> list[list[tuple]]:
    """Each shard's facts with what each sent."""
    from streams.simulation import ShardInMemory

    shards = [ShardInMemory(number, "again") for number in range(PARTITIONS)]
    return [[(record, shard.take(record)) for record in facts] for shard, facts in zip(shards, month.facts, strict=True)]

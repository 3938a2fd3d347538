"""Topics, facts and outputs on the real broker, and workers as real processes."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import confluent_kafka as kafka_client
import pytest
from confluent_kafka.admin import AdminClient, NewTopic

REPOSITORY = Path(__file__).resolve().parents[3]
PARTITIONS = 2


@dataclass
class Stage:
    """One application of its own: topics `<app>-in`, `<app>-out`, `<app>-counts-changelog`."""

    brokers: str
    app: str
    directory: Path
    workers: list[subprocess.Popen] = field(default_factory=list)

    @property
    def inputs(self) -> str:
        return f"{self.app}-in"

    @property
    def outputs(self) -> str:
        return f"{self.app}-out"

    @property
    def changelog(self) -> str:
        return f"{self.app}-counts-changelog"

    def create_topics(self) -> None:
        topics = [NewTopic(name, PARTITIONS, 1) for name in (self.inputs, self.outputs)]
        topics.append(NewTopic(self.changelog, PARTITIONS, 1, config={"cleanup.policy": "compact"}))
        admin = self.admin  # must outlive its futures
        for created in admin.create_topics(topics).values():
            created.result(30)

    def create_again(self, topic: str) -> None:
        admin = self.admin
        for created in admin.create_topics([NewTopic(topic, PARTITIONS, 1)]).values():
            created.result(30)

    @property
    def admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.brokers})

    def send(self, values: list[bytes], partition: int = -1) -> None:
        producer = kafka_client.Producer({"bootstrap.servers": self.brokers, "compression.type": "lz4"})
        for number, value in enumerate(values):
            producer.produce(self.inputs, value, b"key-%d" % (number % 20), partition)
        assert producer.flush(30) == 0

    def read(self, topic: str, isolation: str = "read_committed") -> list[tuple[bytes, bytes]]:
        """Everything of the topic, in the order of each partition."""
        settings = {"bootstrap.servers": self.brokers, "group.id": "reader", "isolation.level": isolation}
        reader = kafka_client.Consumer(settings | {"enable.partition.eof": True, "fetch.wait.max.ms": 10})
        reader.assign([kafka_client.TopicPartition(topic, number, 0) for number in range(PARTITIONS)])
        found, ended, deadline = [], set(), time.monotonic() + 30
        while len(ended) < PARTITIONS and time.monotonic() < deadline:
            for message in reader.consume(5000, 0.1):
                if message.error() is None:
                    found.append((message.key(), message.value()))
                elif message.error().code() == kafka_client.KafkaError._PARTITION_EOF:
                    ended.add(message.partition())
        reader.close()
        return found

    def outcome(self) -> list[bytes]:
        """The input values that have been counted, once per output."""
        return [value.split(b" ", 1)[1] for _, value in self.read(self.outputs)]

    def counts(self) -> dict[bytes, int]:
        """The rows, as a new owner would load them."""
        rows = {key: value for key, value in self.read(self.changelog) if not key.startswith(b"\0")}
        return {key: int(value) for key, value in rows.items()}

    def highest_counts(self) -> dict[bytes, int]:
        """The rows, as the outputs tell them."""
        highest: dict[bytes, int] = {}
        for key, value in self.read(self.outputs):
            highest[key] = max(highest.get(key, 0), int(value.split(b" ", 1)[0]))
        return highest

    def start(self, **options: object) -> subprocess.Popen:
        config = {"brokers": self.brokers, "app": self.app, "inputs": [self.inputs], "partitions": PARTITIONS}
        config |= {"datadir": str(self.directory / f"data-{len(self.workers)}")} | options
        with (self.directory / f"worker-{len(self.workers)}.log").open("wb") as output:
            worker = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("worker.py")), json.dumps(config)],
                cwd=REPOSITORY,
                env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.workers.append(worker)
        return worker

    def log_of(self, worker: subprocess.Popen) -> str:
        return (self.directory / f"worker-{self.workers.index(worker)}.log").read_text(errors="replace")

    def end(self) -> None:
        for worker in self.workers:
            if worker.poll() is None:
                self.kill(worker)

    def kill(self, worker: subprocess.Popen) -> None:
        worker.send_signal(signal.SIGKILL)
        worker.wait()


def application(request: pytest.FixtureRequest) -> str:
    """A name of its own for each test."""
    return f"{re.sub('[^a-z_]', '-', request.node.name)[:60]}-{os.getpid()}"


@pytest.fixture
def stage(kafka: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Stage]:
    """An application with fresh topics; its workers end with the test."""
    prepared = Stage(kafka, application(request), tmp_path)
    prepared.create_topics()
    yield prepared
    prepared.end()

"""The promise of the stream on the real broker: each fact counts once, whatever ends when."""

import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from confluent_kafka import Producer, TopicPartition

from dunlin.stack.ports import free_ports, is_open

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

PATIENT = {"broker_session_timeout": 30.0, "broker_heartbeat_interval": 1.0}  # so that a wait for it would show


def values(count: int, word: str = "fact") -> list[bytes]:
    return [b"%s-%d" % (word.encode(), number) for number in range(count)]


@contextmanager
def stream_of(stage, facts: list[bytes], per_second: int) -> Iterator[None]:
    """Send the facts in the background at about this rate."""

    def send() -> None:
        for start in range(0, len(facts), per_second // 10):
            stage.send(facts[start : start + per_second // 10])
            time.sleep(0.1)  # a rate is asked for, nothing is waited for

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield
    finally:
        sender.join()


def assert_each_counted_once(stage, facts: list[bytes]) -> None:
    found = Counter(stage.outcome())
    assert {value: times for value, times in found.items() if times > 1} == {}
    assert set(facts) - set(found) == set()
    assert stage.counts() == stage.highest_counts()
    assert sum(stage.counts().values()) == len(facts)


def test_three_kills_under_load_lose_and_double_nothing(stage, until):
    facts = values(6000)
    with stream_of(stage, facts, per_second=500):
        for goal in (500, 2000, 3500):
            worker = stage.start(instance="one")
            until(lambda goal=goal: len(stage.outcome()) >= goal, 40, f"{goal} outputs")
            stage.kill(worker)
        stage.start(instance="one")
    until(lambda: len(stage.outcome()) >= len(facts), 40, "all outputs")
    assert_each_counted_once(stage, facts)


def test_a_second_worker_takes_a_share_and_then_everything(stage, until):
    facts = values(4000)
    with stream_of(stage, facts, per_second=400):
        first = stage.start(instance="one")
        until(lambda: len(stage.outcome()) >= 200, 40, "outputs of the first worker")
        second = stage.start(instance="two")
        until(lambda: "is open" in stage.log_of(second), 40, "the second worker to open a shard")
        first.terminate()
        assert first.wait(30) == 0
    until(lambda: len(stage.outcome()) >= len(facts), 40, "all outputs")
    assert_each_counted_once(stage, facts)


def test_an_owner_that_was_paused_too_long_is_cut_off_and_leaves_with_70(stage, until):
    facts = values(3000)
    with stream_of(stage, facts, per_second=200):
        paused = stage.start(instance="one")
        until(lambda: len(stage.outcome()) >= 100, 40, "outputs of the first worker")
        paused.send_signal(signal.SIGSTOP)
        other = stage.start(instance="two")
        until(lambda: stage.log_of(other).count("is open") == 2, 60, "the other worker to own both partitions")
        seen = len(stage.outcome())
        until(lambda: len(stage.outcome()) > seen, 40, "outputs of the other worker")
        paused.send_signal(signal.SIGCONT)
        until(lambda: paused.poll() is not None or "Worker ready" in stage.log_of(paused), 40)
    until(lambda: len(stage.outcome()) >= len(facts), 60, "all outputs")
    assert paused.poll() in {None, 70}
    assert_each_counted_once(stage, facts)


def test_a_killed_worker_takes_its_partitions_back_long_before_the_session_ends(stage, until):
    worker = stage.start(instance="one", settings=PATIENT)
    stage.send(values(50))
    until(lambda: len(stage.outcome()) >= 50, 40, "the first outputs")
    stage.kill(worker)
    killed = time.monotonic()
    stage.send(values(50, "later"))
    stage.start(instance="one", settings=PATIENT)
    until(lambda: len(stage.outcome()) >= 100, 60, "outputs after the restart")
    assert time.monotonic() - killed < 15


def test_a_stopped_worker_gives_its_partitions_to_others_at_once(stage, until):
    worker = stage.start(instance="one", settings=PATIENT)
    stage.send(values(50))
    until(lambda: len(stage.outcome()) >= 50, 40, "the first outputs")
    worker.terminate()
    assert worker.wait(30) == 0
    stopped = time.monotonic()
    stage.send(values(50, "later"))
    stage.start(instance="two", settings=PATIENT)
    until(lambda: len(stage.outcome()) >= 100, 60, "outputs of the other worker")
    assert time.monotonic() - stopped < 15


def test_a_handler_that_raises_ends_the_worker_with_70_and_leaves_no_trace(stage, until):
    worker = stage.start()
    good = values(200)
    stage.send(good)
    until(lambda: len(stage.outcome()) >= 200, 40, "the good facts")
    stage.send([b"with-poison", b"poison"], partition=0)
    assert worker.wait(40) == 70
    assert "ValueError: poison" in stage.log_of(worker)
    assert b"poison" not in stage.outcome()
    assert stage.counts() == stage.highest_counts()


def test_a_handler_that_hangs_is_ended_with_70_by_the_watchdog(stage, until):
    worker = stage.start(patience=3)
    stage.send(values(20))
    until(lambda: len(stage.outcome()) >= 20, 40, "the good facts")
    stage.send([b"sleep"])
    assert worker.wait(40) == 70
    assert "a record waits to be handled" in stage.log_of(worker)


def test_an_idle_worker_is_left_alone_by_the_watchdog(stage, until):
    worker = stage.start(patience=1)
    stage.send(values(20))
    until(lambda: len(stage.outcome()) >= 20, 40, "the facts")
    idle = time.monotonic()
    until(lambda: time.monotonic() - idle > 6 or worker.poll() is not None, 10)
    assert worker.poll() is None
    stage.send(values(20, "later"))
    until(lambda: len(stage.outcome()) >= 40, 40, "the later facts")


def test_facts_deleted_before_they_were_applied_keep_the_worker_down(stage, until):
    worker = stage.start(instance="one")
    stage.send(values(20), partition=0)
    until(lambda: len(stage.outcome()) >= 20, 40, "the first facts")
    stage.kill(worker)
    stage.send(values(20, "lost"), partition=0)
    admin = stage.admin
    for deleted in admin.delete_records([TopicPartition(stage.inputs, 0, 30)]).values():
        deleted.result(30)
    refused = stage.start(instance="one")
    assert refused.wait(40) == 75
    assert f"{stage.inputs}[0]: the position is 20, but the log starts at 30: 10 facts" in stage.log_of(refused)
    assert len(stage.outcome()) == 20


def test_a_topic_created_anew_keeps_the_worker_down(stage, until):
    worker = stage.start(instance="one")
    stage.send(values(20), partition=0)
    until(lambda: len(stage.outcome()) >= 20, 40, "the first facts")
    stage.kill(worker)
    admin = stage.admin
    for deleted in admin.delete_topics([stage.inputs]).values():
        deleted.result(30)
    until(lambda: stage.inputs not in admin.list_topics(timeout=10).topics, 20, "the topic to be gone")
    stage.create_again(stage.inputs)
    refused = stage.start(instance="one")
    assert refused.wait(40) == 75
    assert "the position is 20, but the log starts at 0 and ends at 0" in stage.log_of(refused)


def test_gaps_left_by_transactions_of_the_sender_are_no_gaps_in_the_facts(stage, until):
    settings = {"bootstrap.servers": stage.brokers, "transactional.id": f"{stage.app}-sender"}
    sender = Producer(settings)
    sender.init_transactions(30)
    worker = stage.start()
    for number in range(40):
        sender.begin_transaction()
        sender.produce(stage.inputs, b"fact-%d" % number, b"key", 0)
        sender.abort_transaction(30) if number % 4 == 3 else sender.commit_transaction(30)
    until(lambda: len(stage.outcome()) >= 30, 40, "the committed facts")
    assert worker.poll() is None
    assert_each_counted_once(stage, [b"fact-%d" % number for number in range(40) if number % 4 != 3])


@pytest.fixture
def broker(stage) -> Iterator["Broker"]:
    """A broker of its own, to be killed; the stage moves to it."""
    running = Broker(stage, free_ports(2))
    running.start()
    yield running
    stage.end()
    running.kill()


class Broker:
    """A broker that a test may kill."""

    def __init__(self, stage, ports: tuple[int, int]) -> None:
        self._stage, self._ports = stage, ports
        stage.brokers = f"127.0.0.1:{ports[0]}"

    def start(self) -> None:
        options = ["--root", str(self._stage.directory / "kafka"), "--port", str(self._ports[0])]
        command = [sys.executable, "-m", "dunlin.kafka_server", *options, "--controller-port", str(self._ports[1])]
        with (self._stage.directory / "kafka.out").open("ab") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=output)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


def test_a_killed_broker_that_comes_back_costs_nothing(broker, stage, until):
    port = int(stage.brokers.rsplit(":", 1)[1])
    until(lambda: is_open(port), 60, "the broker")
    stage.create_topics()
    worker = stage.start(instance="one")
    stage.send(values(500))
    until(lambda: len(stage.outcome()) >= 500, 40, "the first facts")
    stage.send(values(500, "under-way"))
    broker.kill()
    gone = time.monotonic()
    until(lambda: time.monotonic() - gone > 7, 10)
    broker.start()
    until(lambda: is_open(port), 60, "the broker to be back")
    stage.send(values(500, "later"))
    deadline = time.monotonic() + 90
    while len(stage.outcome()) < 1500 and time.monotonic() < deadline:
        if worker.poll() is not None:
            assert worker.returncode == 70
            worker = stage.start(instance="one")
    assert_each_counted_once(stage, values(500) + values(500, "under-way") + values(500, "later"))

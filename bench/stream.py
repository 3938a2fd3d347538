"""How fast is the stream? One worker against a plain confluent-kafka loop with the same work and the same guarantee, in one run.

Prints facts per second and CPU microseconds per fact (whole process) of both, the share of decoding and of `advance`, and the latency from
a fact to its committed output at 200 facts/s. The last line is one JSON object.

    python bench/stream.py [--facts 120000] [--rounds 2]
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import confluent_kafka as kafka
import psutil

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from bench.support.broker import PARTITIONS, broker  # noqa: E402 - the path of the checkout is set above
from bench.support.stream_plain import FakeShard  # noqa: E402
from recovery.adapters.kafka import Publisher, consumer  # noqa: E402
from recovery.contracts.encoding.codec import decode_event, decode_fact, encode  # noqa: E402
from recovery.contracts.facts import Fact, InvoicePaid  # noqa: E402
from recovery.contracts.topics import EVENTS, FACTS  # noqa: E402
from recovery.ids import stream_key  # noqa: E402
from tests.support.stream_facts import START, facts_of_a_month, header, invoice_state  # noqa: E402

APPS = ("worker", "plain")
LATENCY_RATE = 200
LATENCY_SECONDS = 15
WARM_SECONDS = 4
"""A broker just started compiles its hot paths during the first seconds; they are not counted."""
WORKER = [sys.executable, "-m", "streams", "worker"]
PLAIN = [sys.executable, str(REPOSITORY / "bench" / "support" / "stream_plain.py")]


class Load(NamedTuple):
    """How many facts lie on the broker and how many events they give."""

    facts: int
    events: int


class Speed(NamedTuple):
    """Facts per second and CPU microseconds per fact of one contestant."""

    rate: float
    cpu_us: float


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--facts", type=int, default=120_000)
    arguments.add_argument("--rounds", type=int, default=2)
    options = arguments.parse_args()
    decoding, handling = measure_shares(options.facts // 4)
    print(f"in one process without a broker: {handling:.1f} us per fact, of it decoding {decoding:.1f}", flush=True)
    ours, plain = [], []
    for number in range(options.rounds):
        with broker(*APPS) as bootstrap:
            load = fill(bootstrap, options.facts)
            plain.append(run(bootstrap, "plain", PLAIN, load))
            ours.append(run(bootstrap, "worker", WORKER, load))
        print(f"round {number + 1}: worker {ours[-1].rate:,.0f} facts/s at {ours[-1].cpu_us:.1f} us, ", end="")
        print(f"plain loop {plain[-1].rate:,.0f} facts/s at {plain[-1].cpu_us:.1f} us", flush=True)
    with broker(*APPS) as bootstrap:
        p50, p99 = measure_latency(bootstrap)
    print(f"latency at {LATENCY_RATE} facts/s: p50 {p50:.1f} ms, p99 {p99:.1f} ms", flush=True)
    worker, baseline = median(ours), median(plain)
    figures = {
        "ratio": round(worker.rate / baseline.rate, 3),
        "worker_facts_per_s": round(worker.rate),
        "plain_facts_per_s": round(baseline.rate),
        "worker_cpu_us_per_fact": round(worker.cpu_us, 1),
        "plain_cpu_us_per_fact": round(baseline.cpu_us, 1),
        "decoding_share_of_cpu": round(decoding / worker.cpu_us, 3),
        "advance_and_encoding_share_of_cpu": round((handling - decoding) / worker.cpu_us, 3),
        "latency_p50_ms": round(p50, 1),
        "latency_p99_ms": round(p99, 1),
    }
    print(json.dumps(figures))


def median(speeds: list[Speed]) -> Speed:
    """The median of each figure."""
    return Speed(statistics.median(speed.rate for speed in speeds), statistics.median(speed.cpu_us for speed in speeds))


def facts(count: int) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of a month's facts."""
    return ((key, encode(fact)) for key, fact in facts_of_a_month(count))


def fill(bootstrap: str, count: int) -> Load:
    """Put the facts on the broker."""
    publisher, model, put = Publisher(bootstrap), FakeShard(), 0
    for key, value in facts(count):
        model.take(key or b"time", value, put)
        for partition in [-1] if key else range(PARTITIONS):
            publisher.send(FACTS.name, key or b"time", value, partition)
            put += 1
    publisher.flush(120)
    return Load(put, model.emitted[EVENTS.name])


def run(bootstrap: str, app: str, command: list[str], load: Load) -> Speed:
    """Let one contestant work through all facts, measured from its first output to its last."""
    reader = kafka_tail(bootstrap, app)
    with tempfile.TemporaryDirectory() as home:
        process = subprocess.Popen(command, cwd=REPOSITORY, env=environment(bootstrap, app, home))
        watched, seen, first, began, cpu_before = psutil.Process(process.pid), 0, 0, 0.0, 0.0
        try:
            deadline = time.monotonic() + 300
            while seen < load.events:
                seen += sum(message.error() is None for message in reader.consume(20_000, 0.05))
                if seen and not began:
                    began, first, cpu_before = time.perf_counter(), seen, cpu_of(watched)
                if time.monotonic() > deadline or process.poll() is not None:
                    raise SystemExit(f"{app}: {seen:,} of {load.events:,} events, exit code {process.poll()}")
            took, cpu = time.perf_counter() - began, cpu_of(watched) - cpu_before
        finally:
            process.terminate()
            process.wait(30)
            reader.close()
    worked = load.facts * (load.events - first) / load.events
    return Speed(worked / took, cpu / worked * 1e6)


def measure_latency(bootstrap: str) -> tuple[float, float]:
    """Milliseconds from handing a fact to the producer until its event can be read as committed: p50 and p99."""
    reader = kafka_tail(bootstrap, "latency")
    with tempfile.TemporaryDirectory() as home:
        process = subprocess.Popen(WORKER, cwd=REPOSITORY, env=environment(bootstrap, "worker", home))
        sent: dict[str, float] = {}
        took: list[float] = []
        try:
            warm(bootstrap, reader)
            feeder = threading.Thread(target=feed, args=(bootstrap, sent))
            feeder.start()
            deadline = time.monotonic() + WARM_SECONDS + LATENCY_SECONDS + 30
            while len(took) < LATENCY_RATE * LATENCY_SECONDS and time.monotonic() < deadline:
                for message in reader.consume(1_000, 0.005):
                    now = time.perf_counter()
                    if message.error() is None and (began := sent.get(decode_event(message.value()).cause)):
                        took.append((now - began) * 1_000)
            feeder.join()
        finally:
            process.terminate()
            process.wait(30)
            reader.close()
    cuts = statistics.quantiles(took, n=100)
    return cuts[49], cuts[98]


def warm(bootstrap: str, reader: kafka.Consumer) -> None:
    """Return when the worker answers."""
    publisher, deadline = Publisher(bootstrap), time.monotonic() + 60
    for number in range(PARTITIONS * 8):
        fact = paid(-1_000_000 - number)
        publisher.send(FACTS.name, stream_key(fact.account, fact.customer), encode(fact))
    publisher.flush()
    seen = 0
    while seen < PARTITIONS * 8 and time.monotonic() < deadline:
        seen += sum(message.error() is None for message in reader.consume(1_000, 0.05))


def feed(bootstrap: str, sent: dict[str, float]) -> None:
    """Send facts at an even rate, noting when."""
    producer = Publisher(bootstrap, **{"linger.ms": 0})
    began = time.perf_counter()
    for number in range(-LATENCY_RATE * WARM_SECONDS, LATENCY_RATE * LATENCY_SECONDS):
        fact = paid(number)
        time.sleep(max(0.0, began + WARM_SECONDS + number / LATENCY_RATE - time.perf_counter()))
        if number >= 0:
            sent[fact.id] = time.perf_counter()
        producer.send(FACTS.name, stream_key(fact.account, fact.customer), encode(fact))
    producer.flush()


def paid(number: int) -> Fact:
    """A fact that leaves one event."""
    about = header(3_000_000 + number, START)
    return InvoicePaid(id=f"latency:{number}", state=invoice_state("paid", START), **about)


def measure_shares(count: int) -> tuple[float, float]:
    """CPU microseconds per fact of decoding alone, and of the whole handling without a broker."""
    work = list(facts(count))
    began = time.process_time()
    for _, value in work:
        decode_fact(value)
    decoding = time.process_time() - began
    shard, began = FakeShard(), time.process_time()
    for offset, (key, value) in enumerate(work):
        shard.take(key or b"time", value, offset)
    return decoding / len(work) * 1e6, (time.process_time() - began) / len(work) * 1e6


def kafka_tail(bootstrap: str, group: str) -> kafka.Consumer:
    """A reader of the events that come from now on."""
    reader = consumer(bootstrap, f"bench-{group}")
    partitions = [kafka.TopicPartition(EVENTS.name, number) for number in range(PARTITIONS)]
    for partition in partitions:
        partition.offset = end_of(reader, partition)
    reader.assign(partitions)
    return reader


def end_of(reader: kafka.Consumer, partition: kafka.TopicPartition) -> int:
    """The end of a partition, asked again while a topic just made has no leader."""
    for _ in range(100):
        with contextlib.suppress(kafka.KafkaException):
            return int(reader.get_watermark_offsets(partition, timeout=30)[1])
        time.sleep(0.1)
    raise SystemExit(f"{partition.topic} has no leader")


def environment(bootstrap: str, app: str, home: str) -> dict[str, str]:
    """The settings of a contestant."""
    ours = {"DUNLIN_APP_ID": app, "DUNLIN_KAFKA_BOOTSTRAP": bootstrap, "DUNLIN_HOME": home, "DUNLIN_LOG_LEVEL": "warning"}
    return dict(os.environ) | ours


def cpu_of(process: psutil.Process) -> float:
    """CPU seconds of a process so far, user and system, all threads."""
    times = process.cpu_times()
    return float(times.user + times.system)


if __name__ == "__main__":
    main()

"""A million rows, each with a retry scheduled: how soon is a worker ready, what does it weigh, and what does a tick cost?

Rows as the worker writes them are put on the changelog of a real broker. Then one worker starts: time until it is ready, memory, CPU of
ticks that make nothing due, and the time from the tick by which 10,000 rows fall due until all that follows is readable as committed.
The baseline of the same run, taken before and after, is a plain confluent-kafka consumer that loads the same changelog and makes a heap of
the wakes; both times run from the start of the process. The last line is one JSON object; `ratio` is the baseline's time over the worker's.

    python bench/timers.py [--rows 1000000] [--due 10000]
"""

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import confluent_kafka as kafka
import msgspec
import psutil

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from bench.stream import WORKER, cpu_of, end_of, environment  # noqa: E402
from bench.support.broker import PARTITIONS, broker  # noqa: E402 - the path of the checkout is set above
from bench.support.stream_plain import FakeShard  # noqa: E402
from recovery.adapters.kafka import Publisher, consumer  # noqa: E402
from recovery.contracts.encoding.codec import encode  # noqa: E402
from recovery.contracts.encoding.row_codec import pack, stamp, stamp_of, unpack  # noqa: E402
from recovery.contracts.facts import Fact, PolicyPublished, TimePassed  # noqa: E402
from recovery.contracts.topics import FACTS, changelog  # noqa: E402
from recovery.policy import Policy  # noqa: E402
from streams.processor import ACCOUNT_ROW, NOW_ROW, ROWS_PER_TICK  # noqa: E402
from streams.topology import OUTPUTS  # noqa: E402
from streams.transactional_shard import POSITION  # noqa: E402
from tests.support.stream_facts import ACCOUNT, START, failing  # noqa: E402

PLAIN = [sys.executable, str(REPOSITORY / "bench" / "support" / "timers_plain.py")]
APP = "worker"
ACCOUNT_ID = b"acct_1DunlinBench4Timer"
IDS = (
    (b"cus_", b"cus_", 14),
    (b"in_", b"in_1", 23),
    (b"ch_", b"ch_3", 23),
    (b"pm_", b"pm_1", 23),
    (b"evt_", b"evt_1", 23),
    (b"fp", b"", 16),
)
"""What an id of the facts begins with, what one of Stripe's does, and how many characters without any order follow there."""
PATTERN = 7_777_777
"""The number in the ids of the facts from which pattern rows are made."""
PLACES = [long + b"%c" % (ord("A") + place) * length for place, (_, long, length) in enumerate(IDS)]
PATTERNS = 500
FIRST_DUE = START + timedelta(hours=24)
"""When the first retry of the ladder of those falls due who failed at the start."""
SOON = timedelta(minutes=5)
"""Within it all fall due that shall; the others an hour later at the earliest."""
SETTLING_SECONDS = 2.0
"""After the start; connections that were used for loading close, which is not what an idle worker costs."""
QUIET_SECONDS = 5.0
QUIET_TICKS = 50


class Pattern(NamedTuple):
    """The msgpack of a row, its stamp, and how many messages leave when its retry falls due."""

    body: bytes
    wake: bytes
    outputs: int


class Weight(NamedTuple):
    """The worker once it is ready."""

    ready_s: float
    cpu_s: float
    rss_mb: float


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rows", type=int, default=1_000_000)
    arguments.add_argument("--due", type=int, default=10_000)
    options = arguments.parse_args()
    due = min(options.due, options.rows)
    soon, later = patterns(FIRST_DUE), patterns(FIRST_DUE + timedelta(hours=1))
    with broker(APP) as bootstrap:
        with running(bootstrap) as (_, empty):
            print(f"a worker without rows is ready after {empty.ready_s:.1f} s, {empty.rss_mb:,.0f} MB", flush=True)
        began = time.perf_counter()
        fill(bootstrap, options.rows, due, soon, later)
        size = sum(len(row(soon[number % PATTERNS], number)[1]) for number in range(PATTERNS)) / PATTERNS
        print(f"{options.rows:,} rows of {size:.0f} bytes put on the broker in {time.perf_counter() - began:.1f} s", flush=True)
        before = baseline(bootstrap)
        figures = {"rows": options.rows, "row_bytes": round(size)} | worker(bootstrap, due, due * soon[0].outputs)
        figures["rss_bytes_per_row"] = round((figures["rss_mb"] - empty.rss_mb) * 1e6 / options.rows)
        after = baseline(bootstrap)
    plain = {f"plain_{name}": round((before[name] + after[name]) / 2, 2) for name in ("ready_s", "load_s", "heap_s", "rss_mb")}
    print(json.dumps({"ratio": round(plain["plain_ready_s"] / figures["ready_s"], 3)} | figures | plain))


def patterns(first: datetime) -> list[Pattern]:
    """Rows as the worker leaves them after a failure and its read, their retries due from `first` on within SOON."""
    made = []
    for number in range(PATTERNS):
        shard, now = FakeShard(), first - timedelta(hours=24) + SOON / PATTERNS * number
        shard.take(b"any", with_long_ids(policy(now)), 0)
        for offset, fact in enumerate(failing(PATTERN, now)[:4]):
            shard.take(b"any", with_long_ids(fact), offset)
        due, told = shard.rows[b"any"], shard.emitted.total()
        shard.take(b"any", encode(tick(now + timedelta(hours=24))), 9)
        if stamp_of(due) != stamp(now + timedelta(hours=24)) or shard.emitted.total() == told:
            raise SystemExit("the retry of a pattern is not due a day after its failure; adapt this bench to the ladder")
        made.append(Pattern(unpack(due), stamp_of(due), shard.emitted.total() - told))
    return made


def with_long_ids(fact: Fact) -> bytes:
    """The fact, its ids as long as Stripe's; in the place of what tells them apart a letter that tells the kinds apart."""
    value = encode(fact).replace(ACCOUNT.encode(), ACCOUNT_ID)
    for (short, _, _), long in zip(IDS, PLACES, strict=True):
        value = value.replace(b"%b%d" % (short, PATTERN), long)
    return value


def row(pattern: Pattern, number: int) -> tuple[bytes, bytes]:
    """Key and value of the row of one more customer, its ids as random as Stripe's."""
    noise, body, used = blake2b(b"%d" % number).hexdigest().encode(), pattern.body, 0
    ids = []
    for (_, long, length), place in zip(IDS, PLACES, strict=True):
        ids.append(long + noise[used : used + length])
        body, used = body.replace(place, ids[-1]), used + length
    return ACCOUNT_ID + b"/" + ids[0], pack(body, pattern.wake)


def policy(now: datetime) -> PolicyPublished:
    """The product's own policy, acting."""
    header: dict[str, Any] = {"account": ACCOUNT, "occurred_at": now, "received_at": now}
    return PolicyPublished(id="policy:1", number=1, policy=Policy(mode="act"), who="a bench", **header)


def tick(now: datetime) -> TimePassed:
    """It is `now`."""
    return TimePassed(id=f"time:{now.isoformat()}", account="*", occurred_at=now, received_at=now)


def fill(bootstrap: str, rows: int, due: int, soon: list[Pattern], later: list[Pattern]) -> None:
    """Put the rows on the changelog, and in each partition what the worker keeps beside them: policy, time and position."""
    publisher, log, shard = Publisher(bootstrap, **{"queue.buffering.max.messages": 500_000}), changelog(APP).name, FakeShard()
    shard.take(b"any", with_long_ids(policy(START)), 0)
    told = ACCOUNT_ROW + ACCOUNT_ID
    beside = {
        told: shard.rows[told],
        NOW_ROW: msgspec.json.encode(FIRST_DUE - timedelta(hours=1)),
        POSITION + FACTS.name.encode(): b"0",
    }
    for number in range(rows):
        publisher.send(log, *row((soon if number < due else later)[number % PATTERNS], number))
    for partition in range(PARTITIONS):
        for key, value in beside.items():
            publisher.send(log, key, value, partition)
    publisher.flush(120)


def baseline(bootstrap: str) -> dict[str, float]:
    """What the plain consumer tells of its loading, and `ready_s`, the seconds from the start of its process until it has told it."""
    began = time.perf_counter()
    with (
        tempfile.TemporaryDirectory() as home,
        subprocess.Popen(PLAIN, cwd=REPOSITORY, env=environment(bootstrap, APP, home), stdout=subprocess.PIPE) as process,
    ):
        line = process.stdout.readline() if process.stdout is not None else b""
        took = time.perf_counter() - began
    return json.loads(line) | {"ready_s": took}


def worker(bootstrap: str, due: int, outputs: int) -> dict[str, float]:
    """The figures of one worker's life: start, quiet ticks, then the burst."""
    with running(bootstrap) as (process, weight):
        print(f"ready after {weight.ready_s:.1f} s and {weight.cpu_s:.1f} s of CPU, {weight.rss_mb:,.0f} MB", flush=True)
        publisher = Publisher(bootstrap, **{"linger.ms": 0})
        time.sleep(SETTLING_SECONDS)
        idle = quiet(process, publisher, 0)
        ticking = quiet(process, publisher, QUIET_TICKS)
        took, cpu = burst(bootstrap, process, publisher, due, outputs)
    print(f"{due:,} due rows were asked and all that follows committed within {took * 1e3:.0f} ms", flush=True)
    return {
        "ready_s": round(weight.ready_s, 2),
        "ready_cpu_s": round(weight.cpu_s, 2),
        "rss_mb": round(weight.rss_mb),
        "idle_share_of_core": round(idle / QUIET_SECONDS, 4),
        "cpu_ms_per_quiet_tick": round((ticking - idle) / QUIET_TICKS * 1e3, 2),
        "due": due,
        "due_s": round(took, 3),
        "due_rows_per_s": round(due / took),
        "due_cpu_us_per_row": round(cpu / due * 1e6, 1),
    }


@contextlib.contextmanager
def running(bootstrap: str) -> Iterator[tuple[psutil.Process, Weight]]:
    """A worker that is ready."""
    with tempfile.TemporaryDirectory() as home:
        ready, began = Path(home) / "ready", time.perf_counter()
        settings = environment(bootstrap, APP, home) | {"DUNLIN_READY_FILE": str(ready)}
        process = subprocess.Popen(WORKER, cwd=REPOSITORY, env=settings)
        try:
            while not ready.exists():
                if process.poll() is not None or time.perf_counter() - began > 300:
                    raise SystemExit(f"the worker is not ready after {time.perf_counter() - began:.0f} s, exit code {process.poll()}")
                time.sleep(0.01)
            took, watched = time.perf_counter() - began, psutil.Process(process.pid)
            yield watched, Weight(took, cpu_of(watched), watched.memory_info().rss / 1e6)
        finally:
            process.terminate()
            process.wait(30)


def quiet(process: psutil.Process, publisher: Publisher, ticks: int) -> float:
    """CPU seconds within QUIET_SECONDS with so many ticks, evenly, by which nothing falls due."""
    before, began = cpu_of(process), time.perf_counter()
    for number in range(ticks):
        everywhere(publisher, tick(FIRST_DUE - timedelta(minutes=30) + timedelta(seconds=number)))
        time.sleep(max(0.0, began + QUIET_SECONDS * number / ticks - time.perf_counter()))
    time.sleep(max(0.0, began + QUIET_SECONDS - time.perf_counter()))
    return cpu_of(process) - before


def burst(bootstrap: str, process: psutil.Process, publisher: Publisher, due: int, outputs: int) -> tuple[float, float]:
    """Seconds, and the worker's CPU seconds, from the first tick until everything that follows from `due` rows is readable."""
    reader = tail(bootstrap)
    before, began, seen = cpu_of(process), time.perf_counter(), 0
    for number in range(2 + due // ROWS_PER_TICK):  # were all of them in one partition, it would take so many
        everywhere(publisher, tick(FIRST_DUE + SOON + timedelta(seconds=number)))
    while seen < outputs:
        seen += sum(message.error() is None for message in reader.consume(20_000, 0.01))
        if time.perf_counter() - began > 120:
            raise SystemExit(f"{seen:,} of {outputs:,} messages came within two minutes")
    took, cpu = time.perf_counter() - began, cpu_of(process) - before
    reader.close()
    return took, cpu


def everywhere(publisher: Publisher, fact: TimePassed) -> None:
    """Send a tick to every partition, as the ticker does."""
    for partition in range(PARTITIONS):
        publisher.send(FACTS.name, b"time", encode(fact), partition)
    publisher.flush()


def tail(bootstrap: str) -> kafka.Consumer:
    """A reader of everything committed that the stream says from now on."""
    reader = consumer(bootstrap, "bench-timers")
    partitions = [kafka.TopicPartition(topic, number) for topic in OUTPUTS for number in range(PARTITIONS)]
    for partition in partitions:
        partition.offset = end_of(reader, partition)
    reader.assign(partitions)
    return reader


if __name__ == "__main__":
    main()

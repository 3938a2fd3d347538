"""What does the ledger cost, and does a mail server that hangs delay charges? The effects sink against its performers without a ledger.

Both are processes between a real broker and servers that answer after `--latency` seconds; charges and mails, three to two, lie on the
broker before they start. The rate counts from the first tenth of the outcomes to the last. A second pair is measured with servers that
answer at once: there the processor is the limit, and the ledger's share the largest. Then the sink alone gets charges and mails at a
steady pace, with a mail server that answers and with one that takes connections and says nothing: how long until a charge's outcome is
on the log? The last line is one JSON object; aim: `ratio` at least 0.6.

    python bench/effects.py [--effects 1500] [--rounds 2] [--latency 0.05]
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import confluent_kafka as kafka
import psutil

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from bench.stream import end_of  # noqa: E402
from bench.support.broker import PARTITIONS, broker  # noqa: E402 - the path of the checkout is set above
from dunlin.stack.ports import HOST  # noqa: E402
from recovery.adapters.kafka import Publisher, consumer  # noqa: E402
from recovery.contracts.effects import ChargeRequested, Effect, MessageRequested  # noqa: E402
from recovery.contracts.encoding.codec import decode_fact, encode  # noqa: E402
from recovery.contracts.topics import FACTS, topic_of  # noqa: E402
from recovery.ids import effect_id, stream_key  # noqa: E402
from sinks.effects.engine.receiver import TOPICS  # noqa: E402

ACCOUNTS = ("acct_bench", "acct_other")
"""Two, since one alone is given only half of the workers by the sink, and the baseline knows no shares."""
SINK = [sys.executable, "-m", "sinks", "effects"]
PLAIN = [sys.executable, str(REPOSITORY / "bench" / "support" / "effects_plain.py")]
SERVERS = [sys.executable, str(REPOSITORY / "bench" / "support" / "effects_servers.py")]
PATIENCE = 120.0
CHARGES_PER_SECOND, MAILS_PER_SECOND, PACED_SECONDS = 20, 10, 15
_numbers = count(1)
TENANTS = "\n".join(
    f"""\
[[tenant]]
account = "{account}"
name = "Bench"
api_key_file = "key"
webhook_secrets_file = "secrets"
"""
    for account in ACCOUNTS
)


class Speed(NamedTuple):
    """Effects per second, and CPU milliseconds of the process per effect."""

    rate: float
    cpu_ms: float


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--effects", type=int, default=1500)
    arguments.add_argument("--rounds", type=int, default=2)
    arguments.add_argument("--latency", type=float, default=0.05)
    options = arguments.parse_args()
    figures: dict[str, Any] = {}
    print("starting a broker", flush=True)
    with broker("bench") as bootstrap, tempfile.TemporaryDirectory(prefix="dunlin-bench-") as folder:
        for name, latency in (("", options.latency), ("at_once_", 0.0)):
            with servers(latency) as ports:
                figures |= {f"{name}{key}": value for key, value in compare(bootstrap, Path(folder), ports, options).items()}
        with servers(options.latency) as ports:
            for name, mail in (("answering", "mail"), ("hanging", "hanging_mail")):
                p50, p99 = paced(bootstrap, Path(folder), ports["stripe"], ports[mail])
                print(f"charges beside a mail server {name}: p50 {p50:.0f} ms, p99 {p99:.0f} ms", flush=True)
                figures |= {f"charge_p50_ms_mail_{name}": round(p50), f"charge_p99_ms_mail_{name}": round(p99)}
    print(json.dumps(figures))


def compare(bootstrap: str, folder: Path, ports: dict[str, int], options: argparse.Namespace) -> dict[str, float]:
    """Both contestants in turn; the figures of the medians."""
    speeds: dict[str, list[Speed]] = {"plain": [], "ledger": []}
    for number in range(options.rounds):
        for name in sorted(speeds, reverse=number % 2 == 0):
            speeds[name].append(run(bootstrap, folder, PLAIN if name == "plain" else SINK, ports, options.effects))
            print(f"{name}: {speeds[name][-1].rate:.0f} effects/s, {speeds[name][-1].cpu_ms:.2f} ms of CPU each", flush=True)
    rate = {name: statistics.median(one.rate for one in found) for name, found in speeds.items()}
    cpu = {name: statistics.median(one.cpu_ms for one in found) for name, found in speeds.items()}
    return {
        "ratio": round(rate["ledger"] / rate["plain"], 3),
        "ledger_effects_per_s": round(rate["ledger"], 1),
        "plain_effects_per_s": round(rate["plain"], 1),
        "ledger_cpu_ms_per_effect": round(cpu["ledger"], 2),
        "plain_cpu_ms_per_effect": round(cpu["plain"], 2),
    }


def run(bootstrap: str, folder: Path, command: list[str], ports: dict[str, int], size: int) -> Speed:
    """Effects on the broker first, then the process; until the last outcome."""
    app = f"effects-{next(_numbers)}"
    skip_what_is_there(bootstrap, app)
    with outcomes(bootstrap) as reader:
        put(bootstrap, [message() if n % 5 < 2 else charge() for n in range(size)])
        with process(command, folder, app, bootstrap, ports["stripe"], ports["mail"]) as started:
            came: list[float] = []
            deadline = time.monotonic() + PATIENCE
            while len(came) < size:
                came += [time.monotonic() for one in reader.consume(1000, 0.05) if one.error() is None]
                if started.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"{len(came)} of {size} outcomes came:\n{last_words(folder / app)}")
            cpu = psutil.Process(started.pid).cpu_times()
    first = size // 10
    return Speed((size - first) / (came[-1] - came[first]), 1000 * (cpu.user + cpu.system) / size)


def paced(bootstrap: str, folder: Path, stripe: int, mail: int) -> tuple[float, float]:
    """Charges and mails at a steady pace to the sink; p50 and p99 of the charges, in milliseconds from the log to the log."""
    app = f"effects-{next(_numbers)}"
    skip_what_is_there(bootstrap, app)
    publisher, sent, told = Publisher(bootstrap), dict[str, float](), dict[str, float]()
    effects = [message() if n % 3 == 0 else charge() for n in range((CHARGES_PER_SECOND + MAILS_PER_SECOND) * PACED_SECONDS)]
    wanted = {effect.id for effect in effects if isinstance(effect, ChargeRequested)}
    with outcomes(bootstrap) as reader, process(SINK, folder, app, bootstrap, stripe, mail) as started:
        wait_until_ready(folder / app / "ready", started)
        begin, deadline = time.monotonic(), time.monotonic() + PATIENCE
        while not wanted <= told.keys() and time.monotonic() < deadline:
            for effect in effects[len(sent) : int((time.monotonic() - begin) * (CHARGES_PER_SECOND + MAILS_PER_SECOND))]:
                sent[effect.id] = time.monotonic()
                send(publisher, effect)
            publisher.flush()
            for one in reader.consume(1000, 0.01):
                if one.error() is None:
                    told.setdefault(decode_fact(one.value()).cause, time.monotonic())
        if not wanted <= told.keys():
            raise SystemExit(f"{len(wanted - told.keys())} charges have no outcome:\n{last_words(folder / app)}")
        started.kill()  # it would wait for the mails
    waits = sorted(1000 * (told[effect] - sent[effect]) for effect in wanted)
    return statistics.median(waits), waits[int(len(waits) * 0.99)]


def charge() -> ChargeRequested:
    """A charge of an invoice of its own."""
    return ChargeRequested(**header("charge"), attempt=1, amount_minor=4900, currency="eur", subscription="sub_1")


def message() -> MessageRequested:
    """A mail about an invoice of its own."""
    return MessageRequested(**header("message"), template="payment_failed_1", step=1, amount_minor=4900, currency="eur")


def header(kind: str) -> dict[str, Any]:
    """The header of an effect about a new invoice."""
    number, now = next(_numbers), datetime.now(UTC)
    name, account = f"in{number}", ACCOUNTS[number % len(ACCOUNTS)]
    about = {"account": account, "customer": f"cus_{name}", "invoice": name, "cause": "bench"}
    times = {"occurred_at": now, "received_at": now, "not_after": now + timedelta(days=1)}
    return {"id": effect_id(account, name, kind, 1), **about, **times}


def put(bootstrap: str, effects: list[Effect]) -> None:
    """Lay effects on the log."""
    publisher = Publisher(bootstrap)
    for effect in effects:
        send(publisher, effect)
    publisher.flush()


def send(publisher: Publisher, effect: Effect) -> None:
    """Queue one."""
    publisher.send(topic_of(effect), stream_key(effect.account, effect.customer), encode(effect))


def skip_what_is_there(bootstrap: str, app: str) -> None:
    """Let the process's consumer group begin at the end."""
    reader = consumer(bootstrap, f"{app}-effects")
    places = [kafka.TopicPartition(topic, number) for topic in TOPICS for number in range(PARTITIONS)]
    for place in places:
        place.offset = end_of(reader, place)
    reader.commit(offsets=places, asynchronous=False)
    reader.close()


@contextlib.contextmanager
def outcomes(bootstrap: str) -> Iterator[kafka.Consumer]:
    """A reader of `facts` from now on."""
    reader = consumer(bootstrap, f"outcomes-{next(_numbers)}")
    places = [kafka.TopicPartition(FACTS.name, number) for number in range(PARTITIONS)]
    for place in places:
        place.offset = end_of(reader, place)
    reader.assign(places)
    try:
        yield reader
    finally:
        reader.close()


@contextlib.contextmanager
def servers(latency: float) -> Iterator[dict[str, int]]:
    """The other side; gives its ports."""
    started = subprocess.Popen([*SERVERS, str(latency)], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    assert started.stdout is not None
    try:
        yield dict(json.loads(started.stdout.readline()))
    finally:
        started.kill()
        started.wait()


@contextlib.contextmanager
def process(command: list[str], folder: Path, app: str, bootstrap: str, stripe: int, mail: int) -> Iterator["subprocess.Popen[bytes]"]:
    """A contestant with a home of its own."""
    home = folder / app
    home.mkdir()
    for name, text in (("tenants.toml", TENANTS), ("key", "sk_test_bench"), ("secrets", "whsec_ZHVubGluIGVmZmVjdHMgYmVuY2htYXJr")):
        (home / name).touch(mode=0o600)
        (home / name).write_text(text)
    settings = {
        "DUNLIN_HOME": str(home),
        "DUNLIN_APP_ID": app,
        "DUNLIN_KAFKA_BOOTSTRAP": bootstrap,
        "DUNLIN_STRIPE_API_BASE": f"http://{HOST}:{stripe}",
        "DUNLIN_SMTP_URL": f"smtp://{HOST}:{mail}",
        "DUNLIN_MAIL_FROM": "billing@bench.example",
        "DUNLIN_READY_FILE": str(home / "ready"),
    }
    with (home / "output.log").open("wb") as output:
        environment = {**os.environ, **settings}
        started = subprocess.Popen(
            command, cwd=REPOSITORY, env=environment, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
        )
    try:
        yield started
    finally:
        started.kill()
        started.wait()


def last_words(home: Path) -> str:
    """The end of a contestant's log."""
    return (home / "output.log").read_text(errors="replace")[-2000:]


def wait_until_ready(file: Path, started: "subprocess.Popen[bytes]") -> None:
    """Return when the sink says so."""
    deadline = time.monotonic() + 60
    while not file.exists():
        if started.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"the sink did not start:\n{last_words(file.parent)}")
        time.sleep(0.05)


if __name__ == "__main__":
    main()

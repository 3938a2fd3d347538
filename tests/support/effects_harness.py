"""The effects sink as a process between a real Kafka and the sandbox, whose clock stands still after some invoices have failed."""

import os
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import httpx
import msgspec
from confluent_kafka import TopicPartition

from recovery import ids
from recovery.adapters.kafka import Publisher, consumer
from recovery.contracts.effects import ChargeRequested, Effect, EffectWithdrawn, MessageRequested, ReadRequested
from recovery.contracts.encoding.codec import decode_fact, encode
from recovery.contracts.facts import Fact
from recovery.contracts.topics import effects_topic
from tests.support.secrets import a_secret
from tests.support.waiting import until

REPOSITORY = Path(__file__).resolve().parents[2]
KEY = "sk_test_sandbox"
MAIL_DOMAIN = "northwind.example"
PATIENCE = 600.0
"""Wall seconds for anything that comes for certain: whoever waits so long has found a fault and no slow machine."""

BEHIND = 0.2
"""Wall seconds of an answer that show a sandbox behind its clock."""
SLOWEST = 20_000.0
"""Business seconds per wall second: three weeks in a minute and a half."""


def asked(method: str, address: str, **more: Any) -> httpx.Response:
    """The sandbox's answer to a question of ours. It is busy with business time, so it may take long, and a connection may break: what it
    is asked here may be asked twice."""
    for attempt in range(5):
        try:
            return httpx.request(method, address, timeout=httpx.Timeout(PATIENCE / 5), **more).raise_for_status()
        except httpx.TransportError:
            if attempt == 4:
                raise
    raise AssertionError("the last attempt answers or raises")


@dataclass
class World:
    """A sandbox whose clock stands still after some invoices have failed, the log, and a sink to start and kill."""

    home: Path
    kafka: str
    account: str
    base: str = ""
    smtp_port: int = 0
    clock_file: Path = Path()
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    sinks: list[subprocess.Popen[bytes]] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)
    free: list[dict[str, Any]] = field(default_factory=list)
    publishers: dict[str, Publisher] = field(default_factory=dict)

    def order(self, **fault: Any) -> None:
        httpx.post(f"{self.base}/_faults", json=fault, timeout=PATIENCE).raise_for_status()  # once: twice would be two faults

    def truth(self) -> dict[str, Any]:
        return dict(asked("GET", f"{self.base}/_truth").json())

    def now(self) -> datetime:
        file = msgspec.json.decode(self.clock_file.read_bytes())
        wall = time.time()
        return datetime.fromtimestamp(min(wall, file["business0"] + (wall - file["wall0"]) * file["speed"]), UTC)

    def take(self, count: int) -> list[dict[str, Any]]:
        """Failed invoices, each with a customer of its own who has an e-mail address, that no test has had before."""
        return [self.reachable("email") for _ in range(count)]

    def reachable(self, field: Literal["email", "phone"]) -> dict[str, Any]:
        """A failed invoice of a customer who has this and whom no test has had before."""
        while True:
            self.free = self.free or [bill for bill in self.failed_invoices() if bill["customer"] not in self.taken]
            assert self.free, "the sandbox has no failed invoices left; give it more customers"
            bill = self.free.pop()
            if bill["customer"] not in self.taken:
                self.taken.add(bill["customer"])
                if self.stripe(f"/v1/customers/{bill['customer']}")[field]:
                    return bill

    def failed_invoices(self) -> list[dict[str, Any]]:
        truth = self.truth()
        cancelled = {one["subscription"] for one in truth["cancellations"]}
        return [
            bill
            for bill in truth["invoices"]
            if bill["status"] == "open"
            and bill["first_failed_at"]
            and bill["subscription"]
            and bill["subscription"] not in cancelled
            and bill["billing_reason"] == "subscription_cycle"
        ]

    def head(self, bill: dict[str, Any], kind: str, number: int, days: float = 30) -> dict[str, Any]:
        return {
            "id": ids.effect_id(self.account, bill["id"], kind, number),
            "account": self.account,
            "customer": bill["customer"],
            "invoice": bill["id"],
            "cause": "test",
            "occurred_at": self.now(),
            "received_at": datetime.now(UTC),
            "not_after": self.now() + timedelta(days=days),
        }

    def read(self, bill: dict[str, Any], number: int = 1, days: float = 30) -> ReadRequested:
        return ReadRequested(**self.head(bill, "read", number, days))

    def charge(self, bill: dict[str, Any], number: int = 1, days: float = 30) -> ChargeRequested:
        money = {"amount_minor": bill["amount_due"], "currency": bill["currency"]}
        return ChargeRequested(**self.head(bill, "charge", number, days), attempt=number, **money, subscription=bill["subscription"])

    def mail(self, bill: dict[str, Any], number: int = 1, days: float = 30) -> MessageRequested:
        money = {"amount_minor": bill["amount_due"], "currency": bill["currency"]}
        return MessageRequested(**self.head(bill, "mail", number, days), template="dunning", step=min(number, 3), **money)

    def withdraw(self, effect: Effect) -> EffectWithdrawn:
        head = {name: getattr(effect, name) for name in ("account", "customer", "invoice", "occurred_at", "received_at", "not_after")}
        return EffectWithdrawn(id=f"{effect.id}:withdrawn", effect=effect.id, because="paid", **head)

    def emit(self, *effects: Effect, topic: str = "") -> None:
        if self.kafka not in self.publishers:
            self.publishers[self.kafka] = Publisher(self.kafka)
        publisher = self.publishers[self.kafka]
        for effect in effects:
            kind = (
                "message_requested" if isinstance(effect, EffectWithdrawn) and ".mail." in effect.effect else effect.__struct_config__.tag
            )
            key = ids.stream_key(effect.account, effect.customer)
            publisher.send(topic or effects_topic(str(kind)), key, encode(effect))
        publisher.flush()

    def start_sink(self, wait: bool = True, **more: str) -> subprocess.Popen[bytes]:
        ready = self.home / "sink.ready"
        ready.unlink(missing_ok=True)
        settings = {
            "DUNLIN_HOME": str(self.home / "dunlin"),
            "DUNLIN_KAFKA_BOOTSTRAP": self.kafka,
            "DUNLIN_TENANTS_FILE": str(self.home / "tenants.toml"),
            "DUNLIN_CLOCK_FILE": str(self.clock_file),
            "DUNLIN_STRIPE_API_BASE": self.base,
            "DUNLIN_SMTP_URL": f"smtp://127.0.0.1:{self.smtp_port}",
            "DUNLIN_MAIL_FROM": f"billing@{MAIL_DOMAIN}",
            "DUNLIN_APP_ID": self.account,
            "DUNLIN_READY_FILE": str(ready),
            **more,
        }
        output = (self.home / "sink.log").open("ab")
        process = subprocess.Popen(
            [sys.executable, "-m", "sinks", "effects"],
            cwd=REPOSITORY,
            env={**os.environ, **settings},
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
        output.close()
        self.sinks.append(process)
        if wait:
            until(lambda: ready.exists() or process.poll() is not None, PATIENCE, "the sink to be ready")
            assert process.poll() is None, self.log()
        return process

    def log(self) -> str:
        return (self.home / "sink.log").read_text()[-6000:]

    def outcomes(
        self, wanted: set[str], seconds: float = 30.0, each: Callable[[], None] = lambda: None, *, must_be_complete: bool = True
    ) -> dict[str, list[Fact]]:
        """All outcome facts of the wanted effects, read until each has one; `each` is called while waiting."""
        reader = consumer(self.kafka, f"test-{self.account}-{time.monotonic_ns()}")
        reader.assign([TopicPartition("facts", partition, 0) for partition in range(4)])
        found: dict[str, list[Fact]] = {}

        def taken() -> int:
            messages = reader.consume(500, 0.1)
            for message in messages:
                fact = decode_fact(message.value()) if message.error() is None else None
                if fact is not None and fact.cause in wanted:
                    found.setdefault(fact.cause, []).append(fact)
            return len(messages)

        def complete() -> bool:
            each()
            taken()
            return found.keys() >= wanted

        try:
            until(complete, seconds, f"{len(wanted)} outcomes")
            while taken():
                pass
        except AssertionError as error:
            missing = sorted(wanted - found.keys())
            if not must_be_complete:
                return found
            raise AssertionError(f"{len(missing)} outcomes missing, e.g. {missing[:3]}\n{self.log()}") from error
        finally:
            reader.close()
        return found

    def outcome(self, effect: Effect, seconds: float = 30.0) -> Any:
        return self.outcomes({effect.id}, seconds)[effect.id][0]

    def mails_of(self, bill: dict[str, Any]) -> list[dict[str, Any]]:
        return [mail for mail in self.truth()["mails"] if mail["invoice"] == bill["id"]]

    def stripe(self, path: str) -> dict[str, Any]:
        """An object as the sandbox's API shows it."""
        return dict(asked("GET", f"{self.base}{path}", auth=(KEY, "")).json())

    def let_time_run(self, speed: float) -> None:
        """Let the sandbox's clock go on, with so many business seconds per wall second."""
        asked("POST", f"{self.base}/_clock/speed", json={"speed": speed})
        asked("POST", f"{self.base}/_clock/release", json={"reason": "test"})

    def extend_tenant(self, more: dict[str, Any]) -> None:
        """Write more into the account's entry of the tenants file."""
        file = self.home / "tenants.toml"
        (entry,) = msgspec.toml.decode(file.read_bytes())["tenant"]
        file.write_bytes(msgspec.toml.encode({"tenant": [entry | more]}))

    def stop_sinks(self) -> None:
        for process in self.sinks:
            process.kill()
            process.wait()
        self.sinks.clear()

    def close(self) -> None:
        """End the sink and the sandbox."""
        self.stop_sinks()
        for process in self.processes:
            process.kill()
            process.wait()

    def charges_of(self, bill: dict[str, Any], actor: str = "api") -> list[dict[str, Any]]:
        return [one for one in self.truth()["attempts"] if one["invoice"] == bill["id"] and one["actor"] == actor]


def make_world(kafka: str, home: Path, customers: int = 2600, speed: float = 400_000.0, business_days: float = 20.0) -> World:
    """A sandbox of its own in `home` in which `business_days` have passed; the caller closes it."""
    world = World(home, kafka, f"acct_{zlib.crc32(str(home).encode())}")
    try:
        _start_sandbox(world, customers, speed)
        _let_time_pass(world, business_days * 86400, speed)
        _write_tenants(world)
    except BaseException:
        world.close()
        raise
    return world


def _start_sandbox(world: World, customers: int, speed: float) -> None:
    home, ready = world.home / "sandbox", world.home / "sandbox.ready"
    home.mkdir()
    command = [sys.executable, "-m", "sandbox", "serve", "--home", str(home), "--account", world.account, "--api-key", KEY]
    with (world.home / "sandbox.log").open("wb") as output:
        process = subprocess.Popen(
            [*command, "--customers", str(customers), "--speed", str(speed)],
            cwd=REPOSITORY,
            env={**os.environ, "DUNLIN_READY_FILE": str(ready)},
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
    world.processes.append(process)
    until(lambda: ready.exists() or process.poll() is not None, PATIENCE, "the sandbox to be ready")
    assert process.poll() is None, (world.home / "sandbox.log").read_text()[-3000:]
    told = msgspec.json.decode((home / "sandbox.json").read_bytes())
    world.base, world.smtp_port = told["api_base"], _port(told)
    world.clock_file = home / "clock.json"


def _port(told: dict[str, Any]) -> int:
    return int(next(value for name, value in told.items() if "smtp" in name and isinstance(value, int)))


def _let_time_pass(world: World, seconds: float, speed: float) -> None:
    """Let the sandbox live so long, no faster than it can follow: one that is behind would be far beyond before it hears of the hold."""
    asked("POST", f"{world.base}/_start")
    start, pace = world.now(), speed

    def passed() -> bool:
        nonlocal pace
        begun = time.monotonic()
        asked("GET", f"{world.base}/_clock")
        if time.monotonic() - begun > BEHIND and pace > SLOWEST:
            pace = max(SLOWEST, pace / 2)
            asked("POST", f"{world.base}/_clock/speed", json={"speed": pace})
        return world.now() - start > timedelta(seconds=seconds)

    until(passed, PATIENCE, "business time to pass")
    # Once only: a hold counts, and each has to be released.
    httpx.post(f"{world.base}/_clock/hold", json={"reason": "test"}, timeout=PATIENCE).raise_for_status()


def _write_tenants(world: World) -> None:
    for name, text in (("key", KEY), ("secrets", a_secret("effects"))):
        path = world.home / name
        path.touch(mode=0o600)
        path.write_text(text)
    (world.home / "tenants.toml").write_text(
        f'[[tenant]]\naccount = "{world.account}"\nname = "Northwind Coffee"\napi_key_file = "key"\nwebhook_secrets_file = "secrets"\n'
    )

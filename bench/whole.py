"""What does the whole cost? The real stack under webhooks of the sandbox's mix, at given rates, without the sandbox's own cost.

Kafka, ClickHouse, gateway, ticker, stream worker, warehouse sink, effects sink and the daily card search run as `dunlin demo` runs
them. The world around them (customers, banks, Stripe's API, mail server, the merchant's endpoint: `whole_world.py`) is one process
whose CPU is not counted. Business time runs as fast as the wanted rate requires, and slower while the pipeline is behind; a rate that
is not reached for that reason is printed as not sustained.

First a month is lived as fast as the pipeline allows: a search by the backlog, whose rate is `saturation_per_s`. Its mix is printed
beside that of a demonstration. Then each rate is held for `--seconds`, and last a rate of payments that went well, which ask for no
effect. The last line is one JSON object; `cpu_ms_per_webhook` is that at `--judge` webhooks a second, `p99_ms` that at twice that.

    python bench/whole.py [--rates 50,100,200,500] [--seconds 18] [--customers 9000] [--month 75] [--keep FOLDER]
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import threading
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from bench.support.whole_cpu import cpu_of_parts  # noqa: E402 - the path of the checkout is set above
from bench.support.whole_pace import Pace  # noqa: E402
from bench.support.whole_rows import Told, effects_of, open_effects, rows_of  # noqa: E402
from bench.support.whole_world import DAY, SECRET  # noqa: E402
from dunlin.demo import world as demo  # noqa: E402
from dunlin.stack import state  # noqa: E402
from dunlin.stack.local_stack import local_parts, settle_ports  # noqa: E402
from dunlin.stack.ports import HOST, free_ports  # noqa: E402
from dunlin.stack.service import Service  # noqa: E402
from dunlin.stack.services import LocalPorts  # noqa: E402
from dunlin.stack.supervisor import Stack  # noqa: E402
from recovery.adapters.clickhouse import client  # noqa: E402
from recovery.adapters.clock import wall  # noqa: E402
from recovery.config import from_env  # noqa: E402

ONE_SHOTS = {"topics", "migrate", "policies"}
DAYS = 120.0
"""How long ago business begins: more than all rates together use up, for it must not reach the wall."""
PER_CUSTOMER_AND_DAY = 0.18
"""Webhooks, roughly; only the first guess of the speed."""
LOOK_SECONDS = 0.5
SETTLE_SECONDS = 3.0
FINDING = 0.3
"""Share of the month in which the highest rate is looked for; the rest is measured."""
SUSTAINED = 0.95
DEMO_MIX = {"webhooks_per_case": 24.4, "effects_per_webhook": 0.27, "never_failed": 0.85}
"""A month of `dunlin demo` with 2,000 customers and seed 7."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What happened in one window; CPU in milliseconds per webhook, by part."""

    wanted: float
    reached: float
    seconds: float
    webhooks: int
    cpu: dict[str, float]
    told: Told
    effects: dict[str, int]
    counts: dict[str, float]

    @property
    def cpu_ms(self) -> float:
        return sum(self.cpu.values())

    @property
    def sustained(self) -> bool:
        return self.reached >= SUSTAINED * self.wanted

    def figures(self) -> dict[str, Any]:
        effects = sum(self.effects.values())
        return {
            "wanted_per_s": self.wanted,
            "reached_per_s": round(self.reached, 1),
            "sustained": self.sustained,
            "cpu_ms_per_webhook": round(self.cpu_ms, 2),
            "cpu_ms_by_part": {name: round(ms, 2) for name, ms in self.cpu.items()},
            "p50_ms": round(self.told.p50_ms),
            "p99_ms": round(self.told.p99_ms),
            "effects_per_s": round(effects / self.seconds, 1),
            "effects_per_webhook": round(effects / max(1, self.webhooks), 3),
            "expired": self.told.expired,
        }


class Bench:
    """One running stack and its world."""

    def __init__(self, home: Path, world: str, options: argparse.Namespace) -> None:
        parts = state.read(home)
        assert parts is not None  # the stack is ready, so it has written it
        self._home, self._world, self._options = home, world, options
        self._pids = {name: part.pid for name, part in parts.parts.items() if part.pid and name not in {*ONE_SHOTS, "world"}}
        self._warehouse = client(parts.parts["clickhouse"].urls["admin"])
        self._speed_of_one = DAY / (options.customers * PER_CUSTOMER_AND_DAY)

    def hold(self, wanted: float, settle: float, seconds: float, days: float = 1e9) -> Measured:
        """Keep a rate, or as much of it as the pipeline bears, for some seconds or until business has come to a day.

        The first `settle` seconds are not counted.
        """
        pace = Pace(wanted, self._speed_of_one)
        self._ask("_speed", value=pace.speed)
        self._pass(settle, pace, days)
        began, clock = wall(), time.monotonic()
        counts, cpu = self._counts(), cpu_of_parts(self._pids)
        self._pass(seconds, pace, days)
        after, spent = self._counts(), cpu_of_parts(self._pids)
        took, ended = time.monotonic() - clock, wall()
        self._ask("_speed", value=0.001)
        self._speed_of_one = pace.speed_of_one
        self._rest()
        return self._measured(wanted, took, (counts, after), (cpu, spent), (began.timestamp(), ended.timestamp()))

    def idle(self, seconds: float) -> dict[str, float]:
        """Milliseconds of CPU a second of each part while nothing comes and business time stands."""
        before, began = cpu_of_parts(self._pids), time.monotonic()
        time.sleep(seconds)
        after, took = cpu_of_parts(self._pids), time.monotonic() - began
        return {name: round((after[name] - before[name]) * 1e3 / took, 1) for name in after}

    def facts(self, wanted: float, seconds: float) -> Measured:
        """Payments that went well at an even rate while business time stands."""
        self._ask("_facts", rate=wanted, seconds=seconds + SETTLE_SECONDS)
        time.sleep(SETTLE_SECONDS)
        began, clock = wall(), time.monotonic()
        counts, cpu = self._counts(), cpu_of_parts(self._pids)
        while time.monotonic() < clock + seconds - 1.0:
            time.sleep(0.5)
        after, spent = self._counts(), cpu_of_parts(self._pids)
        took, ended = time.monotonic() - clock, wall()
        self._rest()
        return self._measured(wanted, took, (counts, after), (cpu, spent), (began.timestamp(), ended.timestamp()))

    def _measured(
        self,
        wanted: float,
        took: float,
        counts: tuple[dict[str, float], dict[str, float]],
        cpu: tuple[dict[str, float], dict[str, float]],
        window: tuple[float, float],
    ) -> Measured:
        webhooks = int(counts[1]["accepted"] - counts[0]["accepted"])
        return Measured(
            wanted=wanted,
            reached=webhooks / took,
            seconds=took,
            webhooks=webhooks,
            cpu={name: (cpu[1][name] - cpu[0][name]) * 1e3 / max(1, webhooks) for name in cpu[1]},
            told=rows_of(self._warehouse, demo.ACCOUNT, *window),
            effects=effects_of(self._home / "ledger.sqlite", *window),
            counts=counts[1],
        )

    def _pass(self, seconds: float, pace: Pace, days: float) -> None:
        until, shown = time.monotonic() + seconds, time.monotonic()
        before, at = self._counts(), time.monotonic()
        while time.monotonic() < until and before["days"] < days:
            time.sleep(LOOK_SECONDS)
            now, counts = time.monotonic(), self._counts()
            rate = (counts["accepted"] - before["accepted"]) / (now - at)
            behind = rows_of(self._warehouse, demo.ACCOUNT, time.time() - 30, time.time()).behind_s
            waiting = counts["waiting"] + open_effects(self._home / "ledger.sqlite")
            if pace.adapt(rate, behind, waiting):
                self._ask("_speed", value=pace.speed)
            before, at = counts, now
            if now - shown >= 5:
                shown = now
                print(f"  day {counts['days']:.1f}, {rate:.0f} webhooks/s, rows {behind:.1f} s behind, {waiting:.0f} open", flush=True)

    def _rest(self) -> None:
        """Wait, for at most 15 s, until what is under way has ended."""
        until = time.monotonic() + 15
        while time.monotonic() < until:
            if self._counts()["waiting"] + open_effects(self._home / "ledger.sqlite") == 0:
                break
            time.sleep(0.2)
        time.sleep(1.0)

    def _counts(self) -> dict[str, float]:
        return self._ask("_counts")

    def _ask(self, path: str, **values: float) -> dict[str, float]:
        query = "&".join(f"{name}={value}" for name, value in values.items())
        with urllib.request.urlopen(f"{self._world}/{path}?{query}", timeout=60) as answer:
            return json.load(answer)  # type: ignore[no-any-return]  # JSON of our own


def main() -> None:
    """Measure and print."""
    options = arguments()
    home = Path(options.keep or tempfile.mkdtemp(prefix="dunlin-bench-")) / "home"
    variables, parts, world = parts_of(home, options)
    with (home.parent / "stack.log").open("w") as log:
        stack = Stack(parts, home=home, environment=variables, clock=wall, out=log, quiet=True)
        code: list[int] = []
        run(stack, lambda: code.append(measure(Bench(home, world, options), options)), log)
    if not options.keep:
        shutil.rmtree(home.parent, ignore_errors=True)
    sys.exit(code[0] if code else 1)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", default="50,100,200,500", help="webhooks a second, ascending")
    parser.add_argument("--seconds", type=float, default=18, help="how long each rate is held")
    parser.add_argument("--customers", type=int, default=9_000, help="of the imaginary merchant; fewer make business time run faster")
    parser.add_argument("--month", type=float, default=75, help="seconds that the month as fast as possible may take; 0 leaves it out")
    parser.add_argument("--facts", type=float, default=500, help="webhooks a second that ask for no effect; 0 leaves them out")
    parser.add_argument("--idle", type=float, default=5, help="seconds in which nothing comes, first; 0 leaves them out")
    parser.add_argument("--judge", type=float, default=100, help="the rate whose CPU is cpu_ms_per_webhook")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--keep", help="an empty folder for logs and data, kept afterwards")
    return parser.parse_args()


def parts_of(home: Path, options: argparse.Namespace) -> tuple[dict[str, str], list[Service], str]:
    """The environment and parts of a stack whose world is ours, and the address of that world."""
    port, smtp_port = free_ports(2)
    place = demo.SandboxPlace(home=home / "world", port=port, smtp_port=smtp_port)
    place.home.mkdir(parents=True)
    demo.write_tenant(home, place)
    (home / "secrets" / "webhook.secrets").write_text(f"{SECRET}\n")
    variables = dict(os.environ) | demo.environment(home, place) | {"DUNLIN_GATEWAY_PORT": "0", "DUNLIN_DASHBOARD_PORT": "0"}
    settings, local = settle_ports(from_env(variables), LocalPorts(kafka=0, kafka_controller=0, clickhouse_http=0, clickhouse_tcp=0))
    gateway = f"{settings.gateway_host}:{settings.gateway_port}"
    words = (str(place.home), str(port), str(smtp_port), gateway, str(options.customers), str(DAYS), str(options.seed))
    world = Service(
        name="world", wave=0, argv=(sys.executable, str(REPOSITORY / "bench" / "support" / "whole_world.py"), *words), cwd=REPOSITORY
    )
    parts = [part for part in local_parts(settings, local) if part.name != "dashboard"]
    return variables, [world, *parts], f"http://{HOST}:{port}"


def run(stack: Stack, work: Any, log: TextIO) -> None:
    """Run the stack until the work is done."""

    def ready(seconds: float) -> None:
        print(f"the stack is ready in {seconds:.1f} s", flush=True)
        try:
            work()
        finally:
            stack.request_stop()

    print("starting the stack", flush=True)
    threading.current_thread().name = "bench"
    stack.run(ready)
    log.flush()


def measure(bench: Bench, options: argparse.Namespace) -> int:
    """All windows, each with a line, and the JSON at the end."""
    figures: dict[str, Any] = {"bench": "whole"}
    if options.idle:
        time.sleep(SETTLE_SECONDS)
        figures["idle_ms_per_s"] = idle = bench.idle(options.idle)
        print(f"idle: {sum(idle.values()):.0f} ms of CPU a second ({in_words(idle)})", flush=True)
    if options.month:
        print("a month as fast as the pipeline allows", flush=True)
        month = bench.hold(float("inf"), options.month * FINDING, options.month * (1 - FINDING), 30.0)
        show(month)
        mix = mix_of(month)
        figures |= {"saturation_per_s": round(month.reached, 1), "month": month.figures(), "mix": mix}
        print(f"mix by day {month.counts['days']:.0f}: {words_of(mix)}; a demonstration: {words_of(DEMO_MIX)}", flush=True)
    rates = [float(rate) for rate in options.rates.split(",") if rate]
    found = {}
    for rate in rates:
        print(f"{rate:.0f} webhooks/s", flush=True)
        found[rate] = bench.hold(rate, SETTLE_SECONDS, options.seconds)
        show(found[rate])
    if options.facts:
        print(f"{options.facts:.0f} webhooks/s that ask for no effect", flush=True)
        calm = bench.facts(options.facts, options.seconds)
        show(calm)
        figures |= {"facts_only": calm.figures()}
    sustained = [rate for rate, one in found.items() if one.sustained]
    figures.setdefault("saturation_per_s", max(sustained, default=0.0))
    figures["rates"] = {f"{rate:g}": one.figures() for rate, one in found.items()}
    judged, slow = found.get(options.judge), found.get(2 * options.judge)
    figures["cpu_ms_per_webhook"] = None if judged is None else round(judged.cpu_ms, 2)
    figures["p99_ms"] = None if slow is None else round(slow.told.p99_ms)
    print(json.dumps(figures))
    return 0


def mix_of(month: Measured) -> dict[str, float]:
    """What a demonstration is compared by, from the beginning of the month on."""
    counts = month.counts
    return {
        "webhooks_per_case": round(counts["accepted"] / max(1.0, counts["cases"]), 1),
        "effects_per_webhook": round(sum(month.effects.values()) / max(1, month.webhooks), 3),
        "never_failed": round(1 - counts["failed_customers"] / max(1.0, counts["billed"]), 3),
    }


def words_of(mix: dict[str, float]) -> str:
    return (
        f"{mix['webhooks_per_case']:.1f} webhooks per case, {mix['effects_per_webhook']:.2f} effects per webhook, "
        f"{mix['never_failed']:.0%} of the customers never failed"
    )


def in_words(cpu: dict[str, float]) -> str:
    return ", ".join(f"{name} {ms:.2f}" for name, ms in sorted(cpu.items(), key=lambda item: -item[1]))


def show(one: Measured) -> None:
    kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(one.effects.items(), key=lambda item: -item[1]))
    word = "" if one.sustained else " (NOT SUSTAINED)"
    print(f"  {one.reached:.0f} webhooks/s{word} for {one.seconds:.0f} s: {one.cpu_ms:.2f} ms of CPU each ({in_words(one.cpu)})")
    print(f"  webhook to row p50 {one.told.p50_ms:.0f} ms, p99 {one.told.p99_ms:.0f} ms; ", end="")
    print(f"{sum(one.effects.values()) / one.seconds:.1f} effects/s ({kinds}); {one.told.expired} expired", flush=True)


if __name__ == "__main__":
    main()

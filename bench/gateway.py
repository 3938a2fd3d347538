"""How fast is the gateway? The real one with a real broker against the same uvicorn answering 200 to the same bytes, in one run.

Prints accepted webhooks per second, p50 and p99, and CPU microseconds per request of the server process for both.
The last line is one JSON object; aims: `ratio` at least 0.4, `cpu_ratio` at most 2.5, `p99_ms` at most 10.

    python bench/gateway.py [--seconds 8] [--rounds 2] [--connections 64]
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
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from bench.support.broker import broker  # noqa: E402 - the path of the checkout is set above
from bench.support.gateway_load import SECRET  # noqa: E402

TENANTS = """\
[[tenant]]
account = "acct_bench"
name = "Bench"
api_key_file = "key"
webhook_secrets_file = "secrets"
"""
WARM_SECONDS = 3.0
"""A broker just started compiles its hot paths during the first seconds; they are not counted."""


class Speed(NamedTuple):
    """What one server did under load."""

    rate: float
    p50_ms: float
    p99_ms: float
    cpu_us: float


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seconds", type=float, default=8)
    arguments.add_argument("--rounds", type=int, default=2)
    arguments.add_argument("--connections", type=int, default=64)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="dunlin-bench-") as directory:
        folder = Path(directory)
        print("starting a broker", flush=True)
        with broker("bench") as bootstrap, gateway(folder, bootstrap) as real, bare(folder) as plain:
            servers = {"bare server": plain, "gateway": real}
            speeds: dict[str, list[Speed]] = {name: [] for name in servers}
            for name, (server, address) in servers.items():
                print(f"warming the {name}", flush=True)
                measure(server, address, WARM_SECONDS, options.connections, f"warm-{name.split()[0]}")
            for number in range(options.rounds):
                for name, (server, address) in servers.items():
                    speeds[name].append(measure(server, address, options.seconds, options.connections, f"{number}"))
                    print(f"{name}: {describe(speeds[name][-1])}", flush=True)
    report(*(median(each) for each in speeds.values()))


def report(plain: Speed, real: Speed) -> None:
    figures = {
        "bench": "gateway",
        "ratio": round(real.rate / plain.rate, 3),
        "accepted_per_s": round(real.rate),
        "bare_per_s": round(plain.rate),
        "cpu_ratio": round(real.cpu_us / plain.cpu_us, 2),
        "cpu_us": round(real.cpu_us, 1),
        "bare_cpu_us": round(plain.cpu_us, 1),
        "p50_ms": round(real.p50_ms, 2),
        "p99_ms": round(real.p99_ms, 2),
    }
    print(json.dumps(figures))


def describe(speed: Speed) -> str:
    return f"{speed.rate:,.0f} answers/s, p50 {speed.p50_ms:.1f} ms, p99 {speed.p99_ms:.1f} ms, {speed.cpu_us:.0f} us of CPU each"


def median(speeds: list[Speed]) -> Speed:
    return Speed(*(statistics.median(column) for column in zip(*speeds, strict=True)))


def measure(server: "subprocess.Popen[bytes]", address: str, seconds: float, connections: int, run: str) -> Speed:
    command = [sys.executable, str(REPOSITORY / "bench" / "support" / "gateway_load.py"), address]
    before = cpu_seconds(server.pid)
    done = subprocess.run([*command, str(seconds), str(connections), run], check=True, capture_output=True)
    spent, found = cpu_seconds(server.pid) - before, json.loads(done.stdout)
    if set(found["answers"]) != {"200"}:
        raise SystemExit(f"Not every answer was 200: {found['answers']}. The figures would mean nothing.")
    return Speed(found["rate"], found["p50_ms"], found["p99_ms"], spent / found["answers"]["200"] * 1e6)


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def gateway(folder: Path, bootstrap: str) -> Iterator["tuple[subprocess.Popen[bytes], str]"]:
    for name, content in {"tenants.toml": TENANTS, "key": "sk_test_bench\n", "secrets": f"{SECRET}\n"}.items():
        (folder / name).write_text(content)
        (folder / name).chmod(0o600)
    ready = folder / "gateway.ready"
    settings = {
        "DUNLIN_HOME": str(folder),
        "DUNLIN_KAFKA_BOOTSTRAP": bootstrap,
        "DUNLIN_GATEWAY_PORT": "0",
        "DUNLIN_READY_FILE": str(ready),
    }
    with program(folder, [sys.executable, "-m", "producers", "gateway"], settings) as server:
        wait(ready.exists, server, "the gateway")
        yield server, ready.read_text().strip()


@contextlib.contextmanager
def bare(folder: Path) -> Iterator["tuple[subprocess.Popen[bytes], str]"]:
    ready = folder / "bare.ready"
    with program(folder, [sys.executable, str(REPOSITORY / "bench" / "support" / "gateway_bare.py"), str(ready)], {}) as server:
        wait(lambda: ready.exists() and ready.read_text().strip(), server, "the bare server")
        yield server, ready.read_text().strip()


@contextlib.contextmanager
def program(folder: Path, command: list[str], settings: dict[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    with (folder / "output.log").open("ab") as output:
        server = subprocess.Popen(command, cwd=REPOSITORY, env={**os.environ, **settings}, stdout=output, stderr=output)
        try:
            yield server
        finally:
            server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def wait(condition, server: "subprocess.Popen[bytes]", what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        if server.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"{what} did not start; look for the reason with the same command in a shell.")
        time.sleep(0.05)


if __name__ == "__main__":
    main()

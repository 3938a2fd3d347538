"""A database brought up to date, and programs that a test may kill."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dunlin.clickhouse_server import users
from dunlin.stack.ports import free_ports, is_open
from recovery.adapters import clickhouse
from sinks.warehouse import migrate
from tests.support.waiting import until

REPOSITORY = Path(__file__).resolve().parents[4]


class Program:
    """One of our programs, which can be killed like a machine kills and started again."""

    def __init__(self, module: str, *arguments: str, log: Path, env: dict[str, str] | None = None) -> None:
        self.command = [sys.executable, "-m", module, *arguments]
        self.log, self.env, self.process = log, {**os.environ, **(env or {})}, None

    def start(self) -> None:
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(self.command, cwd=REPOSITORY, env=self.env, stdout=out, stderr=out, stdin=subprocess.DEVNULL)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.process.returncode

    def said(self) -> str:
        return self.log.read_text(errors="replace")


@pytest.fixture(scope="session")
def migrated(clickhouse):
    """The shared ClickHouse with our tables."""
    migrate.run(clickhouse.url("sink"), lambda _: None)
    return clickhouse


@pytest.fixture
def database(migrated) -> Iterator[Callable]:
    """Empty tables of the shared ClickHouse; a function that asks it, as another user than the sink."""
    server = clickhouse.client(migrated.url("admin"))
    for table in ("events", "case_state"):
        server.command(f"TRUNCATE TABLE dunlin.{table} SYNC")
    yield lambda sql: server.query(sql).result_rows
    server.close()


@pytest.fixture
def own_clickhouse(clickhouse, tmp_path) -> Iterator[tuple[Program, str]]:
    """A ClickHouse of the test's own, to be killed; with its address."""
    http, tcp = free_ports(2)
    root = tmp_path / "clickhouse"
    options = ["--root", str(root), "--http-port", str(http), "--tcp-port", str(tcp)]
    program = Program("dunlin.clickhouse_server", *options, log=tmp_path / "clickhouse.log")
    program.start()
    until(lambda: is_open(http), 60, "ClickHouse to listen")
    url = users.url(root, http, "sink")
    migrate.run(url, lambda _: None)
    yield program, url
    program.stop()


@pytest.fixture
def own_kafka(kafka, tmp_path) -> Iterator[tuple[Program, str]]:
    """A broker of the test's own, to be killed; with its address."""
    port, controller = free_ports(2)
    options = ["--root", str(tmp_path / "kafka"), "--port", str(port), "--controller-port", str(controller)]
    program = Program("dunlin.kafka_server", *options, log=tmp_path / "kafka.log")
    program.start()
    until(lambda: is_open(port), 120, "Kafka to listen")
    yield program, f"127.0.0.1:{port}"
    program.stop()


@pytest.fixture
def sink(tmp_path) -> Iterator[Callable[..., Program]]:
    """Makes warehouse sinks."""
    made: list[Program] = []

    def make(bootstrap: str, url: str, app_id: str) -> Program:
        env = {
            "DUNLIN_HOME": str(tmp_path),
            "DUNLIN_KAFKA_BOOTSTRAP": bootstrap,
            "DUNLIN_CLICKHOUSE_URL": url,
            "DUNLIN_APP_ID": app_id,
            "DUNLIN_READY_FILE": str(tmp_path / f"ready-{len(made)}"),
        }
        program = Program("sinks", "warehouse", log=tmp_path / f"sink-{len(made)}.log", env=env)
        program.ready = tmp_path / f"ready-{len(made)}"
        made.append(program)
        program.start()
        return program

    yield make
    for program in made:
        program.stop()

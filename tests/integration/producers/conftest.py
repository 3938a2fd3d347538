"""A broker that a test may stop and start again, and the real gateway in front of it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from dunlin.stack.ports import HOST, free_ports, is_open
from recovery.adapters.kafka import consumer, create_topics
from tests.support.waiting import until
from tests.unit.producers.stripe_objects import SECRET, signed

REPOSITORY = Path(__file__).resolve().parents[3]
TENANTS = """\
[[tenant]]
account = "acct_1"
name = "Heron"
api_key_file = "key"
webhook_secrets_file = "secrets"
[tenant.policy]
mode = "act"
"""


class Program:
    """A child process with its output in a file; stopped by signal and awaited."""

    def __init__(self, folder: Path, command: list[str], settings: dict[str, str]) -> None:
        self._log = folder / "output.log"
        with self._log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=REPOSITORY,
                env={**os.environ, **settings},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def until(self, condition: Callable[[], object], what: str, seconds: float = 60) -> None:
        def ready() -> object:
            assert self.process.poll() is None, f"left before {what}: {self._log.read_text()[-2000:]}"
            return condition()

        until(ready, seconds, what)

    def stop(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(30)


class Broker:
    """A real broker of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port, self._controller = free_ports(2)
        self.bootstrap = f"{HOST}:{self.port}"
        self.start()
        create_topics(self.bootstrap, "dunlin", 4)

    def start(self) -> None:
        options = ["--root", str(self._folder / "kafka"), "--port", str(self.port), "--controller-port", str(self._controller)]
        self._program = Program(self._folder, ["dunlin.kafka_server", *options], {})
        self._program.until(lambda: is_open(self.port), "the broker listens")

    def stop(self) -> None:
        self._program.stop()
        until(lambda: not is_open(self.port), 20, "the broker to be gone")

    def values(self, topic: str, enough: Callable[[list[bytes]], bool]) -> list[bytes]:
        """All values of a topic, once there are enough."""
        reader = consumer(self.bootstrap, f"test-{time.monotonic_ns()}")
        reader.subscribe([topic])
        found: list[bytes] = []

        def read() -> bool:
            found.extend(message.value() for message in reader.consume(1000, 0.2) if not message.error())
            return enough(found)

        try:
            until(read, 30, f"the messages of {topic}")
        finally:
            reader.close()
        return found


class RunningGateway:
    """The real process, addressed as Stripe does."""

    def __init__(self, folder: Path, bootstrap: str) -> None:
        for name, content in {"tenants.toml": TENANTS, "key": "sk_test_1\n", "secrets": f"{SECRET}\n"}.items():
            (folder / name).write_text(content)
            (folder / name).chmod(0o600)
        ready = folder / "gateway.ready"
        self.settings = {"DUNLIN_HOME": str(folder), "DUNLIN_KAFKA_BOOTSTRAP": bootstrap, "DUNLIN_READY_FILE": str(ready)}
        self.program = Program(folder, ["producers", "gateway"], {**self.settings, "DUNLIN_GATEWAY_PORT": "0"})
        self.program.until(ready.exists, "the gateway is ready")
        self.client = httpx.Client(base_url=f"http://{ready.read_text().strip()}", timeout=20)

    def post(self, body: bytes) -> httpx.Response:
        header = signed(body, at=int(time.time())).decode()
        return self.client.post("/api/stripe/webhook", content=body, headers={"Stripe-Signature": header})


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    made = Broker(tmp_path_factory.mktemp("broker"))
    yield made
    made.stop()


@pytest.fixture
def gateway(broker: Broker, tmp_path: Path) -> Iterator[RunningGateway]:
    running = RunningGateway(tmp_path, broker.bootstrap)
    yield running
    running.client.close()
    running.program.stop()

"""A broker, a stream worker and the commands of the front door, without the rest of the stack."""

import os
import subprocess
import sys
import time
from pathlib import Path

from dunlin.stack.ports import HOST, free_ports, is_open
from recovery.adapters import clickhouse
from recovery.adapters.kafka import Publisher, consumer, create_topics
from recovery.contracts.encoding.codec import decode_event, encode
from recovery.contracts.topics import EVENTS, FACTS
from recovery.contracts.warehouse import EVENT_COLUMNS
from recovery.ids import stream_key
from sinks.warehouse import migrate, rows
from tests.support.waiting import until
from tests.unit.producers.stripe_objects import SECRET

REPOSITORY = Path(__file__).resolve().parents[3]
TENANTS = """\
[[tenant]]
account = "acct_1"
name = "Heron"
api_key_file = "key"
webhook_secrets_file = "secrets"
[tenant.policy]
mode = "act"
test_first_invoices = false
"""


class SmallStack:
    """A broker of its own, the worker, and the commands."""

    def __init__(self, start, folder: Path, worker: str = "") -> None:
        port, controller = free_ports(2)
        self.bootstrap = f"{HOST}:{port}"
        start("-m", "dunlin.kafka_server", "--root", folder / "kafka", "--port", port, "--controller-port", controller)
        until(lambda: is_open(port), 60, "the broker to listen")
        create_topics(self.bootstrap, "dunlin", 2, 1)
        for name, content in {"tenants.toml": TENANTS, "key": "sk_test_1\n", "secrets": f"{SECRET}\n"}.items():
            (folder / name).write_text(content)
            (folder / name).chmod(0o600)
        self.environment = {
            **os.environ,
            "DUNLIN_HOME": str(folder),
            "DUNLIN_KAFKA_BOOTSTRAP": self.bootstrap,
            "DUNLIN_PARTITIONS": "2",
            "COLUMNS": "200",
        }
        self.start = start
        self.worker = self.start_worker(worker)
        self._reader = consumer(self.bootstrap, f"test-{time.monotonic_ns()}")
        self._reader.subscribe([EVENTS.name])
        self.events = []
        self._publisher = Publisher(self.bootstrap)

    def start_worker(self, code: str = ""):
        """A worker, or one that runs `code` before it starts."""
        program = ("-c", f"{code}\nfrom streams.__main__ import main\nmain(['worker'])") if code else ("-m", "streams", "worker")
        return self.start(*program, env=self.environment)

    def close(self) -> None:
        self._reader.close()

    def run(self, *words: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", *words]
        done = subprocess.run(command, cwd=REPOSITORY, env=self.environment, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == code, done.stdout + done.stderr
        return done

    def tell(self, *facts) -> None:
        for fact in facts:
            self._publisher.send(FACTS.name, stream_key(fact.account, fact.customer), encode(fact))
        self._publisher.flush()

    def heard(self, event_type: str, count: int = 1):
        """The events of a type, once there are so many."""

        def those():
            found = [message for message in self._reader.consume(100, 0.1) if message.error() is None]
            self.events += [(decode_event(message.value()), message) for message in found]
            matching = [event for event, _ in self.events if event.event_type == event_type]
            return matching if len(matching) >= count else None

        until(those, 60, f"{count} x {event_type}")
        return those()

    def keep(self, url: str) -> None:
        """Write what was heard of the account to the warehouse at `url`."""
        migrate.run(url, lambda _: None)
        client = clickhouse.client(url)
        lines = [
            rows.line(message.value(), message.topic(), message.partition(), message.offset())
            for event, message in self.events
            if event.account == "acct_1"
        ]
        client.raw_insert("dunlin.events", column_names=list(EVENT_COLUMNS), insert_block=b"\n".join(lines), fmt=rows.FORMAT)
        client.close()

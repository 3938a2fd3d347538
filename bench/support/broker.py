"""A real, empty broker for a measurement, gone afterwards."""

import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from dunlin.stack.ports import HOST, free_ports, is_open
from recovery.adapters.kafka import create_topics

REPOSITORY = Path(__file__).resolve().parents[2]
PARTITIONS = 4
STARTS_WITHIN = 300
"""Seconds; the first start of a machine fetches Kafka's jars."""


@contextlib.contextmanager
def broker(*apps: str) -> Iterator[str]:
    """The address of a broker that has the topics of each app id."""
    port, controller = free_ports(2)
    with tempfile.TemporaryDirectory(prefix="dunlin-bench-") as root:
        options = ["--root", f"{root}/kafka", "--port", str(port), "--controller-port", str(controller)]
        command = [sys.executable, "-m", "dunlin.kafka_server", *options]
        server = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        try:
            deadline = time.monotonic() + STARTS_WITHIN
            while not is_open(port):
                if server.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit("the broker did not start; `dunlin doctor` may know why")
                time.sleep(0.1)
            for app in apps:
                create_topics(f"{HOST}:{port}", app, PARTITIONS)
            yield f"{HOST}:{port}"
        finally:
            server.terminate()
            server.wait(60)

"""Our own servers of Kafka and ClickHouse as a test starts them: under a tether, so that they end with it, however it ends."""

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from dunlin.stack.ports import HOST, free_ports, is_open
from tests.support.waiting import until

REPOSITORY = Path(__file__).resolve().parents[3]


@contextlib.contextmanager
def kafka_server() -> Iterator[str]:
    """A real, empty Kafka broker; gives its bootstrap address."""
    port, controller = free_ports(2)
    with tempfile.TemporaryDirectory(prefix="dunlin-test-kafka-") as directory:
        options = ["--port", str(port), "--controller-port", str(controller)]
        with running("dunlin.kafka_server", Path(directory), options, port):
            yield f"{HOST}:{port}"


class running:
    """Run one of our servers under a tether until the block is left, however it or this process ends."""

    def __init__(self, module: str, root: Path, options: list[str], port: int) -> None:
        self._module, self._root, self._options, self._port = module, root, options, port

    def __enter__(self) -> None:
        self._output = (self._root / "output.log").open("wb")
        reading, self._life = os.pipe()
        tether = [sys.executable, str(REPOSITORY / "dunlin" / "stack" / "parent_watchdog.py"), str(reading), "20", "--"]
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
            until(self._answers, 120, f"{self._module} to listen")
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

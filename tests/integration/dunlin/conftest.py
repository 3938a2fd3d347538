"""Programs of the stack, started by a test and gone after it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.waiting import until

REPOSITORY = Path(__file__).resolve().parents[3]


class Program:
    """A running program whose output can be read while it runs."""

    def __init__(self, argv: list[str], output: Path, env: dict[str, str]) -> None:
        self._output = output
        with output.open("wb") as out:
            self.process = subprocess.Popen(
                argv, cwd=REPOSITORY, env={**os.environ, **env}, stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )

    @property
    def said(self) -> str:
        return self._output.read_text(errors="replace")

    def says(self, text: str, seconds: float = 60.0) -> None:
        """Wait until it has said `text`."""
        until(lambda: text in self.said or (self.process.poll() is not None and self._fail(text)), seconds, f"{text!r}")

    def _fail(self, text: str) -> bool:
        raise AssertionError(f"left with {self.process.returncode} without saying {text!r}: {self.said[-3000:]}")

    def left(self, seconds: float = 60.0) -> int:
        """Wait for its end; gives the exit code."""
        return self.process.wait(seconds)

    def stop(self, sign: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(sign)
        return self.left()


Start = Callable[..., Program]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a Python module or script: `start("-m", "dunlin", "up", env={...})`."""
    programs: list[Program] = []

    def start_one(*args: object, env: dict[str, str] | None = None) -> Program:
        output = tmp_path / f"output-{len(programs)}.txt"
        programs.append(Program([sys.executable, *map(str, args)], output, env or {}))
        return programs[-1]

    yield start_one
    for program in reversed(programs):  # a worker ends sooner while its broker is there
        if program.process.poll() is None:
            program.process.terminate()
            try:
                program.process.wait(40)
            except subprocess.TimeoutExpired:
                program.process.kill()
                program.process.wait()


def is_alive(pid: int) -> bool:
    """Tell whether a process exists and is not merely waiting to be collected."""
    command = ["ps", "-o", "stat=", "-p", str(pid)]
    stat = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return bool(stat.strip()) and not stat.strip().startswith("Z")


@pytest.fixture(scope="session")
def alive() -> Callable[[int], bool]:
    return is_alive


@pytest.fixture
def told() -> Callable[[Path], dict]:
    """Read the parts out of a home's state file."""
    return lambda home: json.loads((home / "run" / "stack.json").read_text())["parts"]

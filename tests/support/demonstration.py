"""A demonstration run as a user runs it, and the means to disturb it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from dunlin.stack import state
from tests.support.waiting import until

REPOSITORY = Path(__file__).resolve().parents[2]


class Demonstration:
    """A running `dunlin demo` in its own home."""

    def __init__(self, home: Path, process: "subprocess.Popen[bytes]") -> None:
        self.home, self.process = home / "demo", process
        self.environment = os.environ | {"DUNLIN_HOME": str(home)}

    def state(self) -> state.StackState:
        """The stack's state as its supervisor writes it."""
        if (code := self.process.poll()) is not None:
            raise AssertionError(f"the demonstration left with {code}: {self.last_words()}")
        told = state.read(self.home)
        assert told is not None
        return told

    def last_words(self) -> str:
        """The end of what it printed."""
        return (self.home.parent / "output.log").read_text(errors="replace")[-4000:]

    def sandbox(self, path: str) -> Any:
        """Ask the sandbox for a document."""
        answer = httpx.get(self.state().parts["sandbox"].urls["api"] + path, timeout=60)
        answer.raise_for_status()
        return answer.json()

    def fraction(self) -> float:
        """How much of the month has passed, 0 to 1."""
        return float(self.sandbox("/_progress")["fraction"])

    def is_ready(self, part: str) -> bool:
        """Whether the part runs and has said that it is ready."""
        told = self.state().parts[part]
        return told.ready and told.pid is not None

    def kill(self, part: str) -> None:
        """Kill -9 the part's program, once it is up."""
        until(lambda: self.is_ready(part), 120, f"{part} to be up before it is killed")
        pid = self.state().parts[part].pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        until(lambda: self.state().parts[part].pid != pid, 60, f"the supervisor to notice that {part} is gone")

    def verify(self) -> dict[str, Any]:
        """Run `dunlin verify --json`; answers the object of its last line."""
        done = subprocess.run(
            [sys.executable, "-m", "dunlin", "verify", "--json", "--patience", "900"],
            cwd=REPOSITORY,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=1000,
            check=False,
        )
        assert done.stdout.strip(), f"verify said nothing (exit {done.returncode}): {done.stderr[-4000:]}"
        return dict(json.loads(done.stdout.strip().splitlines()[-1]))


@contextmanager
def demonstration(home: Path, *options: str) -> Iterator[Demonstration]:
    """Run `dunlin demo` with these options until the block is left."""
    with (home / "output.log").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "dunlin", "demo", *options],
            cwd=REPOSITORY,
            env=os.environ | {"DUNLIN_HOME": str(home)},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        running = Demonstration(home, process)
        try:
            until(lambda: _is_ready(running), 600, "the demonstration's stack to be ready")
            yield running
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(90)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _is_ready(running: Demonstration) -> bool:
    if (code := running.process.poll()) is not None:
        raise AssertionError(f"the demonstration left with {code}: {running.last_words()}")
    told = state.read(running.home)
    return told is not None and told.phase == "ready"

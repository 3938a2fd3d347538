"""A running service: one process under its parent watchdog, with its output, its pid and its end."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from dunlin.stack import parent_watchdog
from dunlin.stack.console import Console, LogFile
from dunlin.stack.ports import is_open
from dunlin.stack.service import Service


class Child:
    """One run of a part. Its process ends with this process, however this one ends."""

    def __init__(self, part: Service, environment: Mapping[str, str], ready_file: Path, out: tuple[Console, LogFile]) -> None:
        self.part, self._ready_file = part, ready_file
        ready_file.parent.mkdir(parents=True, exist_ok=True)
        ready_file.unlink(missing_ok=True)
        reading, self._life = os.pipe()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", parent_watchdog.__file__, str(reading), str(part.stop_grace), "--", *part.argv],
                env={**environment, **part.env, "DUNLIN_READY_FILE": str(ready_file), "PYTHONUNBUFFERED": "1"},
                cwd=part.cwd,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=[reading],
                process_group=0,
            )
        finally:
            os.close(reading)
        console, log = out
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe, as asked for above
        self._output: threading.Thread = console.pump(part.name, self._process.stdout, log)

    @property
    def pid(self) -> int:
        """The pid of the program: the parent watchdog becomes it."""
        return self._process.pid

    def is_ready(self) -> bool:
        """Return whether the service reports, by its port or its file, that it is ready."""
        if self.part.one_shot:
            return self._process.poll() == 0
        if self.part.ready_port is not None:
            return is_open(self.part.ready_port)
        return self._ready_file.exists()

    def exit_code(self) -> int | None:
        """Give the code it left with (minus the signal that killed it), or None while it runs; then cleans up after it."""
        code = self._process.poll()
        if code is not None:
            self._let_go()
        return code

    def terminate(self) -> None:
        """Ask it to end."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it and everything it started, now."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _let_go(self) -> None:
        """Closing the pipe makes the watcher end whatever the program left behind in its group."""
        if self._life >= 0:
            os.close(self._life)
            self._life = -1
            self._output.join(1.0)

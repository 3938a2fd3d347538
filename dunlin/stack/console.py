"""What the parts say: each line with its part's name, on the terminal and in a file that does not grow for ever."""

import threading
from pathlib import Path
from typing import IO, TextIO

from recovery.presentation.printable import printable

_COLOURS = (36, 32, 33, 35, 34, 96, 92, 93, 95, 94)


class LogFile:
    """A part's log: at most `limit` bytes and one older file beside it, ending in `.1`."""

    def __init__(self, path: Path, limit: int = 20_000_000) -> None:
        self._path, self._limit = path, limit
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._open()

    def _open(self) -> None:
        if self._path.exists():
            self._path.replace(self._path.with_name(self._path.name + ".1"))
        self._file = self._path.open("wb", buffering=0)
        self._size = 0

    def write(self, line: bytes) -> None:
        """Append one line."""
        if self._size > self._limit:
            self._file.close()
            self._open()
        self._size += self._file.write(line)

    def tail(self, lines: int) -> list[str]:
        """Give the last `lines` lines of the present file."""
        with self._path.open("rb") as file:
            file.seek(max(0, self._path.stat().st_size - 20_000))
            return file.read().decode(errors="replace").splitlines()[-lines:]

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Console:
    """The operator's terminal, shared by all parts; silent about parts when `quiet`."""

    def __init__(self, out: TextIO, names: list[str], *, quiet: bool = False) -> None:
        self._out, self._quiet, self._lock = out, quiet, threading.Lock()
        self._width = max((len(name) for name in [*names, "dunlin"]), default=0)
        self._colours = {name: _COLOURS[n % len(_COLOURS)] for n, name in enumerate(names)} if out.isatty() else {}

    def write(self, text: str) -> None:
        """Show a sentence of the supervisor's own."""
        for line in text.splitlines():
            self._show("dunlin", line)

    def pump(self, name: str, output: IO[bytes], log: LogFile) -> threading.Thread:
        """Copy a part's output to its log and to the terminal, in the background, until it ends."""
        thread = threading.Thread(target=self._pump, args=(name, output, log), daemon=True, name=f"output of {name}")
        thread.start()
        return thread

    def _pump(self, name: str, output: IO[bytes], log: LogFile) -> None:
        with output:
            for line in output:
                log.write(line if line.endswith(b"\n") else line + b"\n")
                if not self._quiet:
                    self._show(name, line.decode(errors="replace").rstrip())

    def _show(self, name: str, line: str) -> None:
        prefix = f"{name:<{self._width}} | "
        if name in self._colours:
            prefix = f"\033[{self._colours[name]}m{prefix}\033[0m"
        with self._lock:
            try:
                self._out.write(prefix + printable(line) + "\n")
                self._out.flush()
            except (BrokenPipeError, ValueError):
                self._quiet = True  # nobody reads any more; the logs go on

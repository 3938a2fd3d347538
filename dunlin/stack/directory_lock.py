"""One program per directory: an advisory lock that says who holds it and ends with its holder, however it dies."""

import fcntl
import os
import signal
import time
from pathlib import Path


class InUseError(Exception):
    """The directory belongs to a living program; `pid` is that program, or None when it could not be read."""

    def __init__(self, root: Path, pid: int | None) -> None:
        self.root, self.pid = root, pid
        who = f"process {pid}" if pid else "another process"
        super().__init__(f"{root} is in use by {who}. Stop it first (`dunlin down`), or choose another directory.")


def holder(root: Path) -> int | None:
    """Return the pid that last locked `root`; it is alive only while the lock is held."""
    try:
        return int((root / "pid").read_text())
    except (OSError, ValueError):
        return None


def is_held(root: Path) -> bool:
    """Return whether some living process holds the lock of `root`."""
    try:
        fd = os.open(root / "lock", os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def acquire(root: Path) -> int:
    """Lock `root` for this process and note its pid; returns the descriptor whose closing unlocks.

    The descriptor may be inherited, so that a program which replaces this one keeps the lock. Raises InUseError.
    """
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    fd = os.open(root / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise InUseError(root, holder(root)) from None
    (root / "pid").write_text(str(os.getpid()))
    return fd


def take_over(root: Path, grace: float = 20.0) -> int:
    """Like `acquire`, but first ends a leftover holder: SIGTERM, `grace` seconds, SIGKILL.

    For a caller who knows that no other process may rightly hold `root`, such as the only supervisor of the directory above.
    """
    try:
        return acquire(root)
    except InUseError as busy:
        if busy.pid is None:
            raise
        for sign, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
            _send(busy.pid, sign)
            deadline = time.monotonic() + patience
            while time.monotonic() < deadline:
                if not is_held(root):
                    return acquire(root)
                time.sleep(0.05)
        raise


def _send(pid: int, sign: signal.Signals) -> None:
    try:
        os.kill(pid, sign)
    except ProcessLookupError:
        return

"""A parent watchdog: the program it starts ends when its supervisor is gone, even by kill -9.

    python parent_watchdog.py DESCRIPTOR GRACE -- PROGRAM ARGUMENTS...

DESCRIPTOR is the reading end of a pipe whose only writer is the supervisor, so the system closes it with the
supervisor, however that ends, on Linux and on macOS. This process leads a new process group and *becomes* the program
(its pid and exit code are the program's own); a watcher in a session of its own waits for the end of the pipe and then
ends the group: SIGTERM, GRACE seconds, SIGKILL. Run as a file, without site packages: it starts in a few milliseconds.
"""

import contextlib
import os
import signal
import sys
import time


def main() -> None:
    """Leave a watcher behind and become the program."""
    if len(sys.argv) < 5 or sys.argv[3] != "--":
        sys.exit("usage: parent_watchdog.py DESCRIPTOR GRACE -- PROGRAM ARGUMENTS...")
    supervisor, grace, program = int(sys.argv[1]), float(sys.argv[2]), sys.argv[4:]
    os.setpgid(0, 0)
    _leave_watcher(supervisor, os.getpid(), grace)
    os.close(supervisor)
    try:
        os.execvp(program[0], program)  # noqa: S606 - no shell is wanted
    except OSError as error:
        sys.exit(f"cannot start {program[0]}: {error}")


def _leave_watcher(supervisor: int, group: int, grace: float) -> None:
    """Fork twice, so that the program has no child it did not start."""
    middle = os.fork()
    if middle:
        os.waitpid(middle, 0)
        return
    os.setsid()
    if os.fork() == 0:
        _watch(supervisor, group, grace)
    os._exit(0)


def _watch(supervisor: int, group: int, grace: float) -> None:
    """Hold nothing of the supervisor's but the pipe: an inherited output would keep its reader waiting."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while os.read(supervisor, 1):
        pass
    deadline = time.monotonic() + grace
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGTERM)
        while time.monotonic() < deadline:
            time.sleep(0.05)
            os.killpg(group, 0)
        os.killpg(group, signal.SIGKILL)
    os._exit(0)


if __name__ == "__main__":
    main()

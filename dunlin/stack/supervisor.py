"""The only supervisor: starts the parts wave by wave, restarts what left, stops all in reverse order."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import TextIO

from dunlin.stack import directory_lock, state
from dunlin.stack.console import Console, LogFile
from dunlin.stack.ports import refuse_taken
from dunlin.stack.process import Child
from dunlin.stack.service import EXITS_HOPELESS, Service
from recovery.vocabulary import Clock

GIVE_UP_AFTER = 6
"""So many starts in a row that ended before the part was ready, or within SHORT_LIFE seconds, are enough."""
GIVE_UP_ONE_SHOT_AFTER = 3
SHORT_LIFE = 10.0
LAST_WORDS = 15


class StackFailedError(Exception):
    """The stack could not become ready; the operator has been shown why."""


class _Post:
    """A part and what has become of it."""

    def __init__(self, part: Service, log: LogFile) -> None:
        self.part, self.log = part, log
        self.state = state.PartState(ports=dict(part.ports), urls=dict(part.urls))
        self.child: Child | None = None
        self.started = 0.0
        self.start_at: float | None = None
        self.failures = 0

    @property
    def is_settled(self) -> bool:
        return self.state.phase in {"ready", "done"}


class Stack:
    """All parts of one home. Only one stack may live in a home, which its lock sees to."""

    def __init__(
        self,
        parts: Sequence[Service],
        *,
        home: Path,
        environment: Mapping[str, str],
        clock: Clock,
        out: TextIO,
        quiet: bool = False,
    ) -> None:
        self._home, self._environment, self._clock = home, environment, clock
        self._console = Console(out, [part.name for part in parts], quiet=quiet)
        self._parts = list(parts)
        self._posts: list[_Post] = []
        self._wake, self._stopping, self._hurried = threading.Event(), False, False
        self._state = state.StackState(supervisor=os.getpid(), home=str(home))

    def run(self, when_ready: Callable[[float], None]) -> None:
        """Start everything, call `when_ready(seconds)` in a thread, and supervise until a stop is requested.

        Raises InUseError when another stack lives in this home, PortTakenError, and StackFailedError when a service cannot be started.
        Whatever happens, no service is left running.
        """
        self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = directory_lock.acquire(self._home / "run")
        try:
            before = state.read(self._home)
            self._write()
            self._await_leftovers(before)
            self._prepare()
            began = time.monotonic()
            try:
                self._start_all()
                self._become_ready(time.monotonic() - began, when_ready)
                self._supervise()
            finally:
                self._stop_all()
        finally:
            os.close(lock)

    def request_stop(self, *_: "int | FrameType | None") -> None:
        """Ask `run` to stop everything and return; a second time, to do so without patience. Fit for a signal handler."""
        self._hurried = self._stopping
        self._stopping = True
        self._wake.set()

    def report(self, text: str) -> None:
        """Print a line for the operator, between the lines of the services."""
        self._console.write(text)

    def _prepare(self) -> None:
        for part in self._parts:
            for purpose, port in part.ports.items():
                refuse_taken(port, f"{part.name}, {purpose}")
        self._posts = [_Post(part, LogFile(self._home / "logs" / f"{part.name}.log")) for part in self._parts]
        self._state.started = self._now()
        self._state.parts = {post.part.name: post.state for post in self._posts}
        self._write()

    def _await_leftovers(self, before: state.StackState | None) -> None:
        """After a supervisor was killed, the parent watchdogs are still ending its services."""
        if before is None or before.phase == "stopped":
            return
        pids = {name: part.pid for name, part in before.parts.items() if part.pid}
        deadline = time.monotonic() + 30
        reported = False
        while left := [name for name, pid in pids.items() if _leads_a_group(pid)]:
            if self._stopping or time.monotonic() > deadline:
                return
            if not reported:
                self.report(f"the stack before this one was killed; waiting until {', '.join(left)} of it have ended")
                reported = True
            self._pause(0.1)

    def _start_all(self) -> None:
        for wave in sorted({part.wave for part in self._parts}):
            here = [post for post in self._posts if post.part.wave == wave]
            for post in here:
                self._start(post)
            while not self._stopping and not all(post.is_settled for post in here):
                self._check_all()
                if given_up := [post.part.name for post in self._posts if post.state.phase == "failed"]:
                    raise StackFailedError(f"{', '.join(given_up)} could not be started; see the lines above")
                self._pause(0.03)

    def _become_ready(self, seconds: float, when_ready: Callable[[float], None]) -> None:
        if self._stopping:
            return
        self._state.phase, self._state.ready_after = "ready", round(seconds, 2)
        self._write()
        threading.Thread(target=when_ready, args=(seconds,), daemon=True, name="when ready").start()

    def _supervise(self) -> None:
        while not self._stopping:
            self._check_all()
            self._pause(0.1)

    def _pause(self, seconds: float) -> None:
        self._wake.wait(seconds)

    def _check_all(self) -> None:
        for post in self._posts:
            if post.child is not None:
                self._check(post, post.child)
            elif post.start_at is not None and time.monotonic() >= post.start_at:
                self._start(post)

    def _start(self, post: _Post) -> None:
        post.start_at, post.started = None, time.monotonic()
        ready_file = self._home / "run" / "ready" / post.part.name
        post.child = Child(post.part, self._environment, ready_file, (self._console, post.log))
        post.state.pid, post.state.ready = post.child.pid, False
        self._enter(post, "starting")

    def _check(self, post: _Post, child: Child) -> None:
        code = child.exit_code()
        if code is not None:
            self._ended(post, code)
        elif not post.state.ready:
            if child.is_ready():
                post.state.ready = True
                self._enter(post, "ready")
            elif time.monotonic() - post.started > post.part.ready_within:
                self.report(f"{post.part.name} is not ready after {post.part.ready_within:g} s; starting it again")
                child.kill()

    def _ended(self, post: _Post, code: int) -> None:
        lived = time.monotonic() - post.started
        was_ready = post.state.ready
        post.child, post.state.pid, post.state.ready, post.state.exit_code = None, None, False, code
        if post.part.one_shot and code == 0:
            post.state.ready = True
            self._enter(post, "done")
            return
        if was_ready and (lived > SHORT_LIFE or code == -signal.SIGKILL):
            post.failures = 0  # what is killed from outside has not failed by itself, however young it was
        elif self._has_what_it_needs(post):
            post.failures += 1
        limit = GIVE_UP_ONE_SHOT_AFTER if post.part.one_shot else GIVE_UP_AFTER
        if code in EXITS_HOPELESS or post.failures >= limit:
            self._give_up(post, code)
            return
        post.state.restarts += 1
        post.start_at = time.monotonic() + post.part.restart_delay
        self._enter(post, "restarting")
        self.report(f"{post.part.name} left ({_meaning(code)}) after {lived:.0f} s; starting it again")

    def _has_what_it_needs(self, post: _Post) -> bool:
        """A part cannot be blamed for leaving while Kafka, say, is being restarted."""
        return all(other.is_settled for other in self._posts if other.part.wave < post.part.wave)

    def _give_up(self, post: _Post, code: int) -> None:
        self._enter(post, "failed")
        detail = "and must not be restarted" if code in EXITS_HOPELESS else f"{post.failures} times in a row"
        log = self._home / "logs" / f"{post.part.name}.log"
        self.report(f"{post.part.name} left ({_meaning(code)}) {detail}. Its last words, from {log}:")
        self.report("\n".join(f"  {line}" for line in post.log.tail(LAST_WORDS)) or "  (none)")
        self.report(f"Set right what it says, then stop and start the stack. `dunlin doctor` may know more about {post.part.name}.")

    def _stop_all(self) -> None:
        self._stopping = True
        self._wake.clear()
        self._state.phase = "stopping"
        self._write()
        for wave in sorted({part.wave for part in self._parts}, reverse=True):
            self._stop_wave([post for post in reversed(self._posts) if post.part.wave == wave])
        for post in self._posts:
            post.log.close()
        self._state.phase = "stopped"
        self._write()

    def _stop_wave(self, posts: list[_Post]) -> None:
        began = time.monotonic()
        for post in posts:
            if post.child:
                post.child.terminate()
        while running := [post for post in posts if post.child]:
            for post in running:
                self._see_out(post, time.monotonic() - began)
            if any(post.child for post in running):
                self._wake.wait(0.02)

    def _see_out(self, post: _Post, waited: float) -> None:
        if post.child is None:
            return
        code = post.child.exit_code()
        if code is None:
            if self._hurried or waited > post.part.stop_grace:
                post.child.kill()
            return
        post.child, post.state.pid, post.state.ready, post.state.exit_code = None, None, False, code
        self._enter(post, "stopped")

    def _enter(self, post: _Post, phase: state.PartPhase) -> None:
        post.state.phase, post.state.since = phase, self._now()
        self._write()

    def _now(self) -> str:
        return self._clock().isoformat(timespec="milliseconds")

    def _write(self) -> None:
        state.write(self._home, self._state)


def _leads_a_group(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return os.getpgid(pid) == pid
    return False


def _meaning(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"

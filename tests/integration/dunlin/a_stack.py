"""A small stack for tests: `python a_stack.py HOME SCENARIO`; its parts are little Python programs."""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from dunlin.stack.local_stack import run_to_the_end
from dunlin.stack.service import Service
from dunlin.stack.supervisor import Stack

READY = "import os, pathlib; pathlib.Path(os.environ['DUNLIN_READY_FILE']).touch(); "
SERVE = READY + "print('at work', flush=True); import signal; signal.pause()"
WITH_A_CHILD = (
    "import subprocess, sys; c = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()']); "
    f"print('child', c.pid, flush=True); {SERVE}"
)
HOPELESS_WHEN_TOLD = f"import os, signal; signal.signal(signal.SIGUSR1, lambda *_: os._exit(75)); {SERVE}"
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SERVE}"

SLOW_SERVER = f"import time; time.sleep(1.5); {SERVE}"
NEEDS_SERVER = (
    "import os, pathlib, time; mine = pathlib.Path(os.environ['DUNLIN_READY_FILE']); up = mine.with_name('server').exists; "
    "up() and mine.touch()\nwhile up(): time.sleep(0.02)\nraise SystemExit(1)"
)


def part(name: str, code: str, wave: int = 0, **more: object) -> Service:
    return Service(name=name, wave=wave, argv=(sys.executable, "-c", code), restart_delay=0.1, **more)


def once(name: str, code: str, wave: int = 0) -> Service:
    return part(name, code, wave, one_shot=True)


SCENARIOS = {
    "plain": [part("first", SERVE), once("once", "print('done once')", 1), part("last", WITH_A_CHILD, 2)],
    "hopeless": [part("good", SERVE), part("bad", "print('no key in the tenants file'); raise SystemExit(75)", 1)],
    "wrong settings": [part("bad", "print('no key in the tenants file'); raise SystemExit(78)")],
    "always failing": [part("bad", "print('cannot'); raise SystemExit(1)")],
    "failing one-shot": [once("bad", "raise SystemExit(1)"), part("never", SERVE, 1)],
    "later hopeless": [part("good", SERVE), part("bad", HOPELESS_WHEN_TOLD)],
    "needy": [part("server", SLOW_SERVER), part("client", NEEDS_SERVER, 1)],
    "deaf": [part("deaf", DEAF, stop_grace=0.5)],
    "never ready": [part("slow", "import signal; signal.pause()", ready_within=0.3)],
}


def main() -> None:
    home = Path(sys.argv[1])
    stack = Stack(SCENARIOS[sys.argv[2]], home=home, environment=os.environ, clock=lambda: datetime.now(UTC), out=sys.stdout)
    sys.exit(run_to_the_end(stack, home, sys.stderr, lambda _: stack.report("everything is ready")))


if __name__ == "__main__":
    main()

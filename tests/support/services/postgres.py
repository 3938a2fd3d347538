"""A real PostgreSQL of a test's own, from the programs that the system's package brings; no cluster of the system is touched."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg

from dunlin.stack.ports import HOST, free_ports
from tests.support.waiting import until

REPOSITORY = Path(__file__).resolve().parents[3]
PLACES = ("/usr/lib/postgresql", "/usr/local/opt", "/opt/homebrew/opt")


def programs() -> Path | None:
    """The folder with `initdb` and `postgres`, the newest one; None where PostgreSQL is not installed."""
    on_path = shutil.which("initdb")
    if on_path is not None:
        return Path(on_path).resolve().parent
    found = [folder for place in PLACES for folder in Path(place).glob("*/bin") if (folder / "initdb").exists()]
    return max(
        found, key=lambda folder: [int(part) for part in folder.parent.name.split("@")[-1].split(".") if part.isdigit()], default=None
    )


class Postgres:
    """A server on a free port of this machine, from `with` to its end; it also ends when this process does, however that happens."""

    def __init__(self, folder: Path) -> None:
        self._programs = folder
        self._port = free_ports(1)[0]
        self._databases = 0

    def __enter__(self) -> "Postgres":
        self._home = Path(tempfile.mkdtemp(prefix="dunlin-test-postgres-"))
        self._as_user: list[str] = []
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            user = _unprivileged()
            os.chown(self._home, user.pw_uid, user.pw_gid)
            self._as_user = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--"]
        self._run("initdb", "-D", "data", "-U", "dunlin", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self._home, ignore_errors=True)

    def start(self) -> None:
        """Start the server and wait until it answers."""
        reading, self._life = os.pipe()
        options = ["-D", "data", "-h", HOST, "-p", str(self._port), "-k", "", "-c", "max_connections=60"]
        command = [*self._as_user, str(self._programs / "postgres"), *options]
        with (self._home / "output.log").open("ab") as output:
            self._server = subprocess.Popen(
                [sys.executable, str(REPOSITORY / "dunlin" / "stack" / "parent_watchdog.py"), str(reading), "5", "--", *command],
                cwd=self._home,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=[reading],
            )
        os.close(reading)
        until(self._answers, 60, "PostgreSQL to answer")

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it: SIGINT in order, SIGQUIT as a crash does."""
        self._server.send_signal(how)
        self._server.wait(30)
        os.close(self._life)

    def new_database(self) -> str:
        """A new, empty database; answers its SQLAlchemy URL."""
        self._databases += 1
        name = f"ledger_{self._databases}"
        self.say(f"CREATE DATABASE {name}")
        return f"postgresql+psycopg://dunlin@{HOST}:{self._port}/{name}"

    def cut_connections(self, url: str) -> None:
        """End every session of a database on the server's side."""
        self.say("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", url.rpartition("/")[2])

    def say(self, statement: str, *values: str) -> None:
        """Have the server do something outside any transaction."""
        with psycopg.connect(host=HOST, port=self._port, user="dunlin", dbname="postgres", autocommit=True) as connection:
            connection.execute(statement, values)

    def _answers(self) -> bool:
        if (code := self._server.poll()) is not None:
            raise AssertionError(f"postgres left with {code}: {(self._home / 'output.log').read_text(errors='replace')[-2000:]}")
        try:
            self.say("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._as_user, str(self._programs / program), *arguments]
        done = subprocess.run(command, cwd=self._home, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, f"{program} failed: {done.stderr[-2000:]}"


def _unprivileged() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")

"""One process at a time owns a ledger: a second one would perform the same effects."""

import contextlib
import fcntl
import os
import time
from types import TracebackType
from typing import Self

import sqlalchemy as sql
from sqlalchemy.exc import SQLAlchemyError

from sinks.effects.engine.ledger import Ledger

LOCK_NUMBER = 0x64756E6C696E
"""The advisory lock of the ledger on a database server ("dunlin" in ASCII)."""
HOLDER = """
SELECT a.pid, host(a.client_addr), a.backend_start FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
AND (l.classid::bigint << 32 | l.objid::bigint) = :lock
"""
PATIENCE, RETRY_SECONDS = 5.0, 0.1
"""Wall seconds to wait for a database server that has not noticed yet that the former owner died, and between two questions."""


class LedgerTaken(RuntimeError):
    """Another process works on this ledger; the text says which and what to do."""


class Ownership:
    """Holds the ledger from `with` to its end; the system lets go when the process dies, however that happens. Raises LedgerTaken.

    On a database server the lock belongs to the session that writes, and to no other: when the session is gone, so is the power to write.
    """

    def __init__(self, ledger: Ledger, patience: float = PATIENCE) -> None:
        self._ledger, self._patience = ledger, patience
        self._file: int | None = None

    def __enter__(self) -> Self:
        engine = self._ledger.engine
        if engine.dialect.name == "sqlite":
            self._lock_file(f"{engine.url.database}.lock")
        elif engine.dialect.name == "postgresql":
            self._lock_session()
        else:
            raise LedgerTaken(f"Nothing is known about locking a {engine.dialect.name} ledger; use SQLite or PostgreSQL.")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._file is not None:
            os.close(self._file)
        else:
            with contextlib.suppress(SQLAlchemyError), self._ledger.writing() as db:
                db.execute(sql.text("SELECT pg_advisory_unlock(:lock)"), {"lock": LOCK_NUMBER})

    def _lock_file(self, path: str) -> None:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(file, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(file)
            raise LedgerTaken(f"Process {holder} works on {path[: -len('.lock')]} already. Stop it, or use another DUNLIN_HOME.") from error
        os.ftruncate(file, 0)
        os.pwrite(file, str(os.getpid()).encode(), 0)
        self._file = file

    def _lock_session(self) -> None:
        deadline = time.monotonic() + self._patience
        while (holder := self._taken_by()) is not None:
            if time.monotonic() > deadline:
                raise LedgerTaken(
                    f"Another process works on this ledger already: {holder} holds its database lock. Stop it, or use another database. "
                    "If its machine is gone, the server notices by and by; pg_terminate_backend(session) says it at once."
                )
            time.sleep(RETRY_SECONDS)

    def _taken_by(self) -> str | None:
        """Take the lock, or return its present owner."""
        with self._ledger.writing() as db:
            if db.execute(sql.text("SELECT pg_try_advisory_lock(:lock)"), {"lock": LOCK_NUMBER}).scalar():
                return None
            holder = db.execute(sql.text(HOLDER), {"lock": LOCK_NUMBER}).first()
        if holder is None:
            return "no process any more"
        session, address, since = holder
        return f"session {session} from {address or 'the server itself'}, open since {since:%Y-%m-%d %H:%M:%S %Z},"

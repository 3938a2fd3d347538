"""One process at a time owns a ledger: a second one would perform the same effects."""

import fcntl
import os
from types import TracebackType
from typing import Self

import sqlalchemy as sql
from sqlalchemy import Engine

LOCK_NUMBER = 0x64756E6C696E
"""The advisory lock of the ledger on a database server ("dunlin" in ASCII)."""


class LedgerTaken(RuntimeError):
    """Another process works on this ledger; the text says which and what to do."""


class Ownership:
    """Holds the ledger from `with` to its end; the system lets go when the process dies, however that happens. Raises LedgerTaken."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._file: int | None = None
        self._session: sql.Connection | None = None

    def __enter__(self) -> Self:
        if self._engine.dialect.name == "sqlite":
            self._lock_file(f"{self._engine.url.database}.lock")
        elif self._engine.dialect.name == "postgresql":
            self._lock_session()
        else:
            raise LedgerTaken(f"Nothing is known about locking a {self._engine.dialect.name} ledger; use SQLite or PostgreSQL.")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._file is not None:
            os.close(self._file)
        if self._session is not None:
            self._session.close()

    def still_held(self) -> None:
        """Raise when a database server may have given the lock to somebody else: the session that holds it is gone."""
        if self._session is not None:
            self._session.execute(sql.text("SELECT 1"))

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
        self._session = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        if not self._session.execute(sql.text(f"SELECT pg_try_advisory_lock({LOCK_NUMBER})")).scalar():
            self._session.close()
            raise LedgerTaken(
                "Another process works on this ledger already (its database lock is taken). Stop it, or use another database."
            )

"""Where the versions of all policies are kept: one file, written whole, of one installation; changed by one process at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import msgspec

from control.policies import History, Published
from control.private import private_file
from recovery.policy import Policy

FILE = "policies.json"
"""Its name within DUNLIN_HOME."""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """The file's content. `cluster` is the Kafka that was told; another one has yet to be told what is in force."""

    cluster: str = ""
    histories: dict[str, History] = {}


class PolicyFile:
    """The file at `path`, which may not exist yet.

    Raises:
        ValueError: it cannot be read; the text says what to do. It is never overwritten then.

    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Kept:
        """What is kept; nothing when there is no file."""
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return Kept()
        try:
            return _decoded(content)
        except msgspec.DecodeError as error:
            raise ValueError(
                f"{self._path.name} cannot be read: {error}. It says which policies were published; restore it from a backup."
            ) from error

    def write(self, kept: Kept) -> None:
        """Replace the content; after a crash either the old one or the new one is there."""
        fresh = self._path.with_suffix(".new")
        private_file(fresh)
        with fresh.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(kept)))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the file against other processes that would change it; waits for one that does."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


class _First(msgspec.Struct, frozen=True, kw_only=True):
    number: int
    policy: Policy
    occurred_at: datetime
    done: bool


class _FirstForm(msgspec.Struct, frozen=True, kw_only=True):
    """The file as version 0.1.0 wrote it: the last policy of each account only."""

    cluster: str
    accounts: dict[str, _First]


def _decoded(content: bytes) -> Kept:
    try:
        older = msgspec.json.decode(content, type=_FirstForm)
    except msgspec.ValidationError:
        return msgspec.json.decode(content, type=Kept)
    return Kept(cluster=older.cluster, histories={account: _history(entry) for account, entry in older.accounts.items()})


def _history(entry: _First) -> History:
    only = Published(
        number=entry.number,
        document=entry.policy,
        policy=entry.policy,
        who="tenants file",
        occurred_at=entry.occurred_at,
        published_at=entry.occurred_at,
    )
    return History(versions=(only,), untold="" if entry.done else "version")

"""Where the versions of all policies are kept: one file, written whole, of one installation; changed by one process at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from control.policy_history import History
from control.private_files import private_file

FILE = "policies.json"
"""Its name within DUNLIN_HOME."""


class StoredPolicies(msgspec.Struct, frozen=True, kw_only=True):
    """The file's content. `cluster` is the Kafka that has received it; another one has not received the policy in force yet."""

    cluster: str = ""
    histories: dict[str, History] = {}


class PolicyStore:
    """The file at `path`, which may not exist yet.

    Raises:
        ValueError: it cannot be read; the text says what to do. It is never overwritten then.

    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> StoredPolicies:
        """What is kept; nothing when there is no file."""
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return StoredPolicies()
        try:
            return msgspec.json.decode(content, type=StoredPolicies)
        except msgspec.DecodeError as error:
            raise ValueError(
                f"{self._path.name} cannot be read: {error}. It says which policies were published; restore it from a backup."
            ) from error

    def write(self, kept: StoredPolicies) -> None:
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

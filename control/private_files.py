"""Files and folders that only their owner may read: they hold names, addresses, and the history of payments."""

import os
import stat
from pathlib import Path


def private_folder(path: Path) -> None:
    """Make the folder, readable by its owner alone; an existing one stays as it is.

    Raises:
        ValueError: it belongs to another user, or other users may write into it; the text says what to do.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = path.stat()
    if found.st_uid not in {os.geteuid(), 0}:
        raise ValueError(
            f"{path} belongs to another user (uid {found.st_uid}), who could read and change all of it. Name another DUNLIN_HOME."
        )
    if found.st_mode & stat.S_IWOTH:
        raise ValueError(f"Anybody may write into {path}. `chmod o-w` it, or name another DUNLIN_HOME.")


def private_file(path: Path) -> None:
    """Make the file, readable and writable by its owner alone; one that is there keeps its content and becomes so."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    path.chmod(0o600)

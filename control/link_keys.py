"""The file with the keys that sign links in messages: one a line, the first signs, all are believed (rotation)."""

import os
from collections.abc import Callable
from pathlib import Path


def link_keys(path: Path) -> tuple[str, ...]:
    """The keys in the file, the signing one first.

    Raises:
        ValueError: it cannot be read, is empty, or can be read by other users.

    """
    try:
        mode, lines = path.stat().st_mode, path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not text"
        raise ValueError(f"The link keys {path} cannot be read: {why}. DUNLIN_LINK_KEYS_FILE says where they are.") from error
    if mode & 0o077:
        raise ValueError(f"The link keys {path} can be read by other users; chmod 600 the file.")
    keys = tuple(line.strip() for line in lines if line.strip())
    if not keys:
        raise ValueError(f"The link keys {path} are empty; write a line of at least 32 random characters.")
    return keys


def ensure_link_keys(path: Path, make: Callable[[], str]) -> None:
    """Write a file with one new key, mode 600, unless there is a file already; two starting at once agree on one."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
        file.write(f"{make()}\n")
    try:
        os.link(fresh, path)  # fails where there is one: whoever came first has made it, whole
    except FileExistsError:
        pass
    finally:
        fresh.unlink()

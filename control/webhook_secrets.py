"""The files of secrets that sign webhooks: making one, and changing it so that both ends have time (B92).

A file has one secret per line, the newest last. All of them sign until a rotation is finished; then only the newest does.
"""

import base64
import os
from pathlib import Path

SECRET_BYTES = 32
"""Standard Webhooks requires 24 to 64."""


def secret_of(random: bytes) -> str:
    """A secret made of random bytes, as Standard Webhooks writes it."""
    return f"whsec_{base64.b64encode(random).decode()}"


def secrets_in(path: Path) -> list[str]:
    """The secrets of a file, oldest first. Raises OSError."""
    return [line.strip() for line in path.read_text().splitlines() if line.strip()]


def begin_rotation(path: Path, secret: str) -> int:
    """Let another secret sign as well. Returns how many sign now. Raises OSError, and ValueError when a rotation is under way."""
    present = secrets_in(path)
    if len(present) > 1:
        raise ValueError(f"{path.name} has {len(present)} secrets: a rotation is under way. Finish it with --finish first.")
    _write(path, [*present, secret])
    return len(present) + 1


def finish_rotation(path: Path) -> int:
    """Let only the newest secret sign. Returns how many were removed. Raises OSError, and ValueError when there is nothing to finish."""
    present = secrets_in(path)
    if len(present) < 2:
        raise ValueError(f"{path.name} has one secret: there is no rotation to finish.")
    _write(path, present[-1:])
    return len(present) - 1


def create(path: Path, secret: str) -> None:
    """Begin a file that only its owner can read. Raises FileExistsError, OSError."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f"{secret}\n")


def _write(path: Path, secrets: list[str]) -> None:
    """Whole or not at all: a reader finds the old file or the new one."""
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write("".join(f"{secret}\n" for secret in secrets))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)

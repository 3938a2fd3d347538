"""Where things lie on this machine."""

from collections.abc import Mapping
from pathlib import Path


def cache_directory(environment: Mapping[str, str]) -> Path:
    """Name the directory of what can be fetched or computed again: `$XDG_CACHE_HOME/dunlin` or `~/.cache/dunlin`."""
    base = environment.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "dunlin"

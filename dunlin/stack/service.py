"""One program of the stack, as a value: how to start it, how to see that it is ready, what its end means."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

EXITS_HOPELESS = frozenset({75, 78})
"""Exit codes of a service that mean: do not restart me, an operator has to act (75: see the log, 78: wrong settings)."""


@dataclass(frozen=True, kw_only=True)
class Service:
    """A program of the stack.

    A part is ready when `ready_port` answers or, without one, when it has created the file named in its environment
    variable DUNLIN_READY_FILE; a one-shot is ready when it has ended with 0. All parts of a `wave` are started
    together, and the next wave waits until they are ready.
    """

    name: str
    argv: tuple[str, ...]
    wave: int
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    one_shot: bool = False
    ready_port: int | None = None
    ready_within: float = 90.0
    """Seconds until a start that has not become ready is given up and repeated."""
    restart_delay: float = 1.0
    stop_grace: float = 10.0
    """Seconds between SIGTERM and SIGKILL."""
    ports: Mapping[str, int] = field(default_factory=dict)
    """The ports it listens on, by purpose; they must be free before it starts."""
    urls: Mapping[str, str] = field(default_factory=dict)
    """Addresses for people and programs, by purpose; they may contain passwords."""

"""What the running stack is, in a file: for `dunlin status`, for other commands, for a harness that kills parts."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from dunlin.clickhouse_server.users import write_privately
from dunlin.stack.directory_lock import is_held

StackPhase = Literal["starting", "ready", "stopping", "stopped"]
PartPhase = Literal["waiting", "starting", "ready", "done", "restarting", "failed", "stopped"]


@dataclass(kw_only=True)
class PartState:
    """One part: `pid` is the program itself, absent while it does not run; `since` is when it entered its phase."""

    phase: PartPhase = "waiting"
    ready: bool = False
    pid: int | None = None
    restarts: int = 0
    since: str = ""
    exit_code: int | None = None
    ports: dict[str, int] = field(default_factory=dict)
    urls: dict[str, str] = field(default_factory=dict)


@dataclass(kw_only=True)
class StackState:
    """The whole stack; times are ISO 8601 in UTC, `ready_after` is seconds from the start to everything being ready."""

    supervisor: int
    home: str
    phase: StackPhase = "starting"
    started: str = ""
    ready_after: float | None = None
    parts: dict[str, PartState] = field(default_factory=dict)


def living(home: Path) -> Path:
    """Name the folder of the stack that runs in `home` or, when none does, of the demonstration below it; else `home` itself."""
    demonstration = home / "demo"
    return demonstration if not is_held(home / "run") and is_held(demonstration / "run") else home


def address_of(home: Path, part: str, purpose: str) -> str | None:
    """Give an address of a part of the stack that lives in `home`; None when no stack runs there or it has no such part."""
    home = living(home)
    stack = read(home) if is_held(home / "run") else None
    return stack.parts[part].urls[purpose] if stack is not None and part in stack.parts else None


def file_of(home: Path) -> Path:
    """Name the state file of the stack in `home`."""
    return home / "run" / "stack.json"


def write(home: Path, state: StackState) -> None:
    """Replace the state file as a whole; only its owner may read it, because addresses contain passwords."""
    file = file_of(home)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_privately(file, json.dumps(asdict(state), indent=1))


def read(home: Path) -> StackState | None:
    """Give the last written state, which may be that of a stack long gone; None when there never was one."""
    try:
        stored: Mapping[str, Any] = json.loads(file_of(home).read_text())
    except FileNotFoundError:
        return None
    parts = {name: PartState(**part) for name, part in stored["parts"].items()}
    return StackState(**{**stored, "parts": parts})

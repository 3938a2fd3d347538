"""`dunlin status`: what runs, since when, how often it was restarted."""

import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dunlin.stack.state import StackState


def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print the state as JSON, for programs.")] = False,
) -> None:
    """Show the stack of DUNLIN_HOME. Exit status 0 when everything is ready, with 3 when nothing runs, else 1."""
    import json

    from dunlin.stack import directory_lock, state
    from recovery.config import from_env

    home = state.living(from_env(os.environ).home)  # noqa: TID251 - a command is an entry point
    running = directory_lock.is_held(home / "run")
    stack = state.read(home) if running else None
    if as_json:
        typer.echo(json.dumps({"running": running, **(asdict(stack) if stack else {})}, indent=1))
    elif stack is None:
        typer.echo(f"no stack is running in {home}")
    else:
        _print(stack)
    if stack is None:
        raise typer.Exit(3)
    all_well = stack.phase == "ready" and all(part.ready for part in stack.parts.values())
    raise typer.Exit(0 if all_well else 1)


def _print(stack: "StackState") -> None:
    from rich.console import Console
    from rich.table import Column, Table

    ready = f", ready after {stack.ready_after} s" if stack.ready_after is not None else ""
    since = Column("since (UTC)", no_wrap=True)
    table = Table("part", "state", "pid", "restarts", since, "ports", title=f"{stack.home}: {stack.phase}{ready}")
    for name, part in stack.parts.items():
        ports = ", ".join(f"{purpose} {port}" for purpose, port in part.ports.items())
        left = f" ({part.exit_code})" if part.exit_code and part.phase in {"failed", "restarting"} else ""
        table.add_row(name, part.phase + left, str(part.pid or ""), str(part.restarts), part.since[5:19].replace("T", " "), ports)
    Console().print(table)

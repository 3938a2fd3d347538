"""`dunlin status`: what runs, since when, how often it was restarted."""

import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dunlin.state import StackState


def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print the state as JSON, for programs.")] = False,
) -> None:
    """Show the stack of DUNLIN_HOME; leaves with 0 when everything is ready, with 3 when nothing runs, else with 1."""
    import json

    from dunlin import root_lock, state
    from recovery.config import from_env

    home = state.living(from_env(os.environ).home)  # noqa: TID251 - a command is an entry point
    running = root_lock.is_held(home / "run")
    told = state.read(home) if running else None
    if as_json:
        typer.echo(json.dumps({"running": running, **(asdict(told) if told else {})}, indent=1))
    elif told is None:
        typer.echo(f"no stack is running in {home}")
    else:
        _print(told)
    if told is None:
        raise typer.Exit(3)
    all_well = told.phase == "ready" and all(part.ready for part in told.parts.values())
    raise typer.Exit(0 if all_well else 1)


def _print(told: "StackState") -> None:
    from rich.console import Console
    from rich.table import Column, Table

    ready = f", ready after {told.ready_after} s" if told.ready_after is not None else ""
    since = Column("since (UTC)", no_wrap=True)
    table = Table("part", "state", "pid", "restarts", since, "ports", title=f"{told.home}: {told.phase}{ready}")
    for name, part in told.parts.items():
        ports = ", ".join(f"{purpose} {port}" for purpose, port in part.ports.items())
        left = f" ({part.exit_code})" if part.exit_code and part.phase in {"failed", "restarting"} else ""
        table.add_row(name, part.phase + left, str(part.pid or ""), str(part.restarts), part.since[5:19].replace("T", " "), ports)
    Console().print(table)

"""`dunlin down`: stop a running stack."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer


def down(
    patience: Annotated[float, typer.Option(help="Seconds to wait before giving up.", min=1)] = 120.0,
) -> None:
    """Stop the stack of DUNLIN_HOME, all parts in reverse order, and wait until it is gone."""
    from dunlin.stack import directory_lock, state
    from recovery.config import from_env

    home = state.living(from_env(os.environ).home)  # noqa: TID251 - a command is an entry point
    run = home / "run"
    if not directory_lock.is_held(run):
        typer.echo(f"no stack is running in {home}")
        return
    pid = directory_lock.holder(run)
    if pid is None:
        typer.echo(f"a stack runs in {home}, but {run / 'pid'} does not name it; stop it where it was started", err=True)
        raise typer.Exit(1)
    began = time.monotonic()
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    typer.echo(f"stopping the stack in {home} (process {pid})")
    while directory_lock.is_held(run):
        if time.monotonic() - began > patience:
            typer.echo(f"still running after {patience:g} s: {_still_running(home)}. Wait, or end process {pid} with kill -9.", err=True)
            raise typer.Exit(1)
        time.sleep(0.05)
    typer.echo(f"stopped after {time.monotonic() - began:.1f} s")


def _still_running(home: Path) -> str:
    from dunlin.stack import state

    stack = state.read(home)
    names = [name for name, part in stack.parts.items() if part.pid] if stack else []
    return ", ".join(names) or "the supervisor alone"

"""`dunlin verify`: the sandbox's truth against ClickHouse."""

import json
import os
from typing import Annotated

import typer


def verify(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")] = False,
    patience: Annotated[float, typer.Option(help="Seconds to wait until nothing is in flight.")] = 180.0,
) -> None:
    """Hold the clock, wait until nothing is in flight, compare. Exit status 0 when every difference is zero, else 1."""
    from rich.console import Console

    from dunlin.demo.quiescence import NotQuiescentError
    from dunlin.demo.report import show
    from dunlin.demo.verification import NothingToVerifyError, prove, running
    from dunlin.demo.world import home_of
    from recovery.config import from_env

    console = Console(stderr=as_json)
    try:
        report = prove(running(home_of(from_env(os.environ).home)), console.print, f"verify {os.getpid()}", patience)  # noqa: TID251 - a command is an entry point
    except (NothingToVerifyError, NotQuiescentError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    show(console, report)
    if as_json:
        typer.echo(json.dumps(report.figures()))
    raise typer.Exit(0 if report.sound else 1)

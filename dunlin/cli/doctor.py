"""`dunlin doctor`: what is wrong on this machine, and what to do about it."""

import os
from typing import Annotated

import typer


def doctor(
    *,
    kafka_port: Annotated[int, typer.Option(help="As for `dunlin up`.", min=0, max=65534)] = 9092,
    clickhouse_port: Annotated[int, typer.Option(help="As for `dunlin up`.", min=0, max=65535)] = 8123,
    clickhouse_tcp_port: Annotated[int, typer.Option(help="As for `dunlin up`.", min=0, max=65535)] = 9000,
) -> None:
    """Check whether this machine can run Dunlin. Exit status 1 when something is wrong."""
    from dunlin.diagnostics.run_all import examine
    from dunlin.stack.services import LocalPorts
    from recovery.config import from_env

    environment = dict(os.environ)  # noqa: TID251 - a command is an entry point
    try:
        settings = from_env(environment)
    except ValueError as error:
        typer.echo(f"wrong  settings: {error}")
        raise typer.Exit(1) from error
    local = LocalPorts(
        kafka=kafka_port,
        kafka_controller=kafka_port and kafka_port + 1,
        clickhouse_http=clickhouse_port,
        clickhouse_tcp=clickhouse_tcp_port,
    )
    wrong = 0
    for finding in examine(settings, environment, local):
        wrong += finding.is_wrong
        mark = "wrong" if finding.is_wrong else "look" if finding.is_doubtful else "ok"
        typer.echo(f"{mark:<6} {finding.subject}: {finding.text}")
    typer.echo(f"{wrong} {'thing is' if wrong == 1 else 'things are'} wrong" if wrong else "nothing is wrong")
    raise typer.Exit(1 if wrong else 0)

"""`dunlin resume`: the kill switch."""

import getpass
import os
from typing import Annotated

import typer


def resume(
    account: Annotated[str, typer.Argument(help="The Stripe account (acct_...); * means all.")] = "*",
    why: Annotated[str, typer.Option(help="The reason, kept with the switch.")] = "",
    who: Annotated[str, typer.Option(help="Who asks (default: your login).")] = "",
) -> None:
    """Let a paused account, or all, go on; what fell due meanwhile is spread over an hour."""
    from dunlin.switching import kafka_of, switch
    from recovery.config import from_env

    environment = dict(os.environ)  # noqa: TID251 - a command is an entry point
    settings = from_env(environment)
    try:
        bootstrap = kafka_of(settings.home, settings.kafka_bootstrap)
    except ValueError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    raise typer.Exit(switch(environment, bootstrap, account, "resume", who or getpass.getuser(), why))

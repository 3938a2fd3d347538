"""`dunlin pause` and `dunlin resume`: the kill switch."""

import getpass
import os
from typing import Annotated

import typer

Account = Annotated[str, typer.Argument(help="The Stripe account (acct_...); * means all.")]
Why = Annotated[str, typer.Option(help="The reason, kept with the switch.")]
Who = Annotated[str, typer.Option(help="Who gives the command (default: your login).")]


def pause(account: Account = "*", why: Why = "", who: Who = "") -> None:
    """Stop all charges and mails of an account, or of all, within seconds; nothing is lost, and `dunlin resume` goes on."""
    _set(account, "pause", who, why)


def resume(account: Account = "*", why: Why = "", who: Who = "") -> None:
    """Let a paused account, or all, go on; what fell due meanwhile is spread over an hour."""
    _set(account, "resume", who, why)


def _set(account: str, position: str, who: str, why: str) -> None:
    from dunlin.ops.operator_commands import run_producers
    from recovery.config import from_env

    environment = dict(os.environ)  # noqa: TID251 - a command is an entry point
    try:
        code = run_producers(
            environment, from_env(environment), "switch", account, position, f"--who={who or getpass.getuser()}", f"--why={why}"
        )
    except ValueError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    raise typer.Exit(code)

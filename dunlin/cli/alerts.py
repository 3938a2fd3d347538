"""`dunlin alerts test`: see whether alerts reach the merchant, and texts a telephone."""

import os
import subprocess
import sys
from typing import Annotated

import typer

app = typer.Typer(help="Alerts to merchants.", no_args_is_help=True)


@app.callback()
def alerts() -> None:
    """Alerts to merchants."""


@app.command("test")
def send_tests(
    account: Annotated[str, typer.Argument(help="The Stripe account (acct_...).")],
    email: Annotated[bool, typer.Option("--email", help="By e-mail, to the account's alert_email.")] = False,
    slack: Annotated[bool, typer.Option("--slack", help="In Slack, to the account's incoming webhook.")] = False,
    sms: Annotated[str, typer.Option(metavar="NUMBER", help="By SMS, to this number (+4915112345678).")] = "",
) -> None:
    """Send a test message by every channel that has an address, or by those named, and report each result."""
    from dunlin.ops.operator_commands import world_of
    from recovery.config import from_env

    environment = dict(os.environ)  # noqa: TID251 - a command is an entry point
    try:
        world = world_of(environment, from_env(environment))
    except ValueError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    ways = [*(["--email"] if email else []), *(["--slack"] if slack else []), *(["--sms", sms] if sms else [])]
    raise typer.Exit(subprocess.run([sys.executable, "-m", "sinks", "test-alert", account, *ways], env=world, check=False).returncode)

"""`dunlin webhooks`: deliveries to merchants' endpoints: their log, replays, tests, secrets, and endpoints that were switched off."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dunlin.cli.terminal import echo

if TYPE_CHECKING:
    from control.tenants import TenantDirectory
    from recovery.config import Settings
    from sinks.effects.webhooks.admin import DeliveryAdmin
    from sinks.effects.webhooks.delivery_log import DeliveryLog, Tried

app = typer.Typer(help="Deliveries to merchants' endpoints: list, log, show, replay, test, enable, rotate, secret.", no_args_is_help=True)

Account = Annotated[str, typer.Argument(help="The Stripe account (acct_...).")]
Name = Annotated[str, typer.Argument(help="The endpoint's name in the tenants file.")]
Endpoint = Annotated[str, typer.Option(help="Only this endpoint.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def endpoints(account: Annotated[str, typer.Argument(help="Only this account.")] = "", as_json: Json = False) -> None:
    """List endpoints and how they stand: well, failing, disabled."""
    import msgspec

    with _open() as (admin, _, tenants):
        wanted = [
            (each, name)
            for each in tenants.accounts()
            if account in {"", each}
            for name, found in tenants.tenant(each).endpoints.items()
            if found.url
        ]
        found = admin.standings(wanted)
    if as_json:
        typer.echo(msgspec.json.encode(found).decode())
        return
    for one in found:
        why = f": {one.why}" if one.why else f", {one.failures} failures in a row" if one.failures else ""
        echo(f"{one.account} {one.endpoint:<16} {one.standing}{why}  {one.url}")
    if not found:
        typer.echo("There are no endpoints; [tenant.endpoints.NAME] in the tenants file makes one (docs/webhooks.md).")


@app.command()
def log(
    account: Account,
    endpoint: Endpoint = "",
    failed: Annotated[bool, typer.Option("--failed", help="Only tries that were not taken.")] = False,
    limit: Annotated[int, typer.Option(help="How many, newest first.", min=1)] = 50,
    as_json: Json = False,
) -> None:
    """Print the tries of the last 30 days, newest first."""
    import msgspec

    with _open() as (_, journal, _tenants):
        found = journal.latest(account, endpoint=endpoint, failed=failed, limit=limit)
    if as_json:
        typer.echo(msgspec.json.encode(found).decode())
        return
    for one in found:
        echo(_line(one))
    if not found:
        typer.echo(f"No try for {account} in the last 30 days.")


@app.command()
def show(reference: Annotated[str, typer.Argument(metavar="ID", help="A webhook-id (msg_...) or an effect's id.")]) -> None:
    """Print a delivery as JSON: its request, with neither secrets nor signatures, and all its tries."""
    import msgspec

    with _open() as (admin, _, _tenants):
        typer.echo(msgspec.json.format(msgspec.json.encode(admin.show(reference)), indent=2).decode())


@app.command()
def replay(
    references: Annotated[list[str] | None, typer.Argument(metavar="ID...", help="Webhook-ids (msg_...) or effects' ids.")] = None,
    account: Annotated[str, typer.Option(help="With --from and --to: the account.")] = "",
    since: Annotated[datetime | None, typer.Option("--from", help="Deliveries tried since then (UTC).")] = None,
    until: Annotated[datetime | None, typer.Option("--to", help="And before then (UTC; default: now).")] = None,
    endpoint: Endpoint = "",
    types: Annotated[str, typer.Option(help="Only these event types, with commas between them.")] = "",
    failed: Annotated[bool, typer.Option("--failed", help="Only what was never taken.")] = False,
) -> None:
    """Send deliveries again, now, under their own webhook-ids. Exit status 1 when one is not accepted."""
    from recovery.adapters.clock import wall

    with _open() as (admin, _, _tenants):
        wanted = list(references or [])
        if bool(wanted) == (since is not None):
            raise ValueError("Name deliveries by their ids, or a range by --account and --from.")
        if since is not None:
            if not account:
                raise ValueError("A range needs --account.")
            kinds = tuple(kind.strip() for kind in types.split(",") if kind.strip())
            wanted = admin.within(account, _utc(since), _utc(until) if until else wall(), endpoint, kinds, failed)
        missed = 0
        for number, reference in enumerate(wanted, 1):
            try:
                done = admin.replay(reference)
            except LookupError as error:  # one that cannot be sent holds the others up no more than one that is not taken
                missed += 1
                echo(f"{number}/{len(wanted)} {reference}: {error}", err=True)
                continue
            missed += not done.delivered
            echo(f"{number}/{len(wanted)} {_line(done)}")
    typer.echo(f"{len(wanted) - missed} taken, {missed} not.")
    raise typer.Exit(1 if missed else 0)


@app.command()
def test(account: Account, name: Name) -> None:
    """Send a signed test event, of type endpoint_test. Exit status 1 when it is not accepted."""
    with _open() as (admin, _, _tenants):
        done = admin.test(account, name)
    echo(_line(done))
    raise typer.Exit(0 if done.delivered else 1)


@app.command()
def enable(account: Account, name: Name) -> None:
    """Let deliveries go to an endpoint that was switched off; the first ones go one at a time. What it missed comes with `replay`."""
    with _open() as (admin, _, _tenants):
        was_off = admin.enable(account, name)
    typer.echo(f"{name} is enabled." if was_off else f"{name} was not switched off.")


@app.command()
def rotate(
    account: Account,
    name: Name,
    finish: Annotated[bool, typer.Option("--finish", help="Let only the newest secret sign from now on.")] = False,
) -> None:
    """Change an endpoint's secret: begin, give the new one to the receiver, then --finish. Meanwhile both sign."""
    import secrets

    from control.webhook_secrets import SECRET_BYTES, begin_rotation, finish_rotation, secret_of

    with _open() as (_, _journal, tenants):
        endpoint = tenants.tenant(account).endpoints.get(name)
        if endpoint is None:
            raise LookupError(f"{account} has no endpoint {name!r}.")
        path = _settings().tenants_file.parent / endpoint.secrets_file
        if finish:
            typer.echo(f"{finish_rotation(path)} old secret removed; only the newest signs, within a second.")
            return
        secret = secret_of(secrets.token_bytes(SECRET_BYTES))
        number = begin_rotation(path, secret)
    typer.echo(f"{secret}\n\n{number} secrets sign now, within a second. Give this one to the receiver, then run", nl=False)
    typer.echo(f"\n  dunlin webhooks rotate {account} {name} --finish")


@app.command()
def secret(file: Annotated[Path, typer.Argument(help="The file to make, as secrets_file names it.")]) -> None:
    """Make the secrets file of a new endpoint, readable by you alone, and print the secret for the receiver."""
    import secrets

    from control.webhook_secrets import SECRET_BYTES, create, secret_of

    made = secret_of(secrets.token_bytes(SECRET_BYTES))
    try:
        create(file, made)
    except OSError as error:
        typer.echo(f"{file} cannot be made: {error.strerror}.", err=True)
        raise typer.Exit(1) from error
    typer.echo(made)


def _line(one: "Tried") -> str:
    when = datetime.fromtimestamp(one.at, UTC).strftime("%Y-%m-%d %H:%M:%S")
    what = f"taken {one.status}" if one.delivered else one.why or f"answered {one.status}"
    return f"{when} {one.message} {one.endpoint} {one.event_type} {one.sent_by} {one.seconds * 1000:.0f} ms: {what}"


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _settings() -> "Settings":
    """The settings of the stack that lives in the home, a demonstration's where one runs."""
    from dunlin.stack import state
    from recovery.config import from_env

    environment = dict(os.environ)  # noqa: TID251 - a command is an entry point
    settings = from_env(environment)
    home = state.living(settings.home)
    if home == settings.home:
        return settings
    demonstration = {
        "DUNLIN_HOME": str(home),
        "DUNLIN_TENANTS_FILE": str(home / "tenants.toml"),
        "DUNLIN_WEBHOOK_ALLOW_PRIVATE_ADDRESSES": "yes",
    }
    return from_env({**environment, **demonstration})


@contextmanager
def _open() -> Iterator[tuple["DeliveryAdmin", "DeliveryLog", "TenantDirectory"]]:
    """The resources of the commands. A failure is explained in one line. Exit status 2."""
    from sqlalchemy.exc import SQLAlchemyError

    from control.private_files import private_folder
    from control.tenants import TenantDirectory
    from recovery.adapters.clock import wall
    from sinks.effects.engine.ledger_tables import opened
    from sinks.effects.webhooks.admin import DeliveryAdmin
    from sinks.effects.webhooks.delivery_log import DeliveryLog
    from sinks.effects.webhooks.endpoints import Endpoints
    from sinks.effects.webhooks.sender import Sender
    from sinks.effects.webhooks.ssrf_guard import AddressPolicy

    try:
        settings = _settings()
        private_folder(settings.home)  # the ledger will lie there
        tenants = TenantDirectory.load(settings.tenants_file)
        engine = opened(settings.ledger_url)
        journal = DeliveryLog.beside(engine)
        sender = Sender(AddressPolicy(settings.webhook_allow_private_addresses, settings.webhook_ports), wall)
        try:
            yield DeliveryAdmin(Endpoints(tenants), sender, journal, wall), journal, tenants
        finally:
            sender.close()
            engine.dispose()
    except (LookupError, ValueError, OSError, SQLAlchemyError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error

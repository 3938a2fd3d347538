"""`dunlin up`: the whole stack in the foreground."""

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dunlin.stack.service import Service
    from dunlin.stack.supervisor import Stack


def up(
    *,
    only: Annotated[list[str] | None, typer.Option(help="Start this part alone; may be repeated.")] = None,
    without: Annotated[list[str] | None, typer.Option(help="Leave this part out; may be repeated.")] = None,
    kafka_port: Annotated[int, typer.Option(help="Embedded Kafka; it also uses the next one; 0: any free.", min=0, max=65534)] = 9092,
    clickhouse_port: Annotated[int, typer.Option(help="Embedded ClickHouse, HTTP; 0: any free.", min=0, max=65535)] = 8123,
    clickhouse_tcp_port: Annotated[int, typer.Option(help="Embedded ClickHouse, native; 0: any free.", min=0, max=65535)] = 9000,
    gateway_port: Annotated[int | None, typer.Option(help="Webhooks; 0: any free (default: DUNLIN_GATEWAY_PORT or 8090).")] = None,
    dashboard_port: Annotated[int | None, typer.Option(help="Pages; 0: any free (default: DUNLIN_DASHBOARD_PORT or 8501).")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show the stack's own lines alone; the logs have the rest.")] = False,
) -> None:
    """Start everything and keep it running until Ctrl-C or `dunlin down`."""
    from dunlin.diagnostics.external import servers
    from dunlin.stack.local_stack import local_parts, run_to_the_end, settle_ports
    from dunlin.stack.services import LocalPorts, chosen
    from dunlin.stack.supervisor import Stack
    from recovery.adapters.clock import wall
    from recovery.config import from_env

    environment = dict(os.environ)  # noqa: TID251 - a command is an entry point
    for name, port in (("DUNLIN_GATEWAY_PORT", gateway_port), ("DUNLIN_DASHBOARD_PORT", dashboard_port)):
        if port is not None:
            environment[name] = str(port)
    local = LocalPorts(
        kafka=kafka_port,
        kafka_controller=kafka_port and kafka_port + 1,
        clickhouse_http=clickhouse_port,
        clickhouse_tcp=clickhouse_tcp_port,
    )
    try:
        settings, local = settle_ports(from_env(environment), local)
        parts = chosen(local_parts(settings, local), only or (), without or ())
    except ValueError as error:
        typer.echo(f"dunlin up: {error}", err=True)
        raise typer.Exit(2) from error
    if not settings.tenants_file.is_file() and (needing := [part.name for part in parts if part.name in _NEED_TENANTS]):
        typer.echo(_no_tenants(str(settings.tenants_file), needing), err=True)
        raise typer.Exit(1)
    outside = [found.text for found in servers(settings) if found.is_wrong]
    if outside:
        typer.echo("\n".join(outside), err=True)
        raise typer.Exit(1)
    stack = Stack(parts, home=settings.home, environment=environment, clock=wall, out=sys.stdout, quiet=quiet)
    stack.report(f"starting {', '.join(part.name for part in parts)}")
    raise typer.Exit(run_to_the_end(stack, settings.home, sys.stderr, lambda seconds: _show_ready(stack, parts, seconds)))


_NEED_TENANTS = ("gateway", "effects", "expiring")


def _no_tenants(file: str, needing: list[str]) -> str:
    return (
        f"no tenants file at {file}: it names the Stripe accounts and where their secrets are. docs/operations.md shows one.\n"
        "To see Dunlin at work with an imaginary Stripe: dunlin demo\n"
        f"To start what needs no account: dunlin up {' '.join(f'--without {name}' for name in needing)}"
    )


def _show_ready(stack: "Stack", parts: "list[Service]", seconds: float) -> None:
    takes_webhooks = any(part.name == "gateway" for part in parts)
    stack.report(f"ready in {seconds:.1f} s" + (" (first accepted webhook possible)" if takes_webhooks else ""))
    for part in parts:
        for purpose, url in part.urls.items():
            stack.report(f"  {part.name:<10} {purpose:<10} {_without_password(url)}")
    stack.report("passwords are in run/stack.json below DUNLIN_HOME; stop with Ctrl-C or `dunlin down`")


def _without_password(url: str) -> str:
    before, at, after = url.rpartition("@")
    return f"{before.rpartition(':')[0]}:***@{after}" if at else url

"""`dunlin demo`: a month of an imaginary merchant's life on a fast clock, dashboard open."""

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dunlin.demo import Sandbox
    from dunlin.proof import Addresses
    from dunlin.stack import Stack


def demo(
    customers: Annotated[int, typer.Option(help="Customers of the imaginary merchant.", min=1)] = 2_000,
    minutes: Annotated[float, typer.Option(help="Wall minutes that the month takes.", min=0.5)] = 2.0,
    seed: Annotated[int, typer.Option(help="The world's seed; the same seed is the same luck.")] = 7,
    stripe_retries: Annotated[bool, typer.Option(help="Let the imaginary Stripe retry by itself, too.")] = False,
    headless: Annotated[bool, typer.Option(envvar="DUNLIN_DEMO_HEADLESS", help="Stop after the verification.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show the lines of all parts.")] = False,
) -> None:
    """Lose and recover payments for 30 days in two minutes, then verify every figure; leaves with 0 when all is right."""
    from dunlin import demo as setting
    from dunlin.local import local_parts, run_to_the_end, settle_ports
    from dunlin.parts import LocalPorts
    from dunlin.ports import free_ports
    from dunlin.proof import running
    from dunlin.root_lock import InUseError
    from dunlin.stack import Stack
    from recovery.adapters.clock import wall
    from recovery.config import from_env

    variables = dict(os.environ)  # noqa: TID251 - a command is an entry point
    home = setting.home_of(from_env(variables).home)
    try:
        setting.empty_home(home)
    except (InUseError, ValueError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    port, smtp_port = free_ports(2)
    place = setting.SandboxPlace(home=home / "sandbox", port=port, smtp_port=smtp_port)
    setting.write_tenant(home, place)
    world = setting.World(customers=customers, speed=setting.MONTH_DAYS * 86_400 / (minutes * 60), seed=seed, stripe_retries=stripe_retries)
    variables |= setting.environment(home, place) | {"DUNLIN_GATEWAY_PORT": "0", "DUNLIN_DASHBOARD_PORT": "0"}
    settings, local = settle_ports(from_env(variables), LocalPorts(kafka=0, kafka_controller=0, clickhouse_http=0, clickhouse_tcp=0))
    gateway = f"http://{settings.gateway_host}:{settings.gateway_port}"
    parts = [*local_parts(settings, local), *setting.sandbox_parts(place, world, gateway, home)]
    stack = Stack(parts, home=home, environment=variables, clock=wall, out=sys.stdout, quiet=not verbose)
    result: list[int] = []
    started = wall()

    def live(seconds: float) -> None:
        stack.say(f"the stack is ready in {seconds:.1f} s; the month begins: {customers:,} customers, about {minutes:g} minutes")
        try:
            result.append(_live(stack, setting.Sandbox(place.api), running(home), settings.dashboard_port, headless, started.timestamp()))
        finally:
            if headless or not result:
                stack.request_stop()

    code = run_to_the_end(stack, home, sys.stderr, live)
    raise typer.Exit(code or (result[0] if result else 1))


def demo_endpoint(
    api: Annotated[str, typer.Option(help="The sandbox's address.")],
    gateway: Annotated[str, typer.Option(help="The gateway's address.")],
    secrets: Annotated[str, typer.Option(help="The file that keeps the endpoint's secret.")],
) -> None:
    """Register the gateway as the imaginary merchant's webhook endpoint; a step of `dunlin demo`."""
    from pathlib import Path

    from dunlin.demo import register_endpoint

    typer.echo(f"registered {register_endpoint(api, gateway, Path(secrets))}")


def _live(stack: "Stack", sandbox: "Sandbox", addresses: "Addresses", dashboard_port: int, headless: bool, started: float) -> int:
    """Live through the month with a progress bar, verify, and tell where to look. Answers the exit code."""
    from rich.console import Console

    from dunlin.cli.month import watch
    from dunlin.proof import prove
    from dunlin.quiet import NotQuietError
    from dunlin.report import show

    console = Console()
    sandbox.start()
    console.print(f"first webhook accepted {sandbox.first_accepted() - started:.1f} s after the start")
    watch(console, sandbox)
    try:
        report = prove(addresses, lambda text: console.print(f"[dim]{text}[/dim]"), "demo")
    except NotQuietError as error:
        stack.say(str(error))
        return 1
    show(console, report)
    if not headless:
        console.print(f"\ndashboard  http://127.0.0.1:{dashboard_port}\ninbox      {addresses.sandbox}/inbox\nCtrl-C stops everything.")
    return 0 if report.sound else 1

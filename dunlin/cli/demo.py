"""`dunlin demo`: a month of an imaginary merchant's life on a fast clock, dashboard open."""

import json
import os
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pathlib import Path

    from dunlin.demo.verification import StackAddresses
    from dunlin.demo.world import World
    from dunlin.stack.supervisor import Stack


def demo(
    customers: Annotated[int, typer.Option(help="Customers of the imaginary merchant.", min=1)] = 2_000,
    days: Annotated[float, typer.Option(help="Days of business.", min=0.1, max=30)] = 30,
    begins: Annotated[str, typer.Option("--from", help="Begin on this day (UTC), as 2026-03-01; without it so many days before now.")] = "",
    minutes: Annotated[float, typer.Option(help="Take at least so many wall minutes; 0 is as fast as the pipeline goes.", min=0.0)] = 0.0,
    seed: Annotated[int, typer.Option(help="The world's seed; the same seed is the same luck.")] = 7,
    stripe_retries: Annotated[bool, typer.Option(help="Let the imaginary Stripe retry by itself, too.")] = False,
    workers: Annotated[int, typer.Option(help="Stream workers, which share the partitions.", min=1, max=4)] = 1,
    gateways: Annotated[int, typer.Option(help="Gateways, which share the port.", min=1, max=4)] = 1,
    headless: Annotated[bool, typer.Option(envvar="DUNLIN_DEMO_HEADLESS", help="Stop after the verification.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show the lines of all parts.")] = False,
) -> None:
    """Lose and recover payments for 30 days, then verify every figure. Exit status 0 when all is right.

    Business time waits for the pipeline, so the same seed and first day give the same figures on any machine; the last line is a JSON
    object with their fingerprint.
    """
    from dunlin.demo import world as setting
    from dunlin.demo.verification import running
    from dunlin.stack.directory_lock import InUseError
    from dunlin.stack.local_stack import local_parts, run_to_the_end, settle_ports
    from dunlin.stack.ports import free_ports
    from dunlin.stack.services import LocalPorts
    from dunlin.stack.supervisor import Stack
    from recovery.adapters.clock import wall
    from recovery.config import from_env

    variables = dict(os.environ)  # noqa: TID251 - a command is an entry point
    home = setting.home_of(from_env(variables).home)
    try:
        start = setting.first_moment(begins, days, wall())
        setting.empty_home(home)
    except (InUseError, ValueError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    port, smtp_port = free_ports(2)
    place = setting.SandboxPlace(home=home / "sandbox", port=port, smtp_port=smtp_port)
    setting.write_tenant(home, place)
    world = setting.World(customers=customers, days=days, start=start, seed=seed, stripe_retries=stripe_retries)
    variables |= setting.environment(home, place) | {"DUNLIN_GATEWAY_PORT": "0", "DUNLIN_DASHBOARD_PORT": "0"}
    settings, local = settle_ports(from_env(variables), LocalPorts(kafka=0, kafka_controller=0, clickhouse_http=0, clickhouse_tcp=0))
    gateway = f"http://{settings.gateway_host}:{settings.gateway_port}"
    own = setting.several(setting.stepped(local_parts(settings, local), place), workers, gateways)
    parts = [*own, *setting.sandbox_parts(place, world, gateway, home)]
    stack = Stack(parts, home=home, environment=variables, clock=wall, out=sys.stdout, quiet=not verbose)
    result: list[tuple[int, str]] = []
    started = wall()

    def live(seconds: float) -> None:
        stack.report(f"the stack is ready in {seconds:.1f} s; the month begins: {customers:,} customers, {days:g} days, seed {seed}")
        try:
            result.append(_live(stack, home, world, running(home), settings.dashboard_port, headless, minutes, started.timestamp()))
        finally:
            if headless or not result:
                stack.request_stop()

    code = run_to_the_end(stack, home, sys.stderr, live)
    if headless and result:
        typer.echo(result[0][1])  # behind whatever the parts said when they ended
    raise typer.Exit(code or (result[0][0] if result else 1))


def demo_endpoint(
    api: Annotated[str, typer.Option(help="The sandbox's address.")],
    gateway: Annotated[str, typer.Option(help="The gateway's address.")],
    secrets: Annotated[str, typer.Option(help="The file that keeps the endpoint's secret.")],
) -> None:
    """Register the gateway as the imaginary merchant's webhook endpoint; a step of `dunlin demo`."""
    from pathlib import Path

    from dunlin.demo.world import register_endpoint

    typer.echo(f"registered {register_endpoint(api, gateway, Path(secrets))}")


def _live(
    stack: "Stack",
    home: "Path",
    world: "World",
    addresses: "StackAddresses",
    dashboard_port: int,
    headless: bool,
    minutes: float,
    started: float,
) -> tuple[int, str]:
    """Run the month with a progress bar, verify it, and show what to open next. Returns the exit code and the last line."""
    from rich.console import Console

    from dunlin.demo.clock_keeper import keeper
    from dunlin.demo.month import write_cases
    from dunlin.demo.progress import watch
    from dunlin.demo.quiescence import NotQuiescentError
    from dunlin.demo.report import show
    from dunlin.demo.verification import prove
    from dunlin.demo.world import Sandbox

    console, sandbox = Console(), Sandbox(addresses.sandbox)
    keeping = keeper(addresses, minutes * 60 / world.days / 86_400)
    sandbox.start()
    try:
        watch(console, sandbox, keeping)
        console.print(f"first webhook accepted {sandbox.first_accepted() - started:.1f} s after the start")
        report = prove(addresses, lambda text: console.print(f"[dim]{text}[/dim]"), "demo")
    except NotQuiescentError as error:
        stack.report(str(error))
        return 1, json.dumps({"error": str(error)})
    show(console, report)
    write_cases(home, report.cases)
    begins = datetime.fromtimestamp(sandbox.month()[0], UTC)
    line = json.dumps({"from": begins.isoformat(), "seed": world.seed, **report.figures()})
    if not headless:
        sandbox.run_on()
        console.print(f"\ndashboard  http://127.0.0.1:{dashboard_port}\ninbox      {addresses.sandbox}/inbox\nCtrl-C stops everything.")
        typer.echo(line)
    return (0 if report.sound else 1), line

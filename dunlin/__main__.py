"""The command line: `dunlin up`, `down`, `status`, `doctor` and what else is listed here."""

import importlib

import typer

COMMANDS = ("up", "down", "status", "doctor", "demo", "verify", "pause", "resume", "replay", "explain")
"""Modules of `dunlin.cli` with one command: a function named like the module."""

TOGETHER = {"resume": "pause"}
"""Commands that share a module."""

GROUPS = ("topics", "policy", "parked", "alerts", "webhooks")
"""Modules of `dunlin.cli` with several commands: a `typer.Typer` named `app`."""


def build() -> typer.Typer:
    """Put the commands together; what they work with is imported only when one runs."""
    app = typer.Typer(
        name="dunlin",
        help="Recovers failed subscription payments: webhooks, Kafka, streams, ClickHouse, dashboard.",
        no_args_is_help=True,
        pretty_exceptions_show_locals=False,  # locals may hold passwords
    )
    for name in COMMANDS:
        app.command(name)(getattr(importlib.import_module(f"dunlin.cli.{TOGETHER.get(name, name)}"), name))
    demo_endpoint = importlib.import_module("dunlin.cli.demo").demo_endpoint
    app.command("demo-endpoint", hidden=True)(demo_endpoint)
    for name in GROUPS:
        app.add_typer(importlib.import_module(f"dunlin.cli.{name}").app, name=name)
    return app


def main() -> None:
    """Run the command of the arguments."""
    build()()


if __name__ == "__main__":
    main()

"""`dunlin replay`: the state rebuilt from the facts, compared with the stream's own."""

import json
import os
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from dunlin.ops.state_replay import Replayed
    from recovery.adapters.kafka_cluster import Cluster


def replay(
    verify: Annotated[bool, typer.Option("--verify", help="Compare rows and messages with those of the stream, byte for byte.")] = False,
    partition: Annotated[int | None, typer.Option(help="Only this partition.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")] = False,
) -> None:
    """Rebuild the stream's state from `facts`, in memory. Exit status 0 when nothing differs, else 1."""
    import msgspec

    from dunlin.cli.terminal import PlainConsole
    from dunlin.ops.operator_commands import cluster_of
    from dunlin.ops.state_replay import CannotReplayError
    from recovery.adapters.kafka_trouble import KafkaUnusable
    from recovery.config import from_env

    settings = from_env(os.environ)  # noqa: TID251 - a command is an entry point
    console = PlainConsole(stderr=as_json)
    numbers = range(settings.partitions) if partition is None else [partition]
    try:
        brokers = cluster_of(settings)
        done = [_one(console, brokers, settings.app_id, number, verify) for number in numbers]
    except (CannotReplayError, KafkaUnusable, ValueError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    differences = sum(one.differences for one in done)
    _conclude(console, done, verify, differences)
    if as_json:
        typer.echo(json.dumps({"differences": differences, "partitions": [msgspec.to_builtins(one) for one in done]}))
    raise typer.Exit(1 if differences else 0)


def _one(console: "Console", brokers: "Cluster", app_id: str, number: int, verify: bool) -> "Replayed":
    from dunlin.ops.partition_source import KafkaPartition
    from dunlin.ops.state_replay import apart, replay
    from recovery.contracts.topics import FACTS

    source = KafkaPartition(brokers, app_id, number)
    try:
        with console.status(f"partition {number}: reading the stream's rows") as status:

            def show(done: int, end: int) -> None:
                if done % 1_000 == 0:
                    status.update(f"partition {number}: {done:,} of {end:,} facts")

            result = replay(source, app_id, FACTS.name, verify=verify, report=show)
    finally:
        source.close()
    console.print(f"partition {number}: {result.facts:,} facts, {result.outputs:,} messages, {result.rows:,} rows, state {result.digest}")
    for difference in result.shown:
        kept, replayed = apart(difference.kept or "(nothing)", difference.replayed or "(nothing)")
        console.print(f"  {difference.kind} in {difference.where}\n    kept:     {kept}\n    replayed: {replayed}", markup=False)
    return result


def _conclude(console: "Console", done: "list[Replayed]", verify: bool, differences: int) -> None:
    facts = sum(one.facts for one in done)
    if not verify:
        console.print(f"{facts:,} facts replayed; nothing was compared (`--verify` does)")
    elif differences:
        console.print(f"{differences:,} differences in {facts:,} facts. Was the stream run by another version of the program?")
    else:
        console.print(f"{facts:,} facts replayed, no difference: rows and messages are the same, byte for byte")

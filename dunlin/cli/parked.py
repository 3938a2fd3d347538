"""`dunlin parked`: dead letters, which are messages that could not be processed: list them, show one, replay them."""

import getpass
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from recovery.config import from_env

if TYPE_CHECKING:
    from recovery.adapters.dead_letter_reader import DeadLetterReader

app = typer.Typer(help="Messages that could not be processed: list, show, replay.", no_args_is_help=True)

FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M%z"]
Topic = Annotated[str, typer.Option(help="A stage (gateway, streams, sinks), a parking topic, or the topic that messages came from.")]
Reason = Annotated[str, typer.Option(help="A part of why they were parked, in small or capital letters.")]
Since = Annotated[datetime | None, typer.Option(formats=FORMATS, help="Parked at or after this time; UTC unless it names a zone.")]
Until = Annotated[datetime | None, typer.Option(formats=FORMATS, help="Parked before this time; UTC unless it names a zone.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_parked(
    topic: Topic = "",
    reason: Reason = "",
    since: Since = None,
    until: Until = None,
    waiting: Annotated[bool, typer.Option("--waiting", help="Only those that were not replayed yet.")] = False,
    as_json: AsJson = False,
) -> None:
    """List parked messages, the oldest first, with where they come from and why they are here."""
    import msgspec
    from rich.table import Table

    from dunlin.cli.terminal import PlainConsole
    from dunlin.ops.dead_letter_view import line, reason_of
    from recovery.adapters.dead_letter_reader import DeadLetterFilter

    wanted = DeadLetterFilter(topic=topic, reason=reason, since=_in_utc(since), until=_in_utc(until))
    console = PlainConsole(stderr=as_json)
    with _refusals(), _lot() as lot, console.status("reading what is parked") as status:
        found = lot.find(wanted, lambda read: status.update(f"reading what is parked: {read:,}"))
    lines = [line(held) for held in found if not (waiting and held.replayed)]
    if as_json:
        typer.echo(msgspec.json.encode(lines).decode())
        return
    table = Table("message", "parked (UTC)", "account", "from", "bytes", "why", "replayed", box=None, pad_edge=False)
    for one in lines:
        table.add_row(
            one.name,
            one.parked_at[:19].replace("T", " "),
            one.account,
            one.topic,
            f"{one.size:,}",
            reason_of(one.why, one.error),
            one.put_back or "-",
        )
    if lines:
        console.print(table)
    console.print(f"{len(lines):,} parked {'message' if len(lines) == 1 else 'messages'}" if lines else "nothing is parked")


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="The message's name, such as streams-2-15.")],
    raw: Annotated[bool, typer.Option("--raw", help="Write its bytes and nothing else.")] = False,
) -> None:
    """Show one parked message: where it comes from, why it is here, its trace, its bytes, and what to try."""
    from dunlin.cli.terminal import echo
    from dunlin.ops.dead_letter_view import in_full
    from recovery.adapters.dead_letter_reader import DeadLetterFilter, MessagePosition

    with _refusals(), _lot() as lot:
        parked, _ = lot.message(MessagePosition.named(name))
        (held,) = lot.find(DeadLetterFilter(names=(name,)))
    if raw:
        sys.stdout.buffer.write(parked.value)
    else:
        echo(in_full(held, parked))


@app.command()
def replay(
    names: Annotated[list[str] | None, typer.Argument(help="Messages by name; without one, those of the options.")] = None,
    topic: Topic = "",
    reason: Reason = "",
    since: Since = None,
    until: Until = None,
    everything: Annotated[bool, typer.Option("--all", help="Every message that is parked; needed when nothing else is named.")] = False,
    repeat: Annotated[bool, typer.Option("--again", help="Also those that were replayed before.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be written, and write nothing.")] = False,
    who: Annotated[str, typer.Option(help="Who gives the command (default: your login).")] = "",
    why: Annotated[str, typer.Option(help="The reason, kept with it.")] = "",
) -> None:
    """Replay dead letters once their cause is fixed. Exit status 1 when one cannot be replayed."""
    from dunlin.ops.operator_commands import run_producers

    environment = dict(os.environ)  # noqa: TID251 - a command is an entry point
    words = [*(names or []), f"--topic={topic}", f"--reason={reason}", f"--who={who or getpass.getuser()}", f"--why={why}"]
    for option, moment in (("--since", _in_utc(since)), ("--until", _in_utc(until))):
        words += [option, moment.isoformat()] if moment is not None else []
    words += [option for option, on in (("--all", everything), ("--again", repeat), ("--dry-run", dry_run)) if on]
    with _refusals():
        raise typer.Exit(run_producers(environment, from_env(environment), "replay", *words))


@contextmanager
def _lot() -> "Iterator[DeadLetterReader]":
    from dunlin.ops.operator_commands import cluster_of
    from recovery.adapters.dead_letter_reader import DeadLetterReader

    settings = from_env(os.environ)  # noqa: TID251 - a command is an entry point
    lot = DeadLetterReader(cluster_of(settings))
    try:
        yield lot
    finally:
        lot.close()


@contextmanager
def _refusals() -> Iterator[None]:
    """A failure is explained on standard error. Exit status 1."""
    from recovery.adapters.dead_letter_reader import CannotRead
    from recovery.adapters.kafka_trouble import KafkaUnusable

    try:
        yield
    except (LookupError, ValueError, CannotRead, KafkaUnusable) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error


def _in_utc(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)

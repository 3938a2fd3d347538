"""`dunlin policy`: an account's policy as a versioned document: show, check, compare, shadow, publish, roll back."""

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from recovery.config import Settings, from_env

app = typer.Typer(help="An account's policy: show, check, diff, dry-run, shadow, publish, rollback, history.", no_args_is_help=True)

Account = Annotated[str, typer.Argument(help="The Stripe account (acct_...); may be left out where there is only one.")]
AccountOption = Annotated[str, typer.Option("--account", help="The Stripe account; may be left out where there is only one.")]
Who = Annotated[str, typer.Option(help="Who gives the command (default: your login).")]
Why = Annotated[str, typer.Option(help="The reason, kept with the change.")]
File = Annotated[Path, typer.Argument(help="A policy as a TOML document: the settings of [tenant.policy], without that heading.")]


@app.command()
def show(
    account: Account = "",
    version: Annotated[int | None, typer.Option(help="An older version instead of the one in force.")] = None,
    draft: Annotated[bool, typer.Option("--draft", help="The draft that is being tried instead.")] = False,
) -> None:
    """Print the policy in force as a TOML document with every setting written out."""
    from dunlin.ops.policy_view import DRAFT, document, history_of, page
    from recovery.policy import to_toml

    with _refusals():
        name, history = history_of(_settings().home, account)
        if draft:
            typer.echo(f"# {name}, the draft\n\n{to_toml(document(history, DRAFT))}", nl=False)
            return
        last = history.last if version is None else history.version(version)
        if last is None:
            raise LookupError(f"No policy of {name} has been published.")
        typer.echo(page(name, last, history), nl=False)


@app.command()
def check(file: File, account: AccountOption = "") -> None:
    """Explain what is wrong with a document. Exit status 0 if it can be published; then it shows what it would change."""
    from control.policy_history import checked, in_force
    from dunlin.ops.policy_view import histories, history_of, text_of
    from recovery.policy_versions import diff

    with _refusals():
        policy = checked(text_of(file))
        typer.echo(f"{file.name} can be published.")
        home = _settings().home
        for name, history in [history_of(home, account)] if account else sorted(histories(home).items()):
            last = history.last.document if history.last is not None else in_force(history)
            for sentence in diff(last, policy) or ["Nothing would change."]:
                typer.echo(f"{name}: {sentence}")


@app.command("diff")
def differences(
    a: Annotated[str, typer.Argument(help="A version's number, `draft`, or a file.")],
    b: Annotated[str, typer.Argument(help="The other one.")],
    account: AccountOption = "",
) -> None:
    """Show what changes from one policy to another, a sentence for each setting. Exit status 1 if anything does."""
    from dunlin.ops.policy_view import document, history_of
    from recovery.policy_versions import diff

    with _refusals(2):
        _, history = history_of(_settings().home, account)
        sentences = diff(document(history, a), document(history, b))
        typer.echo("\n".join(sentences) or "They say the same.")
    raise typer.Exit(1 if sentences else 0)


@app.command()
def history(account: Account = "", as_json: Annotated[bool, typer.Option("--json", help="Print one JSON array.")] = False) -> None:
    """List all versions with who published them, when, why, and what each changed."""
    import msgspec
    from rich.table import Table

    from dunlin.cli.terminal import PlainConsole
    from dunlin.ops.policy_view import history_of, lines

    with _refusals():
        _, versions = history_of(_settings().home, account)
    shown = lines(versions)
    if as_json:
        typer.echo(msgspec.json.encode(shown).decode())
        return
    table = Table("version", "published (UTC)", "who", "why", "mode", "what it changed", box=None, pad_edge=False)
    for line in shown:
        table.add_row(str(line.number), line.published_at[:16].replace("T", " "), line.who, line.why, line.mode, "\n".join(line.changes))
    PlainConsole().print(table)


@app.command("dry-run")
def dry_run(
    file: Annotated[Path | None, typer.Argument(help="The document to try.")] = None,
    off: Annotated[bool, typer.Option("--off", help="Try no draft any more.")] = False,
    account: AccountOption = "",
    who: Who = "",
    why: Why = "",
) -> None:
    """Try a document on live traffic, on paper: where it decides otherwise is recorded (`dunlin policy shadow`), nothing is carried out."""
    with _refusals():
        if (file is None) != off:
            raise ValueError("Name a file to try, or --off to try none any more.")
        _change("try", _account(account), who, why, *_file(file))


@app.command()
def publish(
    file: Annotated[Path | None, typer.Argument(help="The document to publish; without it the draft that is being tried.")] = None,
    account: AccountOption = "",
    who: Who = "",
    why: Why = "",
) -> None:
    """Put a document in force as the next version; what is wrong with it is said in words, and it is not published then."""
    with _refusals():
        _change("publish", _account(account), who, why, *_file(file))


@app.command()
def rollback(
    number: Annotated[int, typer.Argument(help="The version to go back to.")], account: AccountOption = "", who: Who = "", why: Why = ""
) -> None:
    """Publish the content of an older version again, as the next one: numbers only rise."""
    with _refusals():
        _change("rollback", _account(account), who, why, str(number))


@app.command()
def shadow(
    account: Account = "",
    since: Annotated[
        datetime | None, typer.Option(help="From this moment of business time on, in UTC (default: since the draft is tried).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show what the draft would have decided otherwise since its shadow evaluation began, the most frequent difference first."""
    from datetime import UTC

    import msgspec
    from rich.table import Table

    from dunlin.cli.terminal import PlainConsole
    from dunlin.ops.case_events import warehouse
    from dunlin.ops.policy_view import history_of
    from dunlin.ops.shadow_report import in_words, report

    settings = _settings()
    with _refusals():
        name, kept = history_of(settings.home, account)
        begun = kept.trial.occurred_at if kept.trial is not None and kept.draft is not None else None
        moment = since.replace(tzinfo=UTC) if since is not None and since.tzinfo is None else since
        with warehouse(settings.home, settings.clickhouse_url) as client:
            found = report(client, name, moment or begun)
    if as_json:
        typer.echo(msgspec.json.encode(found).decode())
        return
    console = PlainConsole()
    from_when = f"since {found.since:%Y-%m-%d %H:%M} UTC" if found.since.timestamp() else "ever"
    console.print(f"{name}: {found.decisions:,} decisions would have been others {from_when}; {found.cases:,} cases had a decision at all.")
    if not found.differences:
        console.print("No draft is being tried." if begun is None else "The draft decides alike so far.")
        return
    table = Table("decisions", "cases", "what the draft would do", "for example", box=None, pad_edge=False)
    for one in found.differences:
        table.add_row(f"{one.decisions:,}", f"{one.cases:,}", in_words(one), one.example)
    console.print(table)


def _settings() -> Settings:
    return from_env(os.environ)  # noqa: TID251 - a command is an entry point


def _account(account: str) -> str:
    from dunlin.ops.policy_view import history_of

    return account or history_of(_settings().home, account)[0]


def _file(file: Path | None) -> tuple[str, ...]:
    if file is None:
        return ()
    from control.policy_history import checked
    from dunlin.ops.policy_view import text_of

    checked(text_of(file))
    return ("--file", str(file.absolute()))


def _change(change: str, account: str, who: str, why: str, *more: str) -> None:
    from dunlin.ops.operator_commands import run_producers

    environment = dict(os.environ)  # noqa: TID251 - a command is an entry point
    words = ("policy", change, account, *more, f"--who={who or getpass.getuser()}", f"--why={why}")
    raise typer.Exit(run_producers(environment, from_env(environment), *words))


@contextmanager
def _refusals(code: int = 1) -> Iterator[None]:
    """A failure is explained on standard error. Exit status `code`."""
    try:
        yield
    except (LookupError, ValueError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(code) from error

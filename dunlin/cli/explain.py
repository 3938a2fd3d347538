"""`dunlin explain`: the story of one invoice."""

import os
from typing import Annotated

import typer


def explain(
    invoice: Annotated[str, typer.Argument(help="The Stripe invoice (in_...).")],
    account: Annotated[str, typer.Option(help="The Stripe account, where several have this invoice's id.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the story as one JSON object.")] = False,
) -> None:
    """Explain what happened to a failed payment, in plain sentences: each decision with its reason, its time and its policy."""
    import msgspec
    from rich.table import Table

    from dunlin.cli.terminal import PlainConsole, echo
    from dunlin.ops.case_events import events_of, warehouse
    from dunlin.ops.case_story import story, when
    from recovery.config import from_env

    settings = from_env(os.environ)  # noqa: TID251 - a command is an entry point
    try:
        with warehouse(settings.home, settings.clickhouse_url) as client:
            rows = events_of(client, invoice, account)
    except (LookupError, ValueError) as error:
        echo(str(error), err=True)
        raise typer.Exit(1) from error
    case_story = story(rows)
    if as_json:
        typer.echo(msgspec.json.encode(case_story).decode())
        return
    console = PlainConsole()
    console.print(
        f"{case_story.invoice} of customer {case_story.customer or '(unknown)'}, account {case_story.account}\n{case_story.summary}\n",
        highlight=False,
    )
    table = Table("when", "what and why", "policy", box=None, pad_edge=False)
    for line in case_story.lines:
        table.add_row(when(line.at), line.sentence, str(line.policy_version or "-"))
    console.print(table)

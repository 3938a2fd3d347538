"""`dunlin topics`: create the topics of the table, list them, draw them."""

import os

import typer

from recovery.config import from_env

app = typer.Typer(help="The topics: create, list, draw.", no_args_is_help=True)


@app.command()
def create() -> None:
    """Create every topic that is absent on the broker of DUNLIN_KAFKA_BOOTSTRAP; leave the others as they are."""
    from recovery.adapters.kafka import create_topics
    from recovery.adapters.kafka_cluster import cluster
    from recovery.adapters.kafka_trouble import KafkaUnusable

    try:
        settings = from_env(os.environ)  # noqa: TID251 - a command is an entry point
        if not settings.kafka_bootstrap:
            raise ValueError("DUNLIN_KAFKA_BOOTSTRAP is not set; give host:port of the broker (`dunlin up` creates the topics by itself).")
        created = create_topics(cluster(settings), settings.app_id, settings.partitions, settings.kafka_replication or -1)
    except (KafkaUnusable, ValueError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    typer.echo(f"created {', '.join(created)}" if created else "all topics are there")


@app.command("list")
def list_topics() -> None:
    """Print the table of topics: producers, consumers, key, retention, dead-letter topic."""
    from recovery.contracts.topics import TOPICS, changelog

    for topic in (*TOPICS, changelog(from_env(os.environ).app_id)):  # noqa: TID251 - a command is an entry point
        kept = "last of each key kept" if topic.compacted else f"kept {topic.retention_ms // 86_400_000} days"
        typer.secho(topic.name, bold=True, nl=False)
        typer.echo(f"  ({kept}{f'; unreadable messages go to {topic.dead_letter_topic}' if topic.dead_letter_topic else ''})")
        typer.echo(f"  {topic.description}")
        typer.echo(f"  from {', '.join(topic.producers)} to {', '.join(topic.consumers) or 'none yet'}; key: {topic.key}\n")


@app.command()
def diagram() -> None:
    """Print the topics with their producers and consumers as a Mermaid flow chart."""
    from recovery.contracts.topics import diagram as draw

    typer.echo(draw())

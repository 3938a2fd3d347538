"""`python -m streams worker`: build the app and run one worker. Exit code 70: restart me; 75: do not restart, an operator must act; 0
follows SIGTERM."""

import logging
import os
import sys
from typing import Any

import faust

from recovery.adapters import logs
from recovery.adapters.kafka_cluster import cluster
from recovery.adapters.kafka_trouble import KafkaUnusable, check, check_topics
from recovery.config import Settings, from_env
from recovery.contracts.topics import FACTS, changelog
from streams.faust_app import build


def main(arguments: list[str]) -> None:
    """Run the worker until SIGTERM or SIGINT."""
    if arguments != ["worker"]:
        sys.exit("usage: python -m streams worker")
    try:
        settings = from_env(os.environ)
    except ValueError as error:
        sys.exit(str(error))
    if not settings.kafka_bootstrap:
        sys.exit("DUNLIN_KAFKA_BOOTSTRAP is not set; `dunlin up` sets it, or name your broker, such as kafka-1:9092.")
    logs.set_up(settings.log_level)
    try:
        check(cluster(settings))
        check_topics(cluster(settings), (FACTS.name, changelog(settings.app_id).name))
        app = build(settings)
    except (KafkaUnusable, ValueError) as error:
        sys.exit(str(error))
    _signal_ready(app, settings)
    worker: Any = faust.Worker(app, redirect_stdouts=False, override_logging=False)
    worker.spinner = None  # it would draw on the log
    for chatty in ("mode", "faust"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    worker.execute_from_commandline()


def _signal_ready(app: Any, settings: Settings) -> None:
    """Create the ready file once the partitions' shards are open and their facts are fetched."""

    async def assigned(_app: Any, assigned: Any, **_: Any) -> None:
        if settings.ready_file is not None and assigned:
            settings.ready_file.touch()

    app.on_partitions_assigned.connect(assigned, weak=False)


if __name__ == "__main__":
    main(sys.argv[1:])

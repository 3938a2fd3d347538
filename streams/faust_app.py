"""Builds the Faust app: one agent on one input, exactly once."""

from pathlib import Path
from typing import Any

import faust

from recovery.adapters.clock import is_stepped
from recovery.adapters.kafka_cluster import cluster
from recovery.adapters.progress import progress_reporter
from recovery.config import Settings
from streams.agents.recovery import handle, prepare
from streams.kafka.credentials import faust_settings
from streams.kafka.exactly_once import APP_SETTINGS, exactly_once
from streams.topology import OUTPUTS, facts, rows


def build(settings: Settings) -> Any:
    """The app with its agent registered; nothing is connected yet. Autodiscovery stays off."""
    data = Path(settings.home) / "streams"
    for folder in (data.parent, data):  # parents would get the umask's mode, and others' ledger and contacts may lie in the home
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    brokers = cluster(settings)
    app = faust.App(
        settings.app_id,
        broker=";".join(f"shard://{server}" for server in brokers.bootstrap.split(",")),  # Faust wants semicolons
        datadir=str(data),
        topic_partitions=settings.partitions,
        topic_replication_factor=settings.kafka_replication or 1,
        consumer_group_instance_id=settings.worker_id or None,
        **APP_SETTINGS,
        **faust_settings(brokers),
    )
    exactly_once(
        app,
        facts(app, settings.partitions),
        rows(app, settings.partitions),
        handle,
        outputs=OUTPUTS,
        prepare=prepare,
        brokers=brokers,
        progress=progress_reporter(settings.clock_file, f"streams-{settings.worker_id or 'worker'}"),
        linger=0.0 if is_stepped(settings.clock_file) else settings.linger_ms / 1000,
    )
    return app

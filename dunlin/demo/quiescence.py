"""Waits until nothing is in flight: no delivery, no unread fact, no effect in progress, no event that is not yet a row.

A marker is sent through the whole pipeline: a fact to every partition, whose event must become a row. Everything before it has then been
handled and stored. When no effect was requested between two markers and the sandbox waits for no answer, the system is quiescent.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from recovery.adapters.kafka import Publisher, consumer
from recovery.adapters.progress import place, reports
from recovery.contracts.encoding.codec import encode
from recovery.contracts.facts import WebhookIgnored
from recovery.contracts.topics import EFFECTS, FACTS, PARKED_GATEWAY, PARKED_SINKS, PARKED_STREAMS
from recovery.vocabulary import Clock

MARKER_ACCOUNT = "~verify"
"""Markers belong to no merchant."""


class NotQuiescentError(Exception):
    """The pipeline did not come to rest in time; the text says what was still moving."""


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """The state that is polled: Kafka, ClickHouse, the effects still open in the ledger, and the deliveries the sandbox waits for."""

    bootstrap: str
    app_id: str
    partitions: int
    clock_file: Path
    clickhouse: Any
    open_effects: Callable[[], int]
    open_deliveries: Callable[[], int]
    business: Clock
    wall: Clock


def wait_until_quiescent(pipeline: Pipeline, seconds: float, report: Callable[[str], None]) -> None:
    """Return when the pipeline is at rest. Raises NotQuietError after `seconds` of wall time. Hold the clock before."""
    deadline = time.monotonic() + seconds
    before: tuple[int, ...] = ()
    while True:
        _await_zero(pipeline.open_deliveries, "deliveries of webhooks", deadline, report)
        _pass_marker(pipeline, deadline, report)
        _await_zero(lambda: _unread(pipeline), "effects that no sink has received", deadline, report)
        _await_zero(pipeline.open_effects, "effects", deadline, report)
        ends = tuple(end for topic in EFFECTS for end in _ends(pipeline, topic.name))
        if ends == before and not pipeline.open_deliveries() and not pipeline.open_effects():
            return
        before = ends


def parked(pipeline: Pipeline) -> int:
    """How many messages are parked, at all stages (transaction markers counted)."""
    return sum(sum(_ends(pipeline, topic.name)) for topic in (PARKED_GATEWAY, PARKED_STREAMS, PARKED_SINKS))


def _pass_marker(pipeline: Pipeline, deadline: float, report: Callable[[str], None]) -> None:
    at = pipeline.wall()
    name = f"marker-{at.timestamp():.6f}"
    publisher = Publisher(pipeline.bootstrap)
    for partition in range(pipeline.partitions):
        publisher.send(FACTS.name, f"{MARKER_ACCOUNT}/~{name}".encode(), _marker(name, partition, pipeline.business(), at), partition)
    publisher.flush()
    query = "SELECT uniqExact(cause) FROM dunlin.events WHERE account = {account:String} AND startsWith(cause, {name:String})"
    parameters = {"account": MARKER_ACCOUNT, "name": name}

    def absent() -> int:
        try:
            found = int(pipeline.clickhouse.query(query, parameters=parameters).result_rows[0][0])
        except Exception:  # noqa: BLE001 - the server may be restarting; the deadline bounds the wait
            return pipeline.partitions
        return pipeline.partitions - found

    _await_zero(absent, "facts on their way to ClickHouse", deadline, report)


def _marker(name: str, partition: int, business: datetime, wall: datetime) -> bytes:
    return encode(
        WebhookIgnored(
            id=f"{name}-{partition}",
            account=MARKER_ACCOUNT,
            customer=f"~{name}",
            occurred_at=business,
            received_at=wall,
            event_type="marker",
            why="marker",
        )
    )


def _unread(pipeline: Pipeline) -> int:
    return unread_effects(pipeline.bootstrap, pipeline.app_id, pipeline.partitions, pipeline.clock_file)


def unread_effects(bootstrap: str, app_id: str, partitions: int, clock_file: Path) -> int:
    """Messages on `effects.*` that the effects sink has not put into its ledger; counted by reading, for markers are no messages.

    The sink says itself how far it is (progress.py): what it commits to the broker may be lost with it, and comes again only with news.
    """
    import confluent_kafka as kafka

    reported = reports(clock_file).get("effects")
    taken = reported.read if reported is not None else {}
    reader = consumer(bootstrap, f"{app_id}-effects", **{"enable.partition.eof": True})
    everything = [kafka.TopicPartition(topic.name, number) for topic in EFFECTS for number in range(partitions)]
    try:
        committed = reader.committed(everything, timeout=30)
        starts = [(at, max(at.offset, 0, taken.get(place(at.topic, at.partition), 0))) for at in committed]
        reader.assign([kafka.TopicPartition(at.topic, at.partition, start) for at, start in starts])
        unread, ended = 0, 0
        while ended < len(everything):
            for message in reader.consume(1_000, 5.0):
                ended += message.error() is not None
                unread += message.error() is None
        return unread
    finally:
        reader.close()


def _ends(pipeline: Pipeline, topic: str) -> tuple[int, ...]:
    import confluent_kafka as kafka

    reader = consumer(pipeline.bootstrap, "dunlin-verify")
    try:
        partitions = [kafka.TopicPartition(topic, number) for number in range(pipeline.partitions)]
        return tuple(reader.get_watermark_offsets(partition, timeout=30)[1] for partition in partitions)
    finally:
        reader.close()


def _await_zero(count: Callable[[], int], what: str, deadline: float, report: Callable[[str], None]) -> None:
    reported = -1
    while left := count():
        if time.monotonic() > deadline:
            raise NotQuiescentError(
                f"{left} {what} are still open. Check with `dunlin status` whether every service is running; the logs say why one is not."
            )
        if left != reported:
            report(f"waiting for {left} {what}")
            reported = left
        time.sleep(0.2)

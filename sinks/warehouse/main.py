"""Runs the warehouse sink until told to stop."""

import logging
import signal
from time import monotonic

import confluent_kafka as kafka

from recovery.adapters import clickhouse
from recovery.adapters.kafka import Publisher, consumer
from recovery.config import Settings
from recovery.contracts.topics import EVENTS
from recovery.vocabulary import Clock
from sinks.consume import Loop
from sinks.ranges import Fatal
from sinks.warehouse.writer import Warehouse

log = logging.getLogger(__name__)
REPORT_SECONDS = 30.0


def run(settings: Settings, wall: Clock, instance: int = 0) -> int:
    """Consume `recovery.events` until SIGTERM or SIGINT; answers the exit code: 0 stopped, 70 to be started again."""
    stopped: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda sign, _frame: stopped.append(sign))
    target = Warehouse(lambda: clickhouse.client(settings.clickhouse_url), Publisher(settings.kafka_bootstrap), wall)
    loop: Loop

    def trouble(error: kafka.KafkaError) -> None:
        loop.trouble(error)

    reader = consumer(
        settings.kafka_bootstrap,
        f"{settings.app_id}-warehouse",
        **membership(settings.app_id, instance),
        error_cb=trouble,
    )
    loop = Loop(reader, EVENTS.name, target, lambda: settings.ready_file.touch() if settings.ready_file else None)
    try:
        loop.start()
        _turn_until(stopped, loop, target)
    except (Fatal, kafka.KafkaException) as error:
        log.error("warehouse sink ends, to be started again: %s", error)
        return 70
    reader.close()
    return 0


def membership(app_id: str, instance: int) -> dict[str, object]:
    """A fixed name in the group, so that a killed sink that starts again has its partitions at once and fences its former self."""
    return {
        "group.instance.id": f"{app_id}-warehouse-{instance}",
        "session.timeout.ms": 10_000,
        "heartbeat.interval.ms": 2_000,
        "topic.metadata.refresh.interval.ms": 10_000,
    }


def _turn_until(stopped: list[int], loop: Loop, target: Warehouse) -> None:
    reported, rows = monotonic(), 0
    while not stopped:
        loop.turn()
        if monotonic() - reported >= REPORT_SECONDS:
            if loop.rows > rows:
                log.info(
                    "%d messages written in %.0f s, %d parked since the start", loop.rows - rows, monotonic() - reported, target.parked_n
                )
            reported, rows = monotonic(), loop.rows

"""Runs the warehouse sink until it is stopped."""

import logging
import os
import signal
from collections.abc import Callable
from datetime import timedelta
from time import monotonic

import confluent_kafka as kafka

from recovery.adapters import clickhouse
from recovery.adapters.clock import ScaledClock, business_clock
from recovery.adapters.kafka import Publisher, consumer
from recovery.adapters.kafka_cluster import cluster
from recovery.adapters.kafka_trouble import KafkaUnusable, check, unusable
from recovery.adapters.progress import ReadProgress, place
from recovery.config import Settings
from recovery.contracts.topics import EVENTS, REDRIVE_SINKS, Topic
from recovery.vocabulary import Clock
from sinks.kafka.exactly_once_consumer import ExactlyOnceConsumer, Target
from sinks.kafka.offset_ranges import Fatal
from sinks.warehouse.redrive import WarehouseRedrive
from sinks.warehouse.writer import WarehouseWriter

log = logging.getLogger(__name__)
REPORT_SECONDS = 30.0
ROWS_TOGETHER = timedelta(hours=2)
"""Business time whose rows are written together where it passes in steps: an insert costs much the same for one row and for hundreds."""


def run(settings: Settings, wall: Clock, instance: int = 0) -> int:
    """Consume `recovery.events` until SIGTERM or SIGINT. Returns the exit code: 0 stopped, 70 to be started again."""
    stopped: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda sign, _frame: stopped.append(sign))
    try:
        check(cluster(settings))
    except KafkaUnusable as error:
        log.error("%s", error)
        return 70
    target = WarehouseWriter(lambda: clickhouse.client(settings.clickhouse_url), Publisher(cluster(settings)), wall)
    ready = settings.ready_file.touch if settings.ready_file else lambda: None
    events = _loop(settings, instance, "warehouse", EVENTS, target, ready, _progress(settings, instance))
    put_back = _loop(settings, instance, "warehouse-again", REDRIVE_SINKS, WarehouseRedrive(target), lambda: None, lambda _: None)
    try:
        events.start()
        put_back.start()
        _turn_until(stopped, events, put_back, target)
    except kafka.KafkaException as error:
        log.error("warehouse sink ends, to be started again: %s", unusable(cluster(settings), error))
        return 70
    except Fatal as error:
        log.error("warehouse sink ends, to be started again: %s", error)
        return 70
    events.close()
    put_back.close()
    return 0


def _progress(settings: Settings, instance: int) -> Callable[[dict[int, int]], None]:
    """Reports, in a sandbox run, how far rows are written."""
    reader = ReadProgress(settings.clock_file, f"warehouse-{instance}", str(os.getpid()))

    def written(ends: dict[int, int]) -> None:
        reader({place(EVENTS.name, partition): end for partition, end in ends.items()})

    return written


def _stepped(settings: Settings) -> Callable[[], bool | None]:
    """Whether so much business time has passed in steps that rows are written together; None while time does not pass in steps."""
    business = business_clock(settings.clock_file)
    if not isinstance(business, ScaledClock):
        return lambda: None
    written_at = business()

    def due() -> bool | None:
        nonlocal written_at
        if not business.stepped:
            return None
        now = business()
        if now < written_at + ROWS_TOGETHER:
            return False
        written_at = now
        return True

    return due


def _loop(
    settings: Settings,
    instance: int,
    name: str,
    topic: Topic,
    target: Target,
    ready: Callable[[], None],
    written: Callable[[dict[int, int]], None],
) -> ExactlyOnceConsumer:
    loop: ExactlyOnceConsumer

    def trouble(error: kafka.KafkaError) -> None:
        loop.trouble(error)

    group = f"{settings.app_id}-{name}"
    reader = consumer(cluster(settings), group, **membership(group, instance), error_cb=trouble)
    loop = ExactlyOnceConsumer(reader, topic.name, target, ready, step=_stepped(settings), written=written)
    return loop


def membership(group: str, instance: int) -> dict[str, object]:
    """A fixed name in the group, so that a killed sink that starts again has its partitions at once and fences its former self."""
    return {
        "group.instance.id": f"{group}-{instance}",
        "session.timeout.ms": 10_000,
        "heartbeat.interval.ms": 2_000,
        "topic.metadata.refresh.interval.ms": 10_000,
    }


def _turn_until(stopped: list[int], loop: ExactlyOnceConsumer, put_back: ExactlyOnceConsumer, target: WarehouseWriter) -> None:
    reported, rows = monotonic(), 0
    while not stopped:
        loop.turn()
        put_back.turn(0.0)
        if monotonic() - reported >= REPORT_SECONDS:
            if loop.rows > rows:
                log.info(
                    "%d messages written in %.0f s, %d parked since the start", loop.rows - rows, monotonic() - reported, target.parked_n
                )
            reported, rows = monotonic(), loop.rows

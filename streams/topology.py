"""The map of the stream: one input, one table of rows, the outputs. Declared from the table of topics."""

from typing import Any

from recovery.contracts.topics import (
    EFFECTS,
    EFFECTS_PLANS,
    EVENTS,
    FACTS,
    OUTCOMES,
    PARKED_STREAMS,
    TABLE_NAME,
)
from streams.kafka.exactly_once import BatchSchema

OUTPUTS: tuple[str, ...] = tuple(topic.name for topic in (EVENTS, OUTCOMES, *EFFECTS, EFFECTS_PLANS, PARKED_STREAMS))
"""Every topic that the stream speaks on."""


def facts(app: Any, partitions: int) -> Any:
    """The one input, delivered as batches."""
    return app.topic(FACTS.name, partitions=partitions, schema=BatchSchema())


def rows(app: Any, partitions: int) -> Any:
    """The table of rows: customers, accounts, and the time; its changelog is `recovery.contracts.topics.changelog`."""
    return app.Table(TABLE_NAME, partitions=partitions)

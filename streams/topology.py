"""The map of the stream: one input, one table of rows, the outputs. Declared from the table of topics."""

from typing import Any

from recovery.contracts.topics import (
    EFFECTS_MESSAGES,
    EFFECTS_PLANS,
    EFFECTS_STRIPE,
    EVENTS,
    FACTS,
    OUTCOMES,
    PARKED_STREAMS,
    TABLE_NAME,
)
from streams.exactly_once import BatchSchema

OUTPUTS: tuple[str, ...] = (EVENTS.name, OUTCOMES.name, EFFECTS_STRIPE.name, EFFECTS_MESSAGES.name, EFFECTS_PLANS.name, PARKED_STREAMS.name)
"""Every topic that the stream speaks on."""


def facts(app: Any, partitions: int) -> Any:
    """The one input, delivered as batches."""
    return app.topic(FACTS.name, partitions=partitions, schema=BatchSchema())


def rows(app: Any, partitions: int) -> Any:
    """The table of rows: customers, accounts, and the time; its changelog is `recovery.contracts.topics.changelog`."""
    return app.Table(TABLE_NAME, partitions=partitions)

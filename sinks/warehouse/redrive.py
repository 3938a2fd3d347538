"""Replayed dead letters of events: written under the position that they first had, and only where the table does not have them yet."""

import logging
from collections.abc import Sequence

from recovery.contracts.encoding.codec import Unprocessable, decode_parked
from recovery.contracts.topics import EVENTS
from sinks.kafka.exactly_once_consumer import Target
from sinks.kafka.offset_ranges import Message, Range
from sinks.warehouse.writer import WarehouseWriter

log = logging.getLogger(__name__)


class WarehouseRedrive(Target):
    """Ranges of `redrive.sinks` for the warehouse; what another sink parked is passed by.

    A range that is repeated finds its own rows in the table, so a crash at any point leaves each row once.
    """

    def __init__(self, warehouse: WarehouseWriter) -> None:
        self._warehouse = warehouse

    def write(self, taken: Range, messages: Sequence[Message]) -> None:
        """Write what is missing of a range; what still cannot be read is parked again. Raises NotWritten."""
        events = [event for message in messages if (event := event_of(message)) is not None]
        once = list({(event.topic, event.partition, event.offset): event for event in events}.values())
        there = self._warehouse.there(once) if once else set()
        missing = [event for event in once if (event.partition, event.offset) not in there]
        if missing:
            log.info("%d events were replayed and are written", len(missing))
            self._warehouse.write(taken, missing)


def event_of(message: Message) -> Message | None:
    """The event as it first arrived; None for a message that is not a dead-lettered event."""
    try:
        parked = decode_parked(message.value)
    except Unprocessable as error:
        log.warning("passed by %s/%d/%d: %s", message.topic, message.partition, message.offset, error)
        return None
    if parked.topic != EVENTS.name:
        return None
    return Message(parked.topic, parked.partition, parked.offset, parked.key, parked.value, parked.headers)

"""From the ledger to the log: settled outcomes are sent until the broker has them, and marked only then."""

import logging

from recovery.adapters.kafka import NotDelivered, Publisher
from sinks.effects.ledger import Ledger

log = logging.getLogger(__name__)
PATIENCE = 5.0
"""Wall seconds to wait for the broker's acknowledgement before going on with other work; the outcomes stay in the ledger."""


class Outbox:
    """Publishes outcomes at least once; each is the same bytes under the same id every time, so twice is harmless."""

    def __init__(self, ledger: Ledger, publisher: Publisher) -> None:
        self._ledger, self._publisher = ledger, publisher

    def publish(self) -> int:
        """Send everything that is settled and not published; answers how many the broker has taken."""
        messages = self._ledger.to_publish()
        if not messages:
            return 0
        for message in messages:
            self._publisher.send(message.topic, message.key, message.value)
        try:
            self._publisher.flush(PATIENCE)
        except NotDelivered as error:
            log.warning("%d outcomes stay in the ledger for now: %s", len(messages), error)
            return 0
        self._ledger.mark_published([message.id for message in messages])
        return len(messages)

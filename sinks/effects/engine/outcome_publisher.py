"""From the ledger to the log: settled outcomes are sent until the broker has them, and marked only then."""

import logging
from typing import Any, Final

import confluent_kafka as kafka
import msgspec

from recovery.adapters.clock import wall
from recovery.adapters.kafka import NotDelivered, Publisher, TooLarge
from recovery.adapters.logs import scrub
from recovery.contracts.dead_letters import DeadLetter
from recovery.contracts.encoding.codec import encode
from recovery.contracts.limits import MESSAGE_BYTES
from recovery.contracts.topics import PARKED_SINKS
from recovery.vocabulary import Clock
from sinks.effects.engine.ledger import Ledger, Outgoing

log = logging.getLogger(__name__)
PATIENCE = 5.0
"""Wall seconds to wait for the broker's acknowledgement before going on with other work; the outcomes stay in the ledger."""
_NEVER_TAKEN: Final = frozenset({kafka.KafkaError.MSG_SIZE_TOO_LARGE, kafka.KafkaError.INVALID_RECORD, kafka.KafkaError.INVALID_MSG})
"""What the broker answers to a message that it will not take however often it is sent."""


class OutcomePublisher:
    """Publishes outcomes at least once; each is the same bytes under the same id every time, so twice is harmless.

    An outcome that the client still holds is not given to it again. One that no topic takes is dead-lettered, so that it keeps no other.
    """

    def __init__(self, ledger: Ledger, publisher: Publisher, wall: Clock = wall) -> None:
        self._ledger, self._publisher, self._wall = ledger, publisher, wall
        self._under_way: set[str] = set()
        self._taken: list[str] = []
        self._refused: dict[str, str] = {}  # effects whose outcome no topic takes, and why

    def publish(self) -> int:
        """Send everything that is settled and neither published nor under way. Returns how many the broker has taken."""
        messages = [message for message in self._ledger.to_publish() if message.id not in self._under_way]
        for message in messages:
            self._send(message)
        if not self._under_way:
            return 0
        try:
            self._publisher.flush(PATIENCE)
        except NotDelivered as error:
            log.warning("%d outcomes stay in the ledger for now: %s", len(self._under_way), error)
        taken, self._taken = self._taken, []
        if taken:
            self._ledger.mark_published(taken)
        return len(taken)

    def _send(self, message: Outgoing) -> None:
        size = len(message.value)
        if message.topic == PARKED_SINKS.name:  # it was fitted when it was made
            self._give(message, message)
        elif size > MESSAGE_BYTES:
            self._dead_letter(message, f"The outcome has {size:,} bytes; at most {MESSAGE_BYTES:,} are read from {message.topic}.")
        elif why := self._refused.pop(message.id, ""):
            self._dead_letter(message, why)
        else:
            self._give(message, message)

    def _dead_letter(self, message: Outgoing, why: str) -> None:
        log.error("the outcome of effect %s is dead-lettered on %s: %s", scrub(message.id[:300]), PARKED_SINKS.name, why)
        parked = DeadLetter(
            stage="sinks",
            topic=message.topic,
            partition=-1,  # it never stood on its topic
            offset=-1,
            key=message.key,
            value=message.value,
            why=why,
            at=self._wall(),
            replay_topic=message.topic,
        )
        self._give(message, msgspec.structs.replace(message, topic=PARKED_SINKS.name, key=parked.key, value=encode(parked)))

    def _give(self, of: Outgoing, message: Outgoing) -> None:
        def on_delivery(error: kafka.KafkaError | None, _message: Any) -> None:
            self._under_way.discard(of.id)
            if error is None:
                self._taken.append(of.id)
            elif error.code() in _NEVER_TAKEN and message is of:
                self._refused[of.id] = f"{message.topic} does not take the outcome: {error}"
            else:
                log.warning("the outcome of effect %s stays in the ledger for now: %s", scrub(of.id[:300]), error)

        self._under_way.add(of.id)
        try:
            self._publisher.send(message.topic, message.key, message.value, on_delivery=on_delivery)
        except TooLarge as error:
            self._under_way.discard(of.id)
            self._refused[of.id] = str(error)

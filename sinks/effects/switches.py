"""Kill switches at the last moment: an effect that was asked for before an account was paused is not performed after it (B45).

The streams stop asking when a switch is set; what already waits here, perhaps for a mail server, must stop too. Switches are written to
every partition of `facts`, so one partition tells them all; how far it was read and what is paused is kept in the ledger.
"""

import logging
import time
from collections.abc import Callable

import confluent_kafka as kafka

from recovery.contracts.codec import Unprocessable, decode_fact
from recovery.contracts.facts import SwitchSet
from recovery.contracts.topics import FACTS
from sinks.effects.ledger import Ledger

log = logging.getLogger(__name__)
PARTITION = 0
MARK = str(SwitchSet.__struct_config__.tag).encode()
"""Messages without these bytes are no switches and are not decoded."""
EVERYBODY = "*"
CATCH_UP_SECONDS, SAVE_SECONDS, BATCH = 60.0, 5.0, 2000


class Switches:
    """Which accounts are paused, as far as `facts` has been read. `consumer` is for this alone and commits nothing."""

    def __init__(self, consumer: kafka.Consumer, ledger: Ledger, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._consumer, self._ledger, self._monotonic = consumer, ledger, monotonic
        self._paused, self._position = ledger.switches()
        self._saved, self._at_end = monotonic(), False
        consumer.assign([kafka.TopicPartition(FACTS.name, PARTITION, self._position or kafka.OFFSET_BEGINNING)])

    def paused(self, account: str) -> bool:
        """Whether nothing may be charged or sent for this account."""
        return account in self._paused or EVERYBODY in self._paused

    def catch_up(self) -> None:
        """Read what was written while no process was here; gives up after a minute without the broker, saying so."""
        deadline = self._monotonic() + CATCH_UP_SECONDS
        partition = kafka.TopicPartition(FACTS.name, PARTITION)
        try:
            end = self._consumer.get_watermark_offsets(partition, timeout=30)[1]
        except kafka.KafkaException as error:
            log.warning("the switches cannot be read yet, the last known ones hold: %s", error)
            return
        if end - self._position > 100_000:
            log.info("reading the switches in %d facts; a minute at most, the rest meanwhile", end - self._position)
        while self._position < end and self._monotonic() < deadline and not self._at_end:
            self.poll(0.2)
        self._save()
        if self._paused:
            log.warning("paused: %s", ", ".join(sorted(self._paused)))

    def poll(self, seconds: float = 0.0) -> bool:
        """Take in what `facts` has now; answers whether another account is paused."""
        before = set(self._paused)
        for message in self._consumer.consume(BATCH, seconds):
            error = message.error()
            if error is None:
                self._take(message)
            elif error.code() == kafka.KafkaError._PARTITION_EOF:  # the last offsets may be markers that nobody is given
                self._at_end = True
        if self._monotonic() - self._saved >= SAVE_SECONDS:
            self._save()
        return not self._paused <= before

    def close(self) -> None:
        """Keep the position and leave."""
        self._save()
        self._consumer.close()

    def _take(self, message: kafka.Message) -> None:
        value, offset = message.value(), message.offset()
        self._position = (offset if offset is not None else self._position) + 1
        if not isinstance(value, bytes) or MARK not in value:
            return
        try:
            fact = decode_fact(value)
        except Unprocessable:
            return  # the streams park it
        if isinstance(fact, SwitchSet):
            (self._paused.add if fact.paused else self._paused.discard)(fact.account)
            log.warning("%s is %s by %s: %s", fact.account, "paused" if fact.paused else "resumed", fact.who, fact.why)
            self._save()

    def _save(self) -> None:
        self._saved = self._monotonic()
        self._ledger.keep_switches(self._paused, self._position)

"""Kill switches at the last moment: an effect that was requested before an account was paused is not performed after it (B45).

The stream stops requesting effects when a pause is set; those that already wait here, perhaps for a mail server, must stop too. Pauses are
written to every partition of `facts`, so one partition holds them all; the position read so far and the paused accounts are kept in the
ledger. While their validity is unknown, because the broker does not answer or the rest is not read yet, every effect that a pause can stop
is held.
"""

import logging
import time
from collections.abc import Callable

import confluent_kafka as kafka

from recovery.contracts.encoding.codec import Unprocessable, decode_fact
from recovery.contracts.facts import PauseSet
from recovery.contracts.topics import FACTS
from sinks.effects.engine.ledger import Ledger

log = logging.getLogger(__name__)
PARTITION = 0
MARK = str(PauseSet.__struct_config__.tag).encode()
"""Messages without these bytes are no switches and are not decoded."""
EVERYBODY = "*"
CATCH_UP_SECONDS, SAVE_SECONDS, BATCH = 60.0, 5.0, 2000
CHECK_SECONDS, TRUSTED_SECONDS = 5.0, 30.0
"""Wall seconds between two questions where the log ends, and for which an answer that was read up to is good."""
ANSWER_SECONDS = 2.0
"""Wall seconds to wait for the broker's answer: the loop blocks meanwhile."""


class Switches:
    """Which accounts are paused, as far as `facts` has been read. `consumer` is for this alone and commits nothing.

    `paused` answers None until the log has been read to an end that the broker named within the last TRUSTED_SECONDS.
    """

    def __init__(self, consumer: kafka.Consumer, ledger: Ledger, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._consumer, self._ledger, self._monotonic = consumer, ledger, monotonic
        self._paused, self._position = ledger.switches()
        self._saved = monotonic()
        self._checked: float | None = None
        self._end: tuple[float, int] | None = None  # an end that is not read up to yet, and when the broker named it
        self._current_at: float | None = None  # all that was written until then has been read
        self._partition = kafka.TopicPartition(FACTS.name, PARTITION)
        consumer.assign([kafka.TopicPartition(FACTS.name, PARTITION, self._position or kafka.OFFSET_BEGINNING)])

    def paused(self, account: str) -> bool | None:
        """Whether nothing may be charged or sent for this account; None while that is not known, which permits nothing either."""
        return account in self._paused or EVERYBODY in self._paused if self.known else None

    @property
    def known(self) -> bool:
        """Whether a switch that was set a moment ago would have been read."""
        return self._current_at is not None and self._monotonic() - self._current_at <= TRUSTED_SECONDS

    def catch_up(self) -> None:
        """Read what was written while no process was here, for a minute at most; without a broker it returns at once."""
        deadline = self._monotonic() + CATCH_UP_SECONDS
        self._check()
        if self._end is None and not self.known:
            log.warning("the switches cannot be read yet: no charge and no message to a payer begins before they are")
            return
        if self._end is not None and self._end[1] - self._position > 100_000:
            log.info("reading the switches in %d facts; nothing that they stop begins before", self._end[1] - self._position)
        while not self.known and self._monotonic() < deadline:
            self.poll(0.2)
        self._save()
        if self._paused:
            log.warning("paused: %s", ", ".join(sorted(self._paused)))

    def poll(self, seconds: float = 0.0) -> bool:
        """Take in what `facts` has now. Returns whether another account is paused."""
        before, knew = set(self._paused), self.known
        for message in self._consumer.consume(BATCH, seconds):
            error = message.error()
            if error is None:
                self._take(message)
            elif error.code() == kafka.KafkaError._PARTITION_EOF:  # the last offsets may be markers that nobody is given
                self._position = max(self._position, message.offset() or 0)
        self._reached()
        if self._checked is None or self._monotonic() - self._checked >= CHECK_SECONDS:
            self._check()
        if self._monotonic() - self._saved >= SAVE_SECONDS:
            self._save()
        if knew != self.known:
            log.warning("the switches are read again" if self.known else "the switches cannot be read: charges and messages are held")
        return not self._paused <= before

    def close(self) -> None:
        """Keep the position and leave."""
        self._save()
        self._consumer.close()

    def _check(self) -> None:
        """Ask the broker where the log ends, unless an earlier answer is not read up to yet."""
        self._checked = self._monotonic()
        if self._end is not None:
            return
        try:
            end = self._consumer.get_watermark_offsets(self._partition, timeout=ANSWER_SECONDS)[1]
        except kafka.KafkaException as error:
            log.info("the broker does not say where the switches end: %s", error)
            return
        if end < self._position:  # another log than the one that was read: a topic that was made anew
            log.warning("the log of facts is shorter than what was read of it; the switches are read from its beginning")
            self._position = 0
            self._consumer.assign([kafka.TopicPartition(FACTS.name, PARTITION, kafka.OFFSET_BEGINNING)])
        self._end = (self._checked, end)
        self._reached()

    def _reached(self) -> None:
        if self._end is not None and self._position >= self._end[1]:
            self._current_at, self._end = self._end[0], None

    def _take(self, message: kafka.Message) -> None:
        value, offset = message.value(), message.offset()
        self._position = (offset if offset is not None else self._position) + 1
        if not isinstance(value, bytes) or MARK not in value:
            return
        try:
            fact = decode_fact(value)
        except Unprocessable:
            return  # the streams park it
        if isinstance(fact, PauseSet):
            (self._paused.add if fact.paused else self._paused.discard)(fact.account)
            log.warning("%s is %s by %s: %s", fact.account, "paused" if fact.paused else "resumed", fact.who, fact.why)
            self._save()

    def _save(self) -> None:
        self._saved = self._monotonic()
        self._ledger.keep_switches(self._paused, self._position)

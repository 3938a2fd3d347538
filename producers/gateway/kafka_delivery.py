"""Sends messages to Kafka from an event loop: produced in batches, awaited in batches, acknowledged in waves.

The loop itself polls for acknowledgements every millisecond while messages are in flight, and serves all there are at once. A polling
thread, measured in comparison, competes with the loop for the interpreter's lock: it cost half of the throughput.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

import confluent_kafka as kafka

from recovery.adapters.kafka import PRODUCER_SETTINGS, NotDelivered, made
from recovery.adapters.kafka_cluster import Kafka
from recovery.adapters.kafka_trouble import Trouble
from recovery.contracts.topics import FACTS

log = logging.getLogger(__name__)
WAIT_SECONDS = 5.0
"""The longest wait for the broker's acknowledgement; after it the sender gets a 503."""
POLL_SECONDS = 0.001
LINGER_MS = 1
"""How long the client gathers messages before it sends them. Senders wait for their answers, so more costs throughput; less costs CPU
(docs/performance.md)."""
PROBE_SECONDS = 2.0
"""How often the broker is probed, and half of how long it may take to respond."""
FORGIVEN_SECONDS = 10.0
"""How long a delivery that failed speaks against a broker that answers."""
_BY_KEY = -1  # the partition is that of the key
_TO_ONE = (_BY_KEY,)


class OutgoingMessage(NamedTuple):
    """One message to send; its partition is that of its key, or, with `everywhere`, it goes to each partition of its topic."""

    topic: str
    key: bytes
    value: bytes
    everywhere: bool = False


class Delivers(Protocol):
    """Something that delivers messages: the real producer, or one in memory."""

    @property
    def healthy(self) -> bool:
        """Whether the broker can be reached, as far as is known; it never waits."""

    def deliver(self, messages: Sequence[OutgoingMessage]) -> "asyncio.Future[None]":
        """A future that is done when all are acknowledged. It, or the call, raises NotDelivered otherwise."""


class _Delivery:
    """The messages of one call; settles its future with the last acknowledgement."""

    __slots__ = ("error", "future", "left", "until")

    def __init__(self, left: int, future: "asyncio.Future[None]", until: float) -> None:
        self.left, self.future, self.until = left, future, until
        self.error = ""

    def acknowledged(self, error: kafka.KafkaError | None, _message: kafka.Message) -> None:
        self.left -= 1
        if error is not None:
            self.error = str(error)
        if not self.left:
            self.finish(self.error)

    def finish(self, error: str) -> None:
        if self.future.done():  # given up before, or the request was cancelled
            return
        if error:
            self.future.set_exception(NotDelivered(f"The broker did not take it: {error}"))
        else:
            self.future.set_result(None)


class KafkaDelivery:
    """Delivers to a real broker. `start` within the event loop before the first delivery, `close` when the last is done."""

    def __init__(self, bootstrap: Kafka, wait_seconds: float = WAIT_SECONDS, **more: Any) -> None:
        timeout_ms = int(wait_seconds * 1000)  # the client gives up no later than we do, so that no stale queue builds up
        settings = {
            **PRODUCER_SETTINGS,
            "delivery.timeout.ms": timeout_ms,
            "request.timeout.ms": timeout_ms,
            "linger.ms": LINGER_MS,
        }
        self._trouble = Trouble(bootstrap)
        self._producer = made(kafka.Producer, bootstrap, {**settings, "error_cb": self._trouble, **more})
        self._wait_seconds = wait_seconds
        self._waiting: deque[_Delivery] = deque()
        self._polling = False
        self._reached, self._failed_at = True, float("-inf")
        self._closed = threading.Event()
        self._probing = threading.Thread(target=self._probe, name="broker-probe", daemon=True)
        self.fatal = ""
        """Why this client can never deliver again, in words; empty while it can."""

    @property
    def healthy(self) -> bool:
        """Whether the broker answered the last probe, and no delivery failed lately."""
        return self._reached and time.monotonic() - self._failed_at > FORGIVEN_SECONDS

    def warm(self, topics: Iterable[str], seconds: float = 10.0) -> None:
        """Ask the broker about the topics, so that the first requests do not wait for it. Raises NotDelivered."""
        for topic in topics:
            try:
                found = self._producer.list_topics(topic, timeout=seconds).topics[topic]
            except kafka.KafkaException as error:
                self._producer.poll(0)  # what the client has to report
                raise NotDelivered(self._trouble.why(error)) from error
            if found.error is not None:
                raise NotDelivered(self._trouble.why(kafka.KafkaException(found.error)))

    def start(self) -> None:
        """Take the running event loop for acknowledgements, and begin to ask whether the broker is there."""
        self._loop = asyncio.get_running_loop()
        self._probing.start()

    def deliver(self, messages: Sequence[OutgoingMessage]) -> "asyncio.Future[None]":
        """A future that is done when the broker has all messages; it raises NotDelivered when it has not within the wait.

        Raises:
            NotDelivered: at once, when the client's queue is full or it refuses a message.

        """
        sent = [(message, partition) for message in messages for partition in self._partitions(message)]
        delivery = _Delivery(len(sent), self._loop.create_future(), time.monotonic() + self._wait_seconds)
        produce, done = self._producer.produce, delivery.acknowledged
        try:
            for (topic, key, value, _), partition in sent:
                produce(topic, value, key, partition, done)  # named arguments cost as much again as the call itself
        except BufferError as error:
            raise NotDelivered("The queue to the broker is full.") from error
        except kafka.KafkaException as error:
            if error.args[0].fatal():
                self.fatal = str(error)
            raise NotDelivered(f"The client refused it: {error}") from error
        self._waiting.append(delivery)
        if not self._polling:
            self._polling = True
            self._loop.call_later(POLL_SECONDS, self._poll)
        return delivery.future

    def _partitions(self, message: OutgoingMessage) -> Sequence[int]:
        """Asking the broker stops the loop for a moment; what goes everywhere is as rare as an account that leaves."""
        if not message.everywhere:
            return _TO_ONE
        try:
            found = self._producer.list_topics(message.topic, timeout=self._wait_seconds).topics[message.topic]
        except kafka.KafkaException as error:
            raise NotDelivered(f"The broker did not say how many partitions {message.topic} has: {error}") from error
        return sorted(found.partitions)

    def close(self) -> None:
        """Wait for what is under way, within the wait."""
        self._closed.set()
        self._producer.flush(self._wait_seconds)
        if self._probing.is_alive():
            self._probing.join(PROBE_SECONDS)

    def _poll(self) -> None:
        self._producer.poll(0)
        waiting, now = self._waiting, time.monotonic()
        while waiting and (waiting[0].future.done() or waiting[0].until < now):
            oldest = waiting.popleft()
            oldest.finish(f"no acknowledgement within {self._wait_seconds:g} s")
            if oldest.future.cancelled() or oldest.future.exception() is not None:
                self._failed_at = now
            else:
                self._reached, self._failed_at = True, float("-inf")
        self._polling = bool(waiting)
        if waiting:
            self._loop.call_later(POLL_SECONDS, self._poll)

    def _probe(self) -> None:
        """Ask the broker now and then, in a thread of its own: without webhooks nothing else would notice that it is gone, or back."""
        while not self._closed.wait(PROBE_SECONDS):
            try:
                self._producer.list_topics(FACTS.name, timeout=PROBE_SECONDS / 2)
            except kafka.KafkaException:
                self._reached = False
            else:
                self._reached = True

"""Messages on Kafka from an event loop: sent together, awaited together, acknowledged in waves.

One thread polls the client; the requests whose messages are all acknowledged are handed to the loop in one call for each wave, not one
for each message: that is what makes thousands of acknowledged requests a second cheap.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol

import confluent_kafka as kafka

from recovery.adapters.kafka import PRODUCER_SETTINGS, NotDelivered, quiet

log = logging.getLogger(__name__)
WAIT_SECONDS = 5.0
"""The longest wait for the broker's acknowledgement; after it the sender is told to try again."""
_SWEEP_SECONDS = 0.25
_LARGEST = 4 << 20  # a parked body of 1 MiB is a third longer in its envelope; the topics' own limit is the broker's matter


class Message(NamedTuple):
    """One message to send; its partition is that of its key."""

    topic: str
    key: bytes
    value: bytes


class Delivers(Protocol):
    """Something that delivers messages: the real producer, or one in memory."""

    @property
    def healthy(self) -> bool:
        """Whether the last delivery was acknowledged."""

    def deliver(self, messages: Iterable[Message]) -> "asyncio.Future[None]":
        """A future that is done when all are acknowledged. It, or the call, raises NotDelivered otherwise."""


class _Delivery:
    """The messages of one call; counts their acknowledgements in the polling thread."""

    __slots__ = ("error", "future", "left", "until", "wave")

    def __init__(self, left: int, future: "asyncio.Future[None]", until: float, wave: list["_Delivery"]) -> None:
        self.left, self.future, self.until, self.wave = left, future, until, wave
        self.error = ""

    def acknowledged(self, error: kafka.KafkaError | None, _message: kafka.Message) -> None:
        self.left -= 1
        if error is not None:
            self.error = str(error)
        if not self.left:
            self.wave.append(self)


class KafkaDelivery:
    """Delivers to a real broker. `start` within the event loop before the first delivery, `close` when the last is done."""

    def __init__(self, bootstrap: str, wait_seconds: float = WAIT_SECONDS, **more: Any) -> None:
        timeout_ms = int(wait_seconds * 1000)  # the client gives up no later than we do, so that no stale queue builds up
        settings = {
            **PRODUCER_SETTINGS,
            "delivery.timeout.ms": timeout_ms,
            "request.timeout.ms": timeout_ms,
            "message.max.bytes": _LARGEST,
            **more,
        }
        self._producer = kafka.Producer({"bootstrap.servers": bootstrap, **settings}, logger=quiet)
        self._wait_seconds = wait_seconds
        self._wave: list[_Delivery] = []
        self._waiting: dict[_Delivery, None] = {}
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="kafka-acknowledgements", daemon=True)
        self._healthy = True

    @property
    def healthy(self) -> bool:
        """Whether the last delivery was acknowledged."""
        return self._healthy

    def warm(self, topics: Iterable[str], seconds: float = 30.0) -> None:
        """Ask the broker about the topics, so that the first requests do not wait for it. Raises NotDelivered."""
        for topic in topics:
            try:
                found = self._producer.list_topics(topic, timeout=seconds).topics[topic]
            except kafka.KafkaException as error:
                raise NotDelivered(f"The broker did not answer within {seconds:g} s: {error}. Is DUNLIN_KAFKA_BOOTSTRAP right?") from error
            if found.error is not None:
                raise NotDelivered(f"Topic {topic} is not there: {found.error}. Create the topics with `dunlin topics create`.")

    def start(self) -> None:
        """Begin to hand acknowledgements to the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()
        self._loop.call_later(_SWEEP_SECONDS, self._sweep)

    def deliver(self, messages: Iterable[Message]) -> "asyncio.Future[None]":
        """A future that is done when the broker has all messages; it raises NotDelivered when it has not within the wait.

        Raises:
            NotDelivered: at once, when the client's queue is full or it refuses a message.

        """
        batch = list(messages)
        future = self._loop.create_future()
        delivery = _Delivery(len(batch), future, time.monotonic() + self._wait_seconds, self._wave)
        try:
            for message in batch:
                self._producer.produce(message.topic, message.value, message.key, on_delivery=delivery.acknowledged)
        except BufferError as error:
            self._healthy = False
            raise NotDelivered("The queue to the broker is full.") from error
        except kafka.KafkaException as error:
            raise NotDelivered(f"The client refused it: {error}") from error
        self._waiting[delivery] = None
        return future

    def close(self) -> None:
        """Wait for what is under way, within the wait, and stop."""
        self._producer.flush(self._wait_seconds)
        self._closed.set()
        self._thread.join()

    def _poll(self) -> None:
        while not self._closed.is_set():
            self._producer.poll(0.1)
            if self._wave:
                count = len(self._wave)
                done = self._wave[:count]
                del self._wave[:count]
                self._loop.call_soon_threadsafe(self._settle, done)

    def _settle(self, done: list[_Delivery]) -> None:
        for delivery in done:
            if self._waiting.pop(delivery, 0) is None:
                self._finish(delivery, delivery.error)

    def _sweep(self) -> None:
        now = time.monotonic()
        while self._waiting and (oldest := next(iter(self._waiting))).until < now:
            del self._waiting[oldest]
            self._finish(oldest, f"no acknowledgement within {self._wait_seconds:g} s")
        if not self._closed.is_set():
            self._loop.call_later(_SWEEP_SECONDS, self._sweep)

    def _finish(self, delivery: _Delivery, error: str) -> None:
        self._healthy = not error
        if delivery.future.done():  # the request was cancelled meanwhile
            return
        if error:
            delivery.future.set_exception(NotDelivered(f"The broker did not take it: {error}"))
        else:
            delivery.future.set_result(None)

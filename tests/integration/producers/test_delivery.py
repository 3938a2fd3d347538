"""Deliveries without a broker end in time and say why; nothing is accepted and nothing hangs."""

import asyncio

import confluent_kafka as kafka
import pytest

from dunlin.stack.ports import HOST, free_ports
from producers.gateway.kafka_delivery import KafkaDelivery, OutgoingMessage
from recovery.adapters.kafka import NotDelivered

MESSAGES = [OutgoingMessage("raw", b"k", b"v"), OutgoingMessage("facts", b"k", b"v")]


def nobody(**more):
    """A client whose broker does not exist."""
    return KafkaDelivery(f"{HOST}:{free_ports(1)[0]}", wait_seconds=0.3, **more)


def in_a_loop(delivery, call):
    async def run():
        delivery.start()
        try:
            return await call()
        finally:
            delivery.close()

    return asyncio.run(run())


def test_without_an_acknowledgement_a_delivery_ends_after_the_wait():
    delivery = nobody()

    async def call():
        with pytest.raises(NotDelivered, match="did not take it"):
            await asyncio.wait_for(delivery.deliver(MESSAGES), 5)

    in_a_loop(delivery, call)
    assert not delivery.healthy
    assert not delivery.fatal


def test_a_full_queue_refuses_at_once():
    delivery = nobody(**{"queue.buffering.max.messages": 2})

    async def call():
        first = delivery.deliver(MESSAGES)
        with pytest.raises(NotDelivered, match="queue"):
            delivery.deliver(MESSAGES)
        with pytest.raises(NotDelivered):
            await first

    in_a_loop(delivery, call)


def test_a_request_that_left_does_not_disturb_the_others():
    delivery = nobody()

    async def call():
        gone, other = delivery.deliver(MESSAGES), delivery.deliver(MESSAGES)
        gone.cancel()
        with pytest.raises(NotDelivered):
            await other

    in_a_loop(delivery, call)


def test_a_topic_that_cannot_be_asked_about_is_told(monkeypatch):
    with pytest.raises(NotDelivered, match="DUNLIN_KAFKA_BOOTSTRAP"):
        nobody().warm(["facts"], seconds=0.2)


def test_a_client_that_broke_for_good_says_so(monkeypatch):
    delivery = nobody()

    class Broken:
        def produce(self, *_args, **_more):
            raise kafka.KafkaException(kafka.KafkaError(kafka.KafkaError._FATAL, "fenced", fatal=True))

        def flush(self, _seconds):
            return 0

    monkeypatch.setattr(delivery, "_producer", Broken())

    async def call():
        with pytest.raises(NotDelivered):
            delivery.deliver(MESSAGES)

    in_a_loop(delivery, call)
    assert "fenced" in delivery.fatal

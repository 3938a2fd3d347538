"""A consumer that is stuck, and others that only look so."""

import confluent_kafka as kafka
import pytest

from sinks.kafka.poll_stall_detector import CHECK_SECONDS, ConsumerFailed, PollStallDetector


class FakeConsumer:
    def __init__(self):
        self.end, self.at, self.away = 10, 10, False

    def assignment(self):
        return [kafka.TopicPartition("effects.stripe", 0)]

    def get_watermark_offsets(self, partition, timeout):
        if self.away:
            raise kafka.KafkaException(kafka.KafkaError(kafka.KafkaError._TRANSPORT))
        return 0, self.end

    def position(self, partitions):
        return [kafka.TopicPartition("effects.stripe", 0, self.at)]


@pytest.fixture
def consumer():
    return FakeConsumer()


@pytest.fixture
def look(consumer):
    now = [0.0]
    watch = PollStallDetector(consumer, lambda: now[0])

    def later():
        now[0] += CHECK_SECONDS
        watch.check()

    return later


def test_growth_with_nothing_handed_out_three_times_is_a_stall(look, consumer):
    look()
    for _ in range(2):
        consumer.end += 5
        look()
    consumer.end += 5
    with pytest.raises(ConsumerFailed, match=r"effects\.stripe/0 grew to 25"):
        look()


def test_a_quiet_log_a_moving_consumer_and_a_broker_that_is_away_are_no_stall(look, consumer):
    for number in range(20):
        consumer.end += number % 2 * 5
        consumer.at += number % 2
        consumer.away = number % 5 == 4
        look()

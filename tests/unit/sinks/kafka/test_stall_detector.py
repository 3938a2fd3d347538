"""A client that hands out nothing although the broker has more ends the process."""

import confluent_kafka as kafka
import pytest

from sinks.kafka.offset_ranges import Fatal, PartitionBuffer
from sinks.kafka.stall_detector import CHECK_SECONDS, JOIN_SECONDS, StallDetector


class Client:
    def __init__(self):
        self.end, self.at, self.reachable = 10, 10, True

    def get_watermark_offsets(self, place, timeout):
        self._answer()
        return 0, self.end

    def position(self, places):
        return [kafka.TopicPartition(places[0].topic, places[0].partition, self.at)]

    def list_topics(self, topic, timeout):
        self._answer()

    def _answer(self):
        if not self.reachable:
            raise kafka.KafkaException(kafka.KafkaError(kafka.KafkaError._TRANSPORT))


class World:
    def __init__(self):
        self.client, self.now = Client(), 0.0
        self.watch = StallDetector(self.client, "t", lambda: self.now)
        self.lane = PartitionBuffer("t", 0, 10)

    def look(self):
        self.now += CHECK_SECONDS
        self.watch.check([self.lane])


@pytest.fixture
def world():
    made = World()
    made.watch.joined()
    made.look()
    return made


def test_growth_that_is_not_handed_out_twice_in_a_row_ends_the_process(world):
    world.client.end = 20
    world.look()
    world.client.end = 30
    with pytest.raises(Fatal, match="grew to 30"):
        world.look()


def test_growth_that_is_handed_out_is_well(world):
    for end in (20, 30, 40, 50):
        world.client.end = world.client.at = end
        world.look()


def test_a_quiet_topic_is_well(world):
    for _ in range(20):
        world.look()


def test_an_outage_is_no_silence(world):
    world.client.reachable = False
    for _ in range(20):
        world.look()


def test_a_partition_held_back_is_no_silence(world):
    world.lane.paused = True
    for end in range(20, 60, 10):
        world.client.end = end
        world.look()


def test_no_assignment_for_long_ends_the_process_only_when_the_broker_answers():
    world = World()
    world.client.reachable = False
    for _ in range(int(JOIN_SECONDS / CHECK_SECONDS) + 3):
        world.look()
    world.client.reachable = True
    with pytest.raises(Fatal, match="assigned"):
        world.look()

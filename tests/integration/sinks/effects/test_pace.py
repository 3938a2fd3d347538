"""Thirty effects a second, told within a second by half."""

import statistics
import time
from pathlib import Path

import pytest
from confluent_kafka import TopicPartition

from recovery.adapters.kafka import consumer
from recovery.contracts.encoding.codec import decode_fact
from tests.support.waiting import until

pytestmark = pytest.mark.real
PER_SECOND, SECONDS = 30, 8


def test_thirty_effects_a_second_are_told_within_a_second_by_half(world):
    bills = world.take(80)
    effects = (
        [world.charge(bill) for bill in bills]
        + [world.mail(bill) for bill in bills]
        + [world.read(bill, n) for n, bill in enumerate(bills)]
    )
    process = world.start_sink()
    reader = consumer(world.kafka, f"pace-{world.account}")
    reader.assign([TopicPartition("facts", partition, 0) for partition in range(4)])
    emitted: dict[str, float] = {}
    told: dict[str, float] = {}
    wanted = {effect.id for effect in effects}
    start = time.monotonic()

    def go_on() -> bool:
        due = int((time.monotonic() - start) * PER_SECOND)
        batch = effects[len(emitted) : max(due, len(emitted))]
        if batch:
            world.emit(*batch)
            emitted.update(dict.fromkeys((effect.id for effect in batch), time.monotonic()))
        for message in reader.consume(500, 0.02):
            fact = decode_fact(message.value()) if message.error() is None else None
            if fact is not None and fact.cause in wanted:
                told.setdefault(fact.cause, time.monotonic())
        return len(told) == len(effects)

    until(go_on, 60, "all outcomes")
    reader.close()
    waits = sorted(told[effect] - emitted[effect] for effect in told)
    ticks = sum(int(value) for value in Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]) / 100
    print(f"\n{len(effects)} effects, p50 {statistics.median(waits):.2f} s, p99 {waits[int(len(waits) * 0.99)]:.2f} s, cpu {ticks:.1f} s")
    assert statistics.median(waits) < 1.0

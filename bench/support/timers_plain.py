"""The baseline of bench/timers.py: a plain confluent-kafka consumer reads the changelog into a dict and makes a heap of its wakes."""

import heapq
import json
import os
import sys
import time
from pathlib import Path

import confluent_kafka as kafka
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from recovery.adapters.kafka import consumer
from recovery.config import from_env
from recovery.contracts.encoding.row_codec import NEVER, stamp_of
from recovery.contracts.topics import changelog


def main() -> None:
    """Load, and print one JSON object: rows, seconds for each half, the memory."""
    settings = from_env(os.environ)
    reader = consumer(settings.kafka_bootstrap, "bench-timers-plain", **{"fetch.wait.max.ms": 10, "enable.partition.eof": True})
    log, began = changelog(settings.app_id).name, time.perf_counter()
    rows = load(reader, log, settings.partitions)
    loaded = time.perf_counter()
    heap = [wake + key for key, row in rows.items() if key[:1] != b"\0" and (wake := stamp_of(row)) != NEVER]
    heapq.heapify(heap)
    ready = time.perf_counter()
    figures = {"rows": len(heap), "load_s": loaded - began, "heap_s": ready - loaded, "rss_mb": psutil.Process().memory_info().rss / 1e6}
    print(json.dumps(figures), flush=True)


def load(reader: kafka.Consumer, log: str, partitions: int) -> dict[bytes, bytes]:
    """The last value of every key of the topic."""
    reader.assign([kafka.TopicPartition(log, number, kafka.OFFSET_BEGINNING) for number in range(partitions)])
    rows: dict[bytes, bytes] = {}
    ended = 0
    while ended < partitions:
        for message in reader.consume(10_000, 0.1):
            if message.error() is None:
                rows[message.key()] = message.value()
            elif message.error().code() == kafka.KafkaError._PARTITION_EOF:
                ended += 1
            else:
                raise kafka.KafkaException(message.error())
    reader.close()
    return rows


if __name__ == "__main__":
    main()

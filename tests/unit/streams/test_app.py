"""The stream worker's app is built from the settings."""

import os
import stat

import pytest

from recovery.config import from_env
from streams.faust_app import build
from streams.kafka.transport import bootstrap_servers


@pytest.mark.parametrize(
    ("named", "used"),
    [
        ("kafka-1:9092", "kafka-1:9092"),
        ("kafka-1:9092,kafka-2:9093, kafka-3:9094", "kafka-1:9092,kafka-2:9093,kafka-3:9094"),
        ("kafka-1,kafka-2:9093", "kafka-1:9092,kafka-2:9093"),
    ],
)
def test_the_worker_knows_every_broker_that_the_settings_name(tmp_path, named, used):
    app = build(from_env({"DUNLIN_HOME": str(tmp_path), "DUNLIN_KAFKA_BOOTSTRAP": named}))
    assert bootstrap_servers(app) == used


def test_a_home_that_the_worker_makes_is_for_its_owner_alone(tmp_path):
    before = os.umask(0)
    try:
        build(from_env({"DUNLIN_HOME": str(tmp_path / "home"), "DUNLIN_KAFKA_BOOTSTRAP": "127.0.0.1:9092"}))
    finally:
        os.umask(before)
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("home", "home/streams")] == [0o700, 0o700]

"""The stream worker's app is built from the settings."""

import pytest

from recovery.config import from_env
from streams.app import build
from streams.transport import bootstrap_servers


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

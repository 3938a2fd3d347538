"""A small worker for the tests: counts the records of each key, one output per record.

Started as a program with one JSON argument: brokers, app, inputs, partitions, datadir and, if wanted, instance, patience and
further settings of faust.App. A record whose value is `poison` makes the handler raise, `sleep` makes it hang.
"""

import json
import sys
import threading

import faust

from streams.kafka.exactly_once import APP_SETTINGS, PATIENCE, BatchSchema, exactly_once
from streams.transactional_shard import Batch, Shard


def build(config: dict) -> faust.App:
    app = faust.App(
        config["app"],
        broker=f"shard://{config['brokers']}",
        **(APP_SETTINGS | config.get("settings", {})),
        topic_partitions=config["partitions"],
        topic_replication_factor=1,
        datadir=config["datadir"],
        consumer_group_instance_id=config.get("instance"),
    )
    inputs = app.topic(*config["inputs"], partitions=config["partitions"], schema=BatchSchema())
    counts = app.Table("counts", partitions=config["partitions"])
    output = f"{config['app']}-out"

    def handle(shard: Shard, batch: Batch) -> None:
        for record in batch.records:
            if record.value == b"poison":
                raise ValueError("poison")
            if record.value == b"sleep":
                threading.Event().wait()
            count = int(shard.get(record.key) or 0) + 1
            shard.put(record.key, b"%d" % count)
            shard.emit(output, record.key, b"%d %s" % (count, record.value))

    patience = config.get("patience", PATIENCE)
    exactly_once(app, inputs, counts, handle, outputs=[output], patience=patience)
    return app


if __name__ == "__main__":
    faust.Worker(build(json.loads(sys.argv[1])), loglevel="info", redirect_stdouts=False).execute_from_commandline()

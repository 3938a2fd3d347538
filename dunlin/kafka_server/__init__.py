"""A real single-node Apache Kafka without Docker: `python -m dunlin.kafka_server --root DIR --port P`."""

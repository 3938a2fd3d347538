"""Thin shells around the clock, Kafka, ClickHouse, logs and metrics."""

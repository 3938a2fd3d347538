"""Do the servers outside answer, when the settings name any."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from dunlin.diagnostics.finding import Finding, well, wrong
from recovery.config import Settings


def servers(settings: Settings) -> Iterator[Finding]:
    """Ask each server that the settings name outside of the stack."""
    if settings.kafka_bootstrap:
        yield kafka(settings)
    if settings.clickhouse_url:
        yield clickhouse(settings.clickhouse_url)


def kafka(settings: Settings) -> Finding:
    """Ask the Kafka of the settings who it is, for at most 5 s."""
    import logging

    from recovery.adapters.kafka_cluster import cluster
    from recovery.adapters.kafka_trouble import KafkaUnusable, admin, check

    logging.getLogger("librdkafka").setLevel(logging.CRITICAL)
    try:
        brokers = cluster(settings)
        check(brokers, seconds=5)
    except (KafkaUnusable, ValueError) as problem:
        return wrong("Kafka", str(problem))
    metadata = admin(brokers).list_topics(timeout=5)
    return well("Kafka", f"{brokers}: {len(metadata.brokers)} brokers, {len(metadata.topics)} topics")


def clickhouse(url: str) -> Finding:
    """Log in to the ClickHouse at `url` and ask its version."""
    from clickhouse_connect.driver.exceptions import Error

    from recovery.adapters.clickhouse import client
    from recovery.adapters.clickhouse_trouble import sentence

    parts = urlsplit(url)
    place = f"{parts.hostname}:{parts.port}"
    try:
        with client(url, send_receive_timeout=5) as server:
            return well("ClickHouse", f"{place}: version {server.server_version}")
    except (Error, OSError, ValueError) as problem:
        return wrong("ClickHouse", sentence(url, problem))

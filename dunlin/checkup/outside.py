"""Do the servers outside answer, when the settings name any."""

from urllib.parse import urlsplit

from dunlin.checkup.finding import Finding, well, wrong


def kafka(bootstrap: str) -> Finding:
    """Ask the Kafka at `bootstrap` who it is, for at most 5 s."""
    import logging

    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    quiet = logging.getLogger("dunlin.checkup")
    quiet.setLevel(logging.CRITICAL)
    try:
        told = AdminClient({"bootstrap.servers": bootstrap}, logger=quiet).list_topics(timeout=5)
    except KafkaException as problem:
        advice = "Is DUNLIN_KAFKA_BOOTSTRAP right, and does a firewall let us through? Unset it to use the embedded Kafka."
        return wrong("Kafka", f"{bootstrap} does not answer ({problem.args[0].str()}). {advice}")
    return well("Kafka", f"{bootstrap}: {len(told.brokers)} brokers, {len(told.topics)} topics")


def clickhouse(url: str) -> Finding:
    """Log in to the ClickHouse at `url` and ask its version."""
    import clickhouse_connect
    from clickhouse_connect.driver.exceptions import Error

    parts = urlsplit(url)
    place = f"{parts.hostname}:{parts.port}"
    try:
        with clickhouse_connect.get_client(dsn=url, connect_timeout=5, send_receive_timeout=5) as client:
            return well("ClickHouse", f"{place}: version {client.server_version}")
    except (Error, OSError) as problem:
        reason = str(problem).strip().splitlines()[0][:200]
        return wrong("ClickHouse", f"{place} does not let us in ({reason}). Check DUNLIN_CLICKHOUSE_URL: address, user, password.")

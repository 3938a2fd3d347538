"""What a server's refusal means is said in one sentence that names what to set; passwords are never part of it."""

import logging
import re

import confluent_kafka as kafka
import pytest

from recovery.adapters import clickhouse_trouble
from recovery.adapters.kafka import consumer, create_topics
from recovery.adapters.kafka_cluster import Cluster
from recovery.adapters.kafka_trouble import KafkaUnusable, Trouble, check, sentence

E = kafka.KafkaError
BROKERS = Cluster("kafka-1:9092", {"sasl.password": "swordfish"})


def error(code, text="what the client said"):
    return kafka.KafkaError(code, text)


@pytest.mark.parametrize(
    ("code", "means", "set_this"),
    [
        (E._AUTHENTICATION, "refuses the login", "DUNLIN_KAFKA_SASL_USERNAME"),
        (E.SASL_AUTHENTICATION_FAILED, "refuses the login", "DUNLIN_KAFKA_SASL_PASSWORD_FILE"),
        (E.UNSUPPORTED_SASL_MECHANISM, "refuses the login", "DUNLIN_KAFKA_SASL_MECHANISM"),
        (E._SSL, "TLS connection", "DUNLIN_KAFKA_SSL_CA_FILE"),
        (E._RESOLVE, "cannot be reached", "DUNLIN_KAFKA_BOOTSTRAP"),
        (E._TRANSPORT, "cannot be reached", "DUNLIN_KAFKA_SECURITY_PROTOCOL"),
        (E._ALL_BROKERS_DOWN, "cannot be reached", "DUNLIN_KAFKA_BOOTSTRAP"),
        (E._TIMED_OUT, "cannot be reached", "DUNLIN_KAFKA_BOOTSTRAP"),
        (E.TOPIC_AUTHORIZATION_FAILED, "withholds a right", "docs/operations.md"),
        (E.GROUP_AUTHORIZATION_FAILED, "withholds a right", "docs/operations.md"),
        (E.CLUSTER_AUTHORIZATION_FAILED, "withholds a right", "docs/operations.md"),
        (E.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, "withholds a right", "docs/operations.md"),
        (E.UNKNOWN_TOPIC_OR_PART, "lacks a topic", "dunlin topics create"),
        (E.INVALID_REPLICATION_FACTOR, "too few brokers", "DUNLIN_KAFKA_REPLICATION"),
        (E.UNKNOWN, "answers with an error", "see its log"),
    ],
)
def test_each_error_of_kafka_says_what_to_do(code, means, set_this):
    said = sentence(BROKERS, [error(code)])
    assert means in said
    assert set_this in said
    assert said.startswith(("Kafka at kafka-1:9092 ", "The TLS connection to Kafka at kafka-1:9092 "))
    assert "\n" not in said
    assert "swordfish" not in said


@pytest.mark.parametrize(
    "heard",
    [
        [E._TRANSPORT, E._AUTHENTICATION, E._ALL_BROKERS_DOWN],
        [E._ALL_BROKERS_DOWN, E._AUTHENTICATION, E._TIMED_OUT],
        [E._SSL, E._AUTHENTICATION],
    ],
)
def test_the_cause_is_told_and_not_what_follows_from_it(heard):
    assert "refuses the login" in sentence(BROKERS, [error(code) for code in heard])


def test_a_broker_that_wants_a_certificate_hangs_up_with_an_alert():
    assert "TLS connection" in sentence(BROKERS, [error(E._TRANSPORT, "error:0A00045C:SSL routines::tlsv13 alert certificate required")])


def test_one_broker_of_several_that_is_away_is_no_trouble(caplog):
    trouble = Trouble(BROKERS, lambda: 0.0)
    trouble(error(E._TRANSPORT, "kafka-1:9092: Connection refused"))
    assert caplog.messages == []
    trouble(error(E._ALL_BROKERS_DOWN))
    assert "Connection refused" in caplog.text


def test_that_nothing_answers_at_all_has_a_sentence():
    assert "cannot be reached (no answer)" in sentence("kafka-1:9092", [])


def test_a_trouble_that_stays_is_said_once_a_minute(caplog):
    now = [0.0]
    trouble = Trouble(BROKERS, lambda: now[0])
    with caplog.at_level(logging.ERROR):
        for now[0] in (0.0, 1.0, 30.0, 61.0):
            trouble(error(E._AUTHENTICATION))
            trouble(error(E._ALL_BROKERS_DOWN))
    assert len(caplog.messages) == 2
    assert all("refuses the login" in message for message in caplog.messages)


def test_a_broker_that_is_away_is_told_within_the_patience():
    with pytest.raises(KafkaUnusable, match=r"127\.0\.0\.1:1 cannot be reached \(.*Connection refused"):
        check("127.0.0.1:1", seconds=0.5)


def test_a_name_that_nobody_knows_is_told():
    with pytest.raises(KafkaUnusable, match="cannot be reached"):
        check("kafka.invalid:9092", seconds=0.5)


@pytest.mark.parametrize("wrong", [{"no.such.property": "1"}, {"security.protocol": "CARRIER_PIGEON"}])
def test_a_property_that_the_client_does_not_know_is_told(wrong):
    cluster = Cluster("127.0.0.1:1", {**wrong, "sasl.password": "swordfish"})
    for use in (lambda: check(cluster), lambda: consumer(cluster, "heron"), lambda: create_topics(cluster, "heron", 1)):
        with pytest.raises(KafkaUnusable, match="DUNLIN_KAFKA_PROPERTIES_FILE") as refused:
            use()
        assert "swordfish" not in str(refused.value)


URL = "http://dunlin:swordfish@warehouse:8123/"


@pytest.mark.parametrize(
    ("text", "means", "waiting_helps"),
    [
        ("code: 516, server response: Code: 516. DB::Exception: dunlin: Authentication failed. (AUTHENTICATION_FAILED)", "refuses", False),
        ("Code: 497. DB::Exception: Not enough privileges. (ACCESS_DENIED)", "withholds a right", False),
        ("Code: 164. DB::Exception: Cannot execute query in readonly mode. (READONLY)", "withholds a right", False),
        ("Code: 60. DB::Exception: Table dunlin.events does not exist. (UNKNOWN_TABLE)", "has not the tables yet", True),
        (
            "HTTPConnection(host='warehouse'): Failed to establish a new connection: [Errno 111] Connection refused",
            "cannot be reached",
            True,
        ),
        ("Code: 241. DB::Exception: Memory limit exceeded. (MEMORY_LIMIT_EXCEEDED)", "answers with an error", True),
        ("the password swordfish was wrong", "cannot be reached", True),
    ],
)
def test_each_error_of_clickhouse_says_what_to_do(text, means, waiting_helps):
    said = clickhouse_trouble.sentence(URL, RuntimeError(text))
    assert means in said
    assert said.startswith("ClickHouse at warehouse:8123 ")
    assert "\n" not in said
    assert "swordfish" not in said
    assert re.search(r"DUNLIN_CLICKHOUSE_URL|docs/operations.md|sinks migrate|see its log", said)
    assert clickhouse_trouble.refused(RuntimeError(text)) is not waiting_helps

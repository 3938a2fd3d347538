"""The embedded Kafka and ClickHouse keep data, refuse doubles, and say what is in their way."""

import contextlib
import http.client
import os
import signal
import socket
import threading
from dataclasses import dataclass
from pathlib import Path

import clickhouse_connect
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from dunlin.clickhouse_server import users
from dunlin.stack.ports import HOST, free_ports, is_open
from recovery.contracts.events import Event
from recovery.contracts.warehouse import ACCOUNT_TABLES
from sinks.warehouse import migrate
from tests.pages import seed

pytestmark = pytest.mark.real


@dataclass(frozen=True)
class Server:
    """A server of either kind, with the least that proves it keeps what it was given."""

    module: str
    root: Path
    ports: tuple[int, int]
    options: tuple[str, str]
    clean_exit: int

    def arguments(self, root: Path | None = None, ports: tuple[int, int] | None = None) -> list[object]:
        first, second = ports or self.ports
        return ["-m", self.module, "--root", root or self.root, self.options[0], first, self.options[1], second]

    def put(self, value: str) -> None:
        raise NotImplementedError

    def values(self) -> list[str]:
        raise NotImplementedError


class Kafka(Server):
    def put(self, value: str) -> None:
        address = f"{HOST}:{self.ports[0]}"
        admin = AdminClient({"bootstrap.servers": address})
        if "kept" not in admin.list_topics(timeout=20).topics:
            admin.create_topics([NewTopic("kept", 1, 1)])["kept"].result(20)
        producer = Producer({"bootstrap.servers": address, "enable.idempotence": True})
        producer.produce("kept", value)
        assert producer.flush(20) == 0

    def values(self) -> list[str]:
        consumer = Consumer({"bootstrap.servers": f"{HOST}:{self.ports[0]}", "group.id": "any", "enable.auto.commit": False})
        consumer.assign([TopicPartition("kept", 0, 0)])
        _, end = consumer.get_watermark_offsets(TopicPartition("kept", 0), timeout=20)
        found = [message.value().decode() for message in consumer.consume(end, timeout=20)]
        consumer.close()
        return found


class ClickHouse(Server):
    def _client(self):
        return clickhouse_connect.get_client(dsn=users.url(self.root, self.ports[0], "sink"))

    def put(self, value: str) -> None:
        with self._client() as client:
            client.command("CREATE DATABASE IF NOT EXISTS dunlin")
            client.command("CREATE TABLE IF NOT EXISTS dunlin.kept (value String) ENGINE = MergeTree ORDER BY value")
            client.insert("dunlin.kept", [[value]], column_names=["value"])

    def values(self) -> list[str]:
        with self._client() as client:
            return [row[0] for row in client.query("SELECT value FROM dunlin.kept ORDER BY value").result_rows]


@pytest.fixture(params=["kafka", "clickhouse"])
def server(request, tmp_path):
    first, second = free_ports(2)
    if request.param == "kafka":
        return Kafka("dunlin.kafka_server", tmp_path / "kafka", (first, second), ("--port", "--controller-port"), 143)
    return ClickHouse("dunlin.clickhouse_server", tmp_path / "clickhouse", (first, second), ("--http-port", "--tcp-port"), 0)


def test_data_outlives_a_stop_and_a_kill(server, start, until):
    first = start(*server.arguments())
    until(lambda: is_open(server.ports[0]), 120, "the first start")
    server.put("one")
    assert first.stop() == server.clean_exit

    second = start(*server.arguments())
    until(lambda: is_open(server.ports[0]), 60, "the second start")
    assert server.values() == ["one"]
    server.put("two")
    assert second.stop(signal.SIGKILL) == -signal.SIGKILL

    start(*server.arguments())
    until(lambda: is_open(server.ports[0]), 60, "the start after the kill")
    assert server.values() == ["one", "two"]


def test_a_second_server_on_the_same_data_is_refused_and_does_not_disturb_the_first(server, start, until):
    first = start(*server.arguments())
    until(lambda: is_open(server.ports[0]), 120, "the first server")
    other = (*free_ports(2),)
    second = start(*server.arguments(ports=other))
    assert second.left() == 1
    assert f"is in use by process {first.process.pid}" in second.said
    server.put("one")
    assert server.values() == ["one"]


def test_a_taken_port_is_named_with_its_owner(server, start):
    with socket.create_server((HOST, server.ports[0])):
        refused = start(*server.arguments())
        assert refused.left() == 1
    assert f"port {server.ports[0]}" in refused.said
    assert f"taken by process {os.getpid()}" in refused.said


def test_a_leftover_server_is_ended_when_the_supervisor_says_so(server, start, until):
    leftover = start(*server.arguments())
    until(lambda: is_open(server.ports[0]), 120, "the leftover server")
    server.put("one")
    start(*server.arguments(), "--take-over")
    leftover.left()
    until(lambda: is_open(server.ports[0]), 60, "its successor")
    assert server.values() == ["one"]


def test_the_default_user_of_clickhouse_is_shut_out_and_the_dashboard_may_only_read(clickhouse):
    with clickhouse_connect.get_client(dsn=clickhouse.url("admin")) as client:
        client.command("CREATE DATABASE IF NOT EXISTS dunlin")
        client.command("CREATE OR REPLACE TABLE dunlin.doors (n Int64) ENGINE = MergeTree ORDER BY n")
    with clickhouse_connect.get_client(dsn=clickhouse.url("dashboard")) as client:
        assert client.command("SELECT count() FROM dunlin.doors") == 0
        for forbidden in (
            "INSERT INTO dunlin.doors VALUES (1)",
            "SELECT * FROM file('/etc/passwd', 'LineAsString')",
            "SELECT name FROM system.parts",
        ):
            with pytest.raises(clickhouse_connect.driver.exceptions.DatabaseError, match="497"):
                client.command(forbidden)
        for limit in ("max_memory_usage = 2000000000", "max_memory_usage = 0", "max_execution_time = 0", "readonly = 0"):
            with pytest.raises(clickhouse_connect.driver.exceptions.DatabaseError, match=r"452|164"):
                client.command(f"SELECT 1 SETTINGS {limit}")
    with pytest.raises(clickhouse_connect.driver.exceptions.DatabaseError, match="700"):
        clickhouse_connect.get_client(host=HOST, port=clickhouse.port)
    with clickhouse_connect.get_client(dsn=clickhouse.url("admin")) as client:
        client.command("DROP TABLE dunlin.doors SYNC")  # other tests look at everything in this database


ASKED = {
    "a question": ("GET", "/?query=SELECT+currentUser()", None),
    "a file": ("POST", "/", "INSERT INTO FUNCTION file('{target}', 'CSV', 'x String') SELECT currentUser()"),
}


@pytest.mark.parametrize("asked", ASKED)
def test_nobody_is_the_default_user_while_the_server_stops(start, until, tmp_path, asked):
    """The engine's own session must hold its slot until nobody can connect any more."""
    server = ClickHouse("dunlin.clickhouse_server", tmp_path / "clickhouse", free_ports(2), ("--http-port", "--tcp-port"), 0)
    target = tmp_path / "written.csv"
    method, path, body = ASKED[asked]
    let_in: list[bytes] = []
    refused = threading.Event()

    def ask_until_it_is_gone() -> None:
        while is_open(server.ports[0]):
            with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(_connection(server)) as connection:
                connection.request(method, path, body=body and body.format(target=target))
                answer = connection.getresponse()
                said = answer.read()
                refused.set()
                if answer.status == 200:
                    let_in.append(said)

    running = start(*server.arguments())
    until(lambda: is_open(server.ports[0]), 120, "the server")
    askers = [threading.Thread(target=ask_until_it_is_gone) for _ in range(8)]
    for asker in askers:
        asker.start()
    assert refused.wait(30), "the server answers while it runs"
    assert running.stop() == 0
    for asker in askers:
        asker.join()
    assert let_in == []
    assert not target.exists()


def test_the_database_itself_keeps_the_dashboard_to_its_account(start, until, tmp_path):
    server = ClickHouse("dunlin.clickhouse_server", tmp_path / "clickhouse", free_ports(2), ("--http-port", "--tcp-port"), 0)
    start(*server.arguments(), env={"DUNLIN_DASHBOARD_ACCOUNT": "acct_1Heron"})
    until(lambda: is_open(server.ports[0]), 120, "the server")
    address = {user: users.url(server.root, server.ports[0], user) for user in users.USERS}
    migrate.run(address["admin"], lambda _: None)
    event = {"event_type": "payment_failed", "invoice": "in_1", "sequence": 1, "status": "retrying", "amount_minor": 500, "currency": "eur"}
    for account in ("acct_1Heron", "acct_2Rival"):
        seed.fill(address["sink"], [Event(id="0-1-0", account=account, occurred_at=seed.NOW, received_at=seed.NOW, **event)], account)
    with clickhouse_connect.get_client(dsn=address["dashboard"]) as client:
        for table in (*ACCOUNT_TABLES, "cases", "case_timeline", "money", "recovery_daily"):
            assert client.query(f"SELECT DISTINCT account FROM dunlin.{table}").result_rows == [("acct_1Heron",)], table
    for user in ("admin", "sink", "reader"):
        with clickhouse_connect.get_client(dsn=address[user]) as client:
            assert client.command("SELECT uniqExact(account) FROM dunlin.events") == 2
    with clickhouse_connect.get_client(dsn=address["admin"]) as client:
        with_accounts = "SELECT name FROM system.tables WHERE database = 'dunlin' AND engine NOT LIKE '%View' ORDER BY name"
        assert {name for (name,) in client.query(with_accounts).result_rows} == set(ACCOUNT_TABLES), "each table of ours has a rule"


def _connection(server: "ClickHouse") -> http.client.HTTPConnection:
    return http.client.HTTPConnection(HOST, server.ports[0], timeout=10)

"""ClickHouse's troubles become sentences, and a busy moment is waited out."""

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from dashboard.warehouse_client import BUSY_TRIES, WarehouseClient, WarehouseUnreachable


class Client:
    def __init__(self, answers):
        self.answers = answers

    def query(self, sql, parameters):
        answer = self.answers.pop(0)
        if isinstance(answer, str):
            raise DatabaseError(answer)
        self.result_rows = answer
        return self


def warehouse(*answers):
    pauses = []
    client = Client(list(answers))
    return WarehouseClient("http://x", lambda _url: client, pauses.append), pauses


def test_an_answer_without_rows_still_has_its_columns():
    source, _ = warehouse([])
    assert list(source.frame("SELECT", {}, ["a", "b"]).columns) == ["a", "b"]


def test_a_server_busy_with_this_user_is_asked_again():
    source, pauses = warehouse("USER_SESSION_LIMIT_EXCEEDED", "TOO_MANY_SIMULTANEOUS_QUERIES", [(1,)])
    assert source.frame("SELECT", {}, ["n"])["n"].tolist() == [1]
    assert len(pauses) == 2


def test_a_server_that_stays_busy_is_said():
    source, pauses = warehouse(*["USER_SESSION_LIMIT_EXCEEDED"] * (BUSY_TRIES + 1))
    with pytest.raises(WarehouseUnreachable):
        source.frame("SELECT", {}, ["n"])
    assert len(pauses) == BUSY_TRIES


@pytest.mark.parametrize(
    ("said", "words"),
    [("UNKNOWN_TABLE", "sinks migrate"), ("AUTHENTICATION_FAILED", "user and password"), ("anything else", "does not answer")],
)
def test_each_trouble_says_what_to_do(said, words):
    source, pauses = warehouse(said)
    with pytest.raises(WarehouseUnreachable, match=words):
        source.frame("SELECT", {}, ["n"])
    assert pauses == []

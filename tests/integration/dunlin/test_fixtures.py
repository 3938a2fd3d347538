"""The shared services answer."""

import clickhouse_connect
import pytest
from confluent_kafka.admin import AdminClient

from dunlin.clickhouse_server import users

pytestmark = pytest.mark.real


def test_the_shared_kafka_is_one_real_broker(kafka):
    assert len(AdminClient({"bootstrap.servers": kafka}).list_topics(timeout=10).brokers) == 1


@pytest.mark.parametrize("user", users.USERS)
def test_each_user_of_the_shared_clickhouse_may_log_in(clickhouse, user):
    with clickhouse_connect.get_client(dsn=clickhouse.url(user)) as client:
        assert client.command("SELECT currentUser()") == user

"""The embedded ClickHouse lets in its three users and nobody else."""

import itertools
import xml.etree.ElementTree as ET

import pytest

from dunlin.clickhouse_server import users
from recovery.contracts.warehouse import ACCOUNT_TABLES


def counted():
    numbers = itertools.count(1)
    return lambda: f"secret-{next(numbers)}"


def test_passwords_are_made_once_and_kept(tmp_path):
    first = users.passwords(tmp_path, counted())
    assert set(first) == set(users.USERS)
    assert len(set(first.values())) == len(users.USERS)
    assert users.passwords(tmp_path, lambda: "another") == first


def test_only_the_owner_may_read_them(tmp_path):
    users.passwords(tmp_path, counted())
    (file,) = tmp_path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600


def test_the_url_names_user_and_password(tmp_path):
    users.passwords(tmp_path, counted())
    assert users.url(tmp_path, 8123, "sink") == "http://sink:secret-2@127.0.0.1:8123/"


def test_the_configuration_holds_no_password_and_closes_the_default_user():
    document = users.users_xml({"admin": "aaa", "sink": "bbb", "reader": "ccc", "dashboard": "ddd"}, "acct_1Heron")
    assert not any(secret in document for secret in ("aaa", "bbb<", "ccc<", "ddd<"))
    root = ET.fromstring(document)
    assert root.findtext("profiles/default/max_sessions_for_user") == "1"
    assert root.findtext("profiles/reader/readonly") == "2"
    assert root.findtext("users/dashboard/profile") == "reader"
    assert {user.tag for user in root.find("users")} == {"default", *users.USERS}


KNOWN = dict.fromkeys(users.USERS, "x")


def test_the_engine_itself_may_do_only_what_its_session_needs():
    grants = [grant.text for grant in ET.fromstring(users.users_xml(KNOWN, "")).findall("users/default/grants/query")]
    assert grants == ["GRANT SYSTEM LISTEN, CREATE TEMPORARY TABLE ON *.*", "GRANT READ ON FILE"]


@pytest.mark.parametrize("account", ["", "acct_1Heron"])
def test_the_dashboard_reads_the_rows_of_its_account_in_every_table(account):
    root = ET.fromstring(users.users_xml(KNOWN, account))
    filters = {table.tag: table.findtext("filter") for table in root.find("users/dashboard/databases/dunlin")}
    assert filters == dict.fromkeys(ACCOUNT_TABLES, f"account = '{account}'")
    assert root.find("users/reader/databases") is None


def test_no_account_can_write_into_the_configuration():
    with pytest.raises(ValueError, match="not a Stripe account"):
        users.users_xml(KNOWN, "' OR 1 = 1 --")


@pytest.mark.parametrize("name", ["max_memory_usage", "max_execution_time"])
def test_a_reader_may_lower_its_limits_and_not_lift_them(name):
    profile = ET.fromstring(users.users_xml(KNOWN, "")).find("profiles/reader")
    assert profile.findtext(name) == profile.findtext(f"constraints/{name}/max")
    assert profile.findtext(f"constraints/{name}/min") == "1", "0 would mean no limit"

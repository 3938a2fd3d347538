"""The embedded ClickHouse lets in its three users and nobody else."""

import itertools
import xml.etree.ElementTree as ET

from dunlin.clickhouse_server import users


def counted():
    numbers = itertools.count(1)
    return lambda: f"secret-{next(numbers)}"


def test_passwords_are_made_once_and_kept(tmp_path):
    first = users.passwords(tmp_path, counted())
    assert set(first) == {"admin", "sink", "dashboard"}
    assert len(set(first.values())) == 3
    assert users.passwords(tmp_path, lambda: "another") == first


def test_only_the_owner_may_read_them(tmp_path):
    users.passwords(tmp_path, counted())
    (file,) = tmp_path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600


def test_the_url_names_user_and_password(tmp_path):
    users.passwords(tmp_path, counted())
    assert users.url(tmp_path, 8123, "sink") == "http://sink:secret-2@127.0.0.1:8123/"


def test_the_configuration_holds_no_password_and_closes_the_default_user():
    document = users.users_xml({"admin": "aaa", "sink": "bbb", "dashboard": "ccc"})
    assert not any(secret in document for secret in ("aaa", "bbb<", "ccc<"))
    root = ET.fromstring(document)
    assert root.findtext("profiles/default/max_sessions_for_user") == "1"
    assert root.findtext("profiles/reader/readonly") == "2"
    assert root.findtext("users/dashboard/profile") == "reader"
    assert {user.tag for user in root.find("users")} == {"default", "admin", "sink", "dashboard"}

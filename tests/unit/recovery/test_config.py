"""Settings come from a mapping, have defaults, and a wrong one is refused by name."""

from pathlib import Path

import pytest

from recovery.config import from_env


def test_the_defaults_listen_on_this_machine_only_and_mail_nobody():
    settings = from_env({})
    assert (settings.gateway_host, settings.gateway_port, settings.partitions) == ("127.0.0.1", 8090, 4)
    assert not settings.mail_allow_external
    assert settings.home == Path(".dunlin").absolute()


def test_local_state_lies_in_the_home_folder():
    settings = from_env({"DUNLIN_HOME": "/srv/dunlin"})
    assert settings.tenants_file == Path("/srv/dunlin/tenants.toml")
    assert settings.ledger_url == "sqlite:////srv/dunlin/ledger.sqlite"
    assert settings.contacts_url == "sqlite:////srv/dunlin/contacts.sqlite"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DUNLIN_GATEWAY_PORT", "http"),
        ("DUNLIN_GATEWAY_PORT", "65536"),
        ("DUNLIN_GATEWAY_PORT", "-1"),
        ("DUNLIN_GATEWAY_PORT", "٣"),
        ("DUNLIN_GATEWAY_PROXIES", "proxy.example"),
        ("DUNLIN_GATEWAY_PROXIES", "10.0.0.1/8"),
        ("DUNLIN_PARTITIONS", "0"),
        ("DUNLIN_TICK_SECONDS", "0"),
        ("DUNLIN_TICK_SECONDS", "often"),
        ("DUNLIN_TICK_SECONDS", "nan"),
        ("DUNLIN_MAIL_ALLOW_EXTERNAL", "maybe"),
    ],
)
def test_a_value_that_cannot_be_read_is_refused_by_name(name, value):
    with pytest.raises(ValueError, match=name):
        from_env({name: value})


def test_proxies_are_networks_and_private_ones_when_nobody_says_otherwise():
    assert from_env({"DUNLIN_GATEWAY_PROXIES": "10.0.0.0/8, 192.0.2.7"}).gateway_proxies == ("10.0.0.0/8", "192.0.2.7/32")
    assert "127.0.0.0/8" in from_env({}).gateway_proxies


@pytest.mark.parametrize("value", ["yes", " YES ", "true", "1", "on", "On"])
def test_a_switch_is_on_in_each_usual_spelling(value):
    assert from_env({"DUNLIN_MAIL_ALLOW_EXTERNAL": value}).mail_allow_external is True


@pytest.mark.parametrize(("value", "expected"), [("no", False), ("false", False), ("0", False), ("OFF", False), ("", False)])
def test_a_switch_is_off_unless_it_is_on(value, expected):
    assert from_env({"DUNLIN_MAIL_ALLOW_EXTERNAL": value}).mail_allow_external is expected


def test_an_empty_value_is_the_default():
    assert from_env({"DUNLIN_GATEWAY_PORT": "", "DUNLIN_CLOCK_FILE": ""}).gateway_port == 8090

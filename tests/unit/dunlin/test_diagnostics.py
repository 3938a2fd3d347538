"""The doctor says what is wrong and what to do."""

import socket

import pytest

from dunlin.diagnostics import home, installed, machine
from dunlin.stack import state
from dunlin.stack.services import LocalPorts
from recovery.config import from_env
from tests.support.secrets import a_secret


def test_an_old_python_is_wrong():
    assert machine.python((3, 10)).is_wrong
    assert not machine.python((3, 11)).is_wrong


@pytest.mark.parametrize(
    ("system", "cpu", "libc", "is_wrong"),
    [
        ("Linux", "x86_64", "glibc", False),
        ("Linux", "aarch64", "glibc", False),
        ("Linux", "x86_64", "", True),  # musl
        ("Darwin", "arm64", "", False),
        ("Windows", "AMD64", "", True),
    ],
)
def test_a_platform_without_wheels_is_wrong(system, cpu, libc, is_wrong):
    assert machine.wheels(system, cpu, libc).is_wrong is is_wrong


def test_a_full_disk_is_wrong_and_names_the_setting(tmp_path):
    finding = machine.disk(tmp_path / "not" / "there" / "yet", least=10**18)
    assert finding.is_wrong
    assert "DUNLIN_HOME" in finding.text


def test_too_little_memory_is_wrong():
    assert machine.memory(least=10**18).is_wrong
    assert not machine.memory(least=1).is_wrong


def test_another_version_of_a_pinned_package_is_wrong():
    found = {"faust-streaming": "0.11.0", "aiokafka": "0.14.0"}
    findings = list(installed.pins(["faust-streaming==0.15.3", "aiokafka==0.14.0", "httpx>=0.28", 'x==1; extra == "ml"'], found.get))
    wrong = [finding.text for finding in findings if finding.is_wrong]
    assert [text.split(" ", 2)[:2] for text in wrong] == [["faust-streaming", "is"], ["x", "is"]]
    assert "pip install 'faust-streaming==0.15.3'" in wrong[0]


def test_a_taken_port_is_wrong_and_a_free_one_is_not():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (finding,) = home.ports({"gateway": port})
        assert finding.is_wrong
        assert str(port) in finding.text
    (finding,) = home.ports({"gateway": port})
    assert not finding.is_wrong


def test_ports_of_servers_elsewhere_are_not_looked_at():
    outside = {"DUNLIN_KAFKA_BOOTSTRAP": "k:1", "DUNLIN_CLICKHOUSE_URL": "http://c:1/"}
    assert set(home.wanted_ports(from_env(outside), LocalPorts())) == {"gateway", "dashboard"}
    assert len(home.wanted_ports(from_env({}), LocalPorts())) == 6


def test_a_tenants_file_that_cannot_be_used_is_wrong(tmp_path):
    file = tmp_path / "tenants.toml"
    assert not any(finding.is_wrong for finding in home.tenants(file)), "not there yet"
    file.write_text("[[tenant]]\naccount = acct_1")
    assert any(finding.is_wrong for finding in home.tenants(file))


def test_a_secret_that_is_not_there_is_wrong_and_named(tmp_path):
    file = tmp_path / "tenants.toml"
    file.write_text('[[tenant]]\naccount = "acct_1"\nname = "A"\napi_key_file = "stripe.key"\nwebhook_secrets_file = "webhook.secrets"\n')
    assert "webhook.secrets" in " ".join(finding.text for finding in home.tenants(file) if finding.is_wrong)


ACTS = '[tenant.policy]\nmode = "act"\n'
SILENT = ACTS + "[tenant.policy.dunning]\nenabled = false\n"


@pytest.mark.parametrize(
    ("stated", "policy", "words"),
    [
        ("", ACTS, "does Stripe mail"),
        ('stripe_mails = "on"\n', ACTS, "customers get both"),
        ('stripe_mails = "off"\n', ACTS, ""),
        ("", "", ""),
        ('stripe_mails = "on"\n', SILENT, ""),
    ],
)
def test_who_would_be_written_to_by_stripe_as_well_is_warned(tmp_path, stated, policy, words):
    """B49: it does not keep Dunlin from running."""
    key, secrets = tmp_path / "key", tmp_path / "secrets"
    key.write_text("sk_test_1\n")
    secrets.write_text(f"{a_secret('checkup')}\n")
    for file in (key, secrets):
        file.chmod(0o600)
    tenants = tmp_path / "tenants.toml"
    names = 'account = "acct_1"\nname = "A"\napi_key_file = "key"\nwebhook_secrets_file = "secrets"\n'
    tenants.write_text(f"[[tenant]]\n{names}{stated}{policy}")
    readable, *warned = home.tenants(tenants)
    assert not readable.is_wrong, readable.text
    assert [finding.is_doubtful and words in finding.text for finding in warned] == ([True] if words else [])
    assert not any(finding.is_wrong for finding in warned)


def test_an_incomplete_offline_directory_is_wrong(tmp_path):
    assert installed.kafka_jars({"DUNLIN_KAFKA_JARS": str(tmp_path)}).is_wrong
    assert not installed.kafka_jars({"XDG_CACHE_HOME": str(tmp_path)}).is_wrong


def test_a_stack_that_was_killed_is_mentioned_and_not_wrong(tmp_path):
    assert list(home.leftovers(tmp_path)) == []
    state.write(tmp_path, state.StackState(supervisor=1, home=str(tmp_path), phase="ready"))
    (finding,) = home.leftovers(tmp_path)
    assert not finding.is_wrong
    assert "was killed" in finding.text


def test_accounts_that_can_sign_for_each_other_are_named(tmp_path):
    for name, content in {"key": "sk_test_1\n", "shared": f"{a_secret('shared')}\n", "own": f"{a_secret('own')}\n"}.items():
        (tmp_path / name).write_text(content)
        (tmp_path / name).chmod(0o600)
    tenants = tmp_path / "tenants.toml"
    holders = {"acct_1": "shared", "acct_2": "own", "acct_3": "shared"}
    entries = [f'[[tenant]]\naccount = "{a}"\nname = "A"\napi_key_file = "key"\nwebhook_secrets_file = "{f}"\n' for a, f in holders.items()]
    tenants.write_text("".join(entries))
    [warned] = [finding for finding in home.tenants(tenants) if finding.is_doubtful]
    assert warned.text.startswith("acct_1, acct_3 share")

"""What holds names and money is readable by its owner alone, whoever makes it and however old it is."""

import os
import stat
from datetime import UTC, datetime

import pytest

from control.contacts import ContactStore
from control.policy_store import PolicyStore, StoredPolicies
from control.private_files import private_folder
from sinks.effects.engine.ledger import Ledger


@pytest.fixture
def careless():
    """A umask that hides nothing."""
    before = os.umask(0o000)
    yield
    os.umask(before)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_home_is_made_for_its_owner_alone(tmp_path, careless):
    private_folder(tmp_path / "home" / "inner")
    assert mode(tmp_path / "home" / "inner") == 0o700


def test_a_home_that_anybody_may_write_into_is_refused_and_left_as_it_is(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(0o777)
    with pytest.raises(ValueError, match="chmod o-w"):
        private_folder(home)
    assert mode(home) == 0o777


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_home_of_another_user_is_refused(tmp_path):
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    os.chown(home, 65534, 65534)
    with pytest.raises(ValueError, match="another user"):
        private_folder(home)


@pytest.mark.parametrize("old", [False, True])
def test_the_ledger_and_what_lies_beside_it_are_private(tmp_path, careless, old):
    url, file = f"sqlite:///{tmp_path / 'ledger.sqlite'}", tmp_path / "ledger.sqlite"
    if old:
        file.touch(mode=0o644)
    ledger = Ledger(url)
    ledger.keep_switches(["acct_1"], 7)
    assert {mode(each) for each in tmp_path.iterdir()} == {0o600}
    ledger.close()


def test_policies_and_contacts_are_private(tmp_path, careless):
    (tmp_path / "policies.json").touch(mode=0o644)
    PolicyStore(tmp_path / "policies.json").write(StoredPolicies())
    contacts = ContactStore(f"sqlite:///{tmp_path / 'contacts.sqlite'}")
    contacts.remember("acct_1", "cus_1", "ana@payer.example", "Ana", "de", datetime(2026, 5, 4, tzinfo=UTC))
    assert {mode(each) for each in tmp_path.iterdir()} == {0o600}
    contacts.close()

"""Contacts are remembered as last read, forgotten when told, and private."""

import stat
from datetime import UTC, datetime, timedelta

import pytest

from control.contacts import Contact, Contacts

AT = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.fixture
def contacts(tmp_path):
    store = Contacts(f"sqlite:///{tmp_path}/home/contacts.sqlite")
    yield store
    store.close()


def test_a_contact_is_found_as_remembered(contacts):
    contacts.remember("acct_1", "cus_1", "jo@payer.example", "Jo", "de", AT)
    assert contacts.find("acct_1", "cus_1") == Contact("acct_1", "cus_1", "jo@payer.example", "Jo", "de", AT)
    assert contacts.find("acct_2", "cus_1") is None


def test_a_newer_reading_replaces_an_older_one_and_never_the_reverse(contacts):
    contacts.remember("acct_1", "cus_1", "first@payer.example", "Jo", "de", AT)
    contacts.remember("acct_1", "cus_1", "second@payer.example", "Jo", "de", AT + timedelta(seconds=1))
    contacts.remember("acct_1", "cus_1", "late@payer.example", "Jo", "de", AT - timedelta(seconds=1))
    assert contacts.find("acct_1", "cus_1").email == "second@payer.example"


def test_a_forgotten_contact_is_gone(contacts):
    contacts.remember("acct_1", "cus_1", "jo@payer.example", "Jo", "de", AT)
    contacts.forget("acct_1", "cus_1")
    contacts.forget("acct_1", "cus_1")
    assert contacts.find("acct_1", "cus_1") is None


def test_the_file_is_for_its_owner_alone(contacts, tmp_path):
    assert stat.S_IMODE((tmp_path / "home" / "contacts.sqlite").stat().st_mode) == 0o600


def test_another_process_sees_what_was_remembered(contacts, tmp_path):
    contacts.remember("acct_1", "cus_1", "jo@payer.example", "Jo", "de", AT)
    other = Contacts(f"sqlite:///{tmp_path}/home/contacts.sqlite")
    assert other.find("acct_1", "cus_1") == contacts.find("acct_1", "cus_1")
    other.close()

"""Contacts are remembered as last read, forgotten when told, and private."""

import sqlite3
import stat
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from control.contacts import BouncedAddress, ContactStore, StoredContact

AT = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.fixture
def contacts(tmp_path):
    store = ContactStore(f"sqlite:///{tmp_path}/home/contacts.sqlite")
    yield store
    store.close()


def test_a_contact_is_found_as_remembered(contacts):
    contacts.remember("acct_1", "cus_1", "jo@payer.example", "Jo", "de", AT)
    assert contacts.find("acct_1", "cus_1") == StoredContact("acct_1", "cus_1", "jo@payer.example", "Jo", "de", AT)
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
    other = ContactStore(f"sqlite:///{tmp_path}/home/contacts.sqlite")
    assert other.find("acct_1", "cus_1") == contacts.find("acct_1", "cus_1")
    other.close()


def test_a_number_is_kept_by_readings_that_do_not_know_it_and_leads_to_its_customers(contacts):
    contacts.remember("acct_1", "cus_2", "jo@payer.example", "Jo", "de", AT, "+4915112345678")
    contacts.remember("acct_1", "cus_2", "new@payer.example", "Jo", "de", AT)
    contacts.remember("acct_1", "cus_1", "al@payer.example", "Al", "de", AT, "+4915112345678")
    contacts.remember("acct_2", "cus_3", "bo@payer.example", "Bo", "de", AT, "+4915112345678")
    assert contacts.find("acct_1", "cus_2") == StoredContact("acct_1", "cus_2", "new@payer.example", "Jo", "de", AT, "+4915112345678")
    assert contacts.customers_with_phone("acct_1", "+4915112345678") == ("cus_1", "cus_2")
    contacts.remember("acct_1", "cus_1", "al@payer.example", "Al", "de", AT, "")
    assert contacts.customers_with_phone("acct_1", "+4915112345678") == ("cus_2",)


def test_a_store_of_a_former_version_learns_to_keep_numbers(tmp_path):
    with sqlite3.connect(tmp_path / "contacts.sqlite") as former:
        columns = "account VARCHAR, customer VARCHAR, email VARCHAR, name VARCHAR, locale VARCHAR, at FLOAT"
        former.execute(f"CREATE TABLE contacts ({columns}, PRIMARY KEY (account, customer))")
        former.execute("INSERT INTO contacts VALUES ('acct_1', 'cus_1', 'jo@payer.example', 'Jo', 'de', 0)")
    store = ContactStore(f"sqlite:///{tmp_path}/contacts.sqlite")
    assert store.find("acct_1", "cus_1").phone == ""
    store.remember("acct_1", "cus_1", "jo@payer.example", "Jo", "de", AT, "+4915112345678")
    assert store.customers_with_phone("acct_1", "+4915112345678") == ("cus_1",)
    store.close()


def test_billing_contacts_are_kept_in_their_order_and_replaced_as_a_whole(contacts):
    contacts.replace_billing_contacts("acct_1", "cus_1", ["bo@payer.example", "al@payer.example"])
    contacts.replace_billing_contacts("acct_1", "cus_2", ["cy@payer.example"])
    assert contacts.others("acct_1", "cus_1") == ("bo@payer.example", "al@payer.example")
    contacts.replace_billing_contacts("acct_1", "cus_1", ["al@payer.example"])
    assert contacts.others("acct_1", "cus_1") == ("al@payer.example",)
    assert contacts.others("acct_1", "cus_2") == ("cy@payer.example",)


def test_a_bounce_tells_whose_it_was_and_how_many_are_left(contacts):
    """B56: one that bounces does not silence the others."""
    contacts.remember("acct_1", "cus_1", "Jo@payer.example", "Jo", "de", AT)
    contacts.replace_billing_contacts("acct_1", "cus_1", ["bo@payer.example", "al@payer.example"])
    assert contacts.bounced("acct_1", "cus_1", "AL@payer.example", AT) == BouncedAddress("billing_3", 2)
    assert contacts.bounced("acct_1", "cus_1", "jo@payer.example", AT) == BouncedAddress("", 1)
    assert contacts.bounced("acct_1", "cus_1", "jo@payer.example", AT) == BouncedAddress("", 1)
    assert contacts.bounced("acct_1", "cus_1", "bo@payer.example", AT) == BouncedAddress("billing_2", 0)
    assert contacts.bounced("acct_1", "cus_1", "old@payer.example", AT) == BouncedAddress("billing_former", 0)
    assert contacts.undeliverable("acct_1", ["Jo@payer.example", "new@payer.example"]) == {"jo@payer.example"}
    assert contacts.undeliverable("acct_2", ["jo@payer.example"]) == frozenset()


def test_a_single_contact_that_bounces_leaves_nobody(contacts):
    contacts.remember("acct_1", "cus_1", "jo@payer.example", "Jo", "de", AT)
    assert contacts.bounced("acct_1", "cus_1", "jo@payer.example", AT) == BouncedAddress("", 0)


def test_a_report_about_somebody_elses_address_silences_nobody(contacts):
    """B53: a report names any address it likes; only those of the customer whose mail it was are believed."""
    contacts.remember("acct_1", "cus_1", "jo@payer.example", "Jo", "de", AT)
    contacts.remember("acct_1", "cus_2", "cy@payer.example", "Cy", "de", AT)
    assert contacts.bounced("acct_1", "cus_1", "cy@payer.example", AT) == BouncedAddress("billing_former", 1)
    assert contacts.undeliverable("acct_1", ["cy@payer.example"]) == frozenset()


def test_forgetting_a_customer_forgets_all_their_addresses(contacts, tmp_path):
    """B94."""
    contacts.remember("acct_1", "cus_1", "jo@payer.example", "Jo", "de", AT)
    contacts.replace_billing_contacts("acct_1", "cus_1", ["bo@payer.example"])
    for email in ("jo@payer.example", "bo@payer.example"):
        contacts.bounced("acct_1", "cus_1", email, AT)
    contacts.forget("acct_1", "cus_1")
    with sqlite3.connect(tmp_path / "home" / "contacts.sqlite") as store:
        assert [
            store.execute(f"SELECT count(*) FROM {table}").fetchone() for table in ("contacts", "billing_contacts", "dead_addresses")
        ] == [(0,)] * 3


def test_a_store_of_a_former_version_gets_its_indexes(tmp_path):
    with sqlite3.connect(tmp_path / "contacts.sqlite") as former:
        columns = "account VARCHAR, customer VARCHAR, email VARCHAR, name VARCHAR, locale VARCHAR, at FLOAT"
        former.execute(f"CREATE TABLE contacts ({columns}, PRIMARY KEY (account, customer))")
    for _ in range(2):
        ContactStore(f"sqlite:///{tmp_path}/contacts.sqlite").close()
    with sqlite3.connect(tmp_path / "contacts.sqlite") as now:
        names = {name for (name,) in now.execute("SELECT name FROM sqlite_master WHERE type = 'index'")}
    assert names >= {"contacts_by_email", "contacts_by_phone", "billing_contacts_by_email"}


@pytest.mark.parametrize(
    "look_up",
    ["customers_with_email", "customers_with_phone"],
)
def test_no_look_up_reads_all_contacts(contacts, look_up):
    """An account with very many customers must not hold the threads of others."""
    asked = []

    def note(_connection, _cursor, statement, parameters, _context, _many):
        asked.append((statement, parameters))

    sa.event.listen(contacts._engine, "before_cursor_execute", note)
    getattr(contacts, look_up)("acct_1", "Jo@Payer.example")
    sa.event.remove(contacts._engine, "before_cursor_execute", note)
    with contacts._engine.connect() as connection:
        explained = [connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values) for statement, values in asked]
        plans = [row.detail for rows in explained for row in rows]
    assert any("USING" in plan and "INDEX" in plan for plan in plans)
    assert not [plan for plan in plans if plan.startswith("SCAN") and "subquery" not in plan.lower()]

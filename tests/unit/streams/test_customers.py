"""One customer, one row, one order; and nobody else's."""

from datetime import timedelta

import msgspec

from recovery.contracts.encoding.codec import encode
from recovery.contracts.encoding.row_codec import decode_row
from recovery.contracts.facts import PolicyPublished
from recovery.ids import stream_key
from streams.simulation import ShardInMemory
from tests.support import builders as a
from tests.support.month import Record


def shard_told(*facts: object) -> ShardInMemory:
    shard = ShardInMemory(0, "customers")
    for offset, fact in enumerate(facts):
        key = stream_key(fact.account, fact.customer)  # type: ignore[attr-defined] # every fact has both
        shard.take(Record(key, encode(fact), offset, 0))  # type: ignore[arg-type] # a fact
    return shard


def test_all_invoices_of_a_customer_are_in_one_row() -> None:
    """B5, B15: the second failure joins what runs for the customer."""
    shard = shard_told(a.a_failure(), a.a_failure("evt_2", a.at(hours=1), "in_2"))
    [row] = [decode_row(value) for key, value in shard.rows.items() if not key.startswith(b"\0")]
    assert set(row.cases) == {"in_1", "in_2"}


def test_the_same_customer_id_in_another_account_is_another_customer() -> None:
    """B5."""
    stranger = msgspec.structs.replace(a.a_failure("evt_2", a.at(hours=1), "in_2"), account="acct_2")
    shard = shard_told(a.a_failure(), stranger)
    rows = {key: decode_row(value) for key, value in shard.rows.items() if not key.startswith(b"\0")}
    assert {key: set(row.cases) for key, row in rows.items()} == {b"acct_1/cus_1": {"in_1"}, b"acct_2/cus_1": {"in_2"}}


def test_a_policy_reaches_its_own_account_only() -> None:
    """B5."""
    when = a.START - timedelta(hours=1)
    published = PolicyPublished(
        id="policy:1", account="acct_2", occurred_at=when, received_at=when, number=7, policy=a.a_policy("observe"), who="ops"
    )
    shard = ShardInMemory(0, "customers")
    shard.take(Record(b"acct_2/", encode(published), 0, 0))
    sent = shard.take(Record(b"acct_1/cus_1", encode(a.a_failure()), 1, 0))
    assert all(b'"policy_version":0' in (output.value or b"") for output in sent if output.topic == "recovery.events")

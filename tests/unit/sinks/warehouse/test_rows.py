"""Event to row."""

import json
from datetime import UTC, datetime

import pytest

from recovery.contracts.encoding import codec
from recovery.contracts.encoding.codec import Unprocessable
from recovery.contracts.events import Event
from recovery.contracts.warehouse import EVENT_COLUMNS
from sinks.warehouse import rows

AT = datetime(2026, 5, 20, 14, 5, 1, 234567, tzinfo=UTC)


def an_event(**fields) -> Event:
    return Event(**{"id": "0-17-0", "event_type": "payment_failed", "account": "acct_1", "occurred_at": AT, "received_at": AT, **fields})


def row(event: Event) -> dict:
    values = json.loads(rows.line(codec.encode(event), "recovery.events", 3, 42))
    return dict(zip(EVENT_COLUMNS, values, strict=True))


def test_a_row_has_every_column_of_the_contract_in_its_order():
    found = row(an_event(invoice="in_1", amount_minor=1900, currency="eur", sequence=2, details={"why": "paid"}, next_action_at=AT))
    assert (found["event_id"], found["schema_version"], found["invoice"], found["sequence"]) == ("0-17-0", 1, "in_1", 2)
    assert (found["amount_minor"], found["currency"], found["details"]) == (1900, "eur", {"why": "paid"})
    assert (found["src_topic"], found["src_partition"], found["src_offset"]) == ("recovery.events", 3, 42)
    assert found["occurred_at"] == found["next_action_at"] == "2026-05-20T14:05:01.234567Z"


def test_no_next_action_is_no_time():
    assert row(an_event())["next_action_at"] is None


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"retry_count": -1}, "retry_count"),
        ({"policy_version": 2**32}, "policy_version"),
        ({"amount_minor": 2**63}, "amount_minor"),
        ({"sequence": -5}, "sequence"),
        ({"account": ""}, "account"),
        ({"id": ""}, "id"),
        ({"occurred_at": AT.replace(tzinfo=None)}, "occurred_at"),
        ({"received_at": datetime(2300, 1, 1, tzinfo=UTC)}, "received_at"),
        ({"next_action_at": datetime(1960, 1, 1, tzinfo=UTC)}, "next_action_at"),
    ],
)
def test_what_the_database_would_refuse_is_refused_with_the_name_of_the_field(fields, word):
    with pytest.raises(Unprocessable, match=word):
        rows.line(codec.encode(an_event(**fields)), "recovery.events", 0, 0)


@pytest.mark.parametrize("value", [None, b"", b"{", b"[]", b'{"event_type":"no_such_type"}', b"\xff\xfe"])
def test_what_is_no_event_is_refused(value):
    with pytest.raises(Unprocessable):
        rows.line(value, "recovery.events", 0, 0)

"""What the views count, against figures worked out by hand."""

from datetime import UTC, date, datetime, timedelta

import pytest

from recovery.contracts.events import Event
from tests.pages import seed

pytestmark = pytest.mark.real
DAY = datetime(2026, 5, 1, 9, tzinfo=UTC)


def told(invoice, *steps):
    """Events of one invoice: (days, type, fields) each."""
    base = {"account": "acct_1", "customer": "cus_1", "invoice": invoice, "currency": "eur", "amount_minor": 1000, "status": "retrying"}
    return [
        Event(
            **{
                "id": f"{invoice}-{number}",
                "event_type": kind,
                "sequence": number,
                "occurred_at": DAY + timedelta(days=days),
                "received_at": DAY,
                **base,
                **fields,
            }
        )
        for number, (days, kind, fields) in enumerate(steps, 1)
    ]


SOFT = {"decline_kind": "soft", "decline_code": "insufficient_funds"}
STORY = [
    *told(
        "in_recovered",
        (0, "payment_failed", {}),
        (0, "decline_classified", SOFT),
        (1, "retry_attempted", {**SOFT, "result": "declined", "retry_count": 1}),
        (1, "fact_noted", {"status": "", "decline_kind": "", "amount_minor": 0}),
        (3, "payment_recovered", {"status": "recovered", "reason": "our_retry", "recovered_by": "our_retry", "recovered_minor": 1000}),
    ),
    *told(
        "in_open",
        (0, "payment_failed", {**SOFT, "amount_minor": 5000}),
        (1, "case_updated", {"decline_kind": "hard", "decline_code": "expired_card", "amount_minor": 4000, "status": "action_required"}),
        (1, "retry_skipped", {"reason": "never_without_new_method", "amount_minor": 4000, "status": "action_required"}),
    ),
    *told(
        "in_reversed",
        (0, "payment_failed", {"decline_kind": "hard", "decline_code": "lost_card", "amount_minor": 700}),
        (1, "payment_recovered", {"status": "recovered", "recovered_by": "customer", "recovered_minor": 700, "amount_minor": 700}),
        (5, "recovery_reversed", {"status": "recovered", "reason": "refunded", "recovered_minor": 300, "amount_minor": 700}),
    ),
    *told(
        "in_lost", (0, "payment_failed", {**SOFT, "amount_minor": 90}), (14, "case_abandoned", {"status": "abandoned", "amount_minor": 90})
    ),
    *told("in_none", (0, "failure_ignored", {"reason": "one_off", "status": ""})),
    *told("in_yen", (0, "payment_failed", {"currency": "jpy", "amount_minor": 120000})),
]


@pytest.fixture
def story(migrated, database):
    """The story above, its last events written first: the order within an invoice is that of the sequence."""
    later = [event for event in STORY if event.sequence > 2]
    seed.fill(migrated.url("sink"), later, "later")
    seed.fill(migrated.url("sink"), [event for event in STORY if event.sequence <= 2], "earlier")
    return database


def test_a_case_is_an_opened_failure_with_its_latest_standing(story):
    rows = story(
        "SELECT invoice, status, amount_minor, recovered_minor, reversed_minor, decline_code, first_decline_code FROM dunlin.cases"
    )
    assert sorted(rows) == [
        ("in_lost", "abandoned", 90, 0, 0, "insufficient_funds", "insufficient_funds"),
        ("in_open", "action_required", 4000, 0, 0, "expired_card", "insufficient_funds"),
        ("in_recovered", "recovered", 1000, 1000, 0, "insufficient_funds", "insufficient_funds"),
        ("in_reversed", "recovered", 700, 400, 300, "lost_card", "lost_card"),
        ("in_yen", "retrying", 120000, 0, 0, "", ""),
    ]


def test_an_event_without_a_status_does_not_move_the_case(story):
    found = story("SELECT last_sequence, status, recovered_by, toString(opened_at) FROM dunlin.cases WHERE invoice = 'in_recovered'")
    assert found == [(5, "recovered", "our_retry", "2026-05-01 09:00:00.000")]


def test_days_count_failures_when_opened_and_money_when_it_came(story):
    """B75."""
    columns = "day, failed_n, failed_minor, recovered_n, recovered_minor, reversed_minor"
    rows = story(f"SELECT {columns} FROM dunlin.recovery_daily WHERE currency = 'eur'")
    assert sorted(rows) == [
        (date(2026, 5, 1), 4, 6790, 0, 0, 0),
        (date(2026, 5, 2), 0, 0, 1, 700, 0),
        (date(2026, 5, 4), 0, 0, 1, 1000, 0),
        (date(2026, 5, 6), 0, 0, 0, 0, 300),
    ]


def test_declines_count_by_the_first_class(story):
    columns = "decline_kind, decline_code, failed_n, failed_minor, recovered_n, recovered_minor"
    rows = story(f"SELECT {columns} FROM dunlin.declines WHERE currency = 'eur'")
    assert sorted(rows) == [("hard", "lost_card", 1, 700, 1, 400), ("soft", "insufficient_funds", 3, 5090, 1, 1000)]


def test_the_parts_of_the_money_sum_to_what_failed_in_each_currency(story):
    rows = story("SELECT currency, cause, cases, minor FROM dunlin.money")
    assert sorted(rows) == [
        ("eur", "customer", 1, 400),
        ("eur", "open", 1, 4000),
        ("eur", "our_retry", 1, 1000),
        ("eur", "reversed", 1, 300),
        ("eur", "written_off", 1, 90),
        ("jpy", "open", 1, 120000),
    ]
    assert story("SELECT sum(amount_minor) FROM dunlin.cases WHERE currency = 'eur'") == [(400 + 4000 + 1000 + 300 + 90,)]


def test_what_was_not_done_is_there_with_its_reason(story):
    rows = story("SELECT not_done, reason, invoice FROM dunlin.why_not")
    assert sorted(rows) == [("case", "one_off", "in_none"), ("retry", "never_without_new_method", "in_open")]


def test_a_timeline_is_in_the_order_of_the_sequence(story):
    rows = story("SELECT event_type FROM dunlin.case_timeline WHERE invoice = 'in_recovered'")
    assert [kind for (kind,) in rows] == ["payment_failed", "decline_classified", "retry_attempted", "fact_noted", "payment_recovered"]


def test_latency_is_from_acceptance_to_row_and_leaves_out_the_passing_of_time(migrated, database):
    server_now = database("SELECT now64(3)")[0][0].replace(tzinfo=UTC)
    events = told("in_1", (0, "payment_failed", {"received_at": server_now - timedelta(seconds=2), "cause_type": "payment_failed"}))
    events += told("in_2", (0, "payment_failed", {"received_at": server_now - timedelta(days=9), "cause_type": "time_passed"}))
    seed.fill(migrated.url("sink"), events, "latency")
    rows = database("SELECT events, p50_ms FROM dunlin.latency")
    assert len(rows) == 1
    assert rows[0][0] == 1
    assert 2000 <= rows[0][1] < 12_000

"""What the views count, against figures worked out by hand."""

from datetime import UTC, date, datetime, timedelta

import pytest

from recovery.contracts.events import Event
from recovery.contracts.facts import ChargeRefunded, InvoicePaymentSucceeded, InvoiceWrittenOff
from recovery.decide.rules import attribution_audit
from tests.pages import seed
from tests.support import builders as a
from tests.support.story import Story

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
        (1, "fact_had_no_effect", {"status": "", "decline_kind": "", "amount_minor": 0}),
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


def opened(invoice, currency):
    """An invoice of 1,000 that failed and was looked at."""
    story = Story()
    state = a.a_state(amount=1000, currency=currency)
    story.tell(a.a_failure(invoice=invoice, state=state))
    story.tell(a.a_reading(story.reads()[-1].id, a.at(hours=0.1), invoice=invoice, state=state))
    return story


def paid_in_part(story, invoice, currency, hours=1, paid=400):
    told = {"state": a.a_state(amount=1000, paid=paid, currency=currency), "request_id": "req_1"}
    story.tell(InvoicePaymentSucceeded(**a.header(f"evt_part_{hours}", a.at(hours=hours), invoice), **told))


def retried(story, invoice, currency):
    """The rest is brought back by our own retry, whose charge is `ch_rest`."""
    story.until(a.at(days=1, hours=1))
    state = a.a_state("paid", amount=1000, currency=currency)
    story.charge_answered("succeeded", state=state, charge="ch_rest")


def refunded(story, invoice, currency, minor):
    head = a.header(f"evt_refund_{minor}", story.now + timedelta(days=1), invoice)
    story.tell(ChargeRefunded(**head, charge="ch_rest", amount_refunded=minor, currency=currency))


def a_ledger():
    """Stories of money in parts, in two currencies: by two causes, then refunded in part or whole; still open; written off; failed anew."""
    for currency in ("eur", "jpy"):
        for ending in ("recovered", "refund_700", "refund_1000", "open", "written_off", "anew", "anew_paid"):
            invoice = f"in_{ending}_{currency}"
            story = opened(invoice, currency)
            paid_in_part(story, invoice, currency)
            if ending == "written_off":
                told = {"state": a.a_state("uncollectible", amount=1000, paid=400, currency=currency)}
                story.tell(InvoiceWrittenOff(**a.header("evt_off", a.at(days=1), invoice), **told))
                paid_in_part(story, invoice, currency, hours=30, paid=450)
            elif ending != "open":
                retried(story, invoice, currency)
            if ending.startswith("refund"):
                refunded(story, invoice, currency, int(ending.removeprefix("refund_")))
            if ending.startswith("anew"):
                story.tell(
                    a.a_failure("evt_again", story.now + timedelta(days=1), invoice, state=a.a_state(amount=1000, currency=currency))
                )
            if ending == "anew_paid":
                told = {"state": a.a_state("paid", amount=1000, currency=currency, paid_out_of_band=True)}
                story.tell(a.a_payment("evt_paid", story.now + timedelta(days=1), invoice, **told))
            yield story


def test_each_part_of_an_invoices_money_is_under_its_own_cause_and_they_sum_to_what_failed(migrated, database):
    """B71, B72: the same figures as the ledger over the events, to the cent, also when money went back."""
    events = [event for story in a_ledger() for event in story.events]
    for number, event in enumerate(events):
        event.id = f"e-{number}"
    seed.fill(migrated.url("sink"), events, "ledger")
    rows = database("SELECT currency, cause, minor FROM dunlin.money")
    parts = {currency: {cause: int(minor) for of, cause, minor in rows if of == currency} for currency in ("eur", "jpy")}
    assert attribution_audit.problems(events) == []
    brought = {
        currency: {cause: minor for cause, minor in told.items() if cause in attribution_audit.CAUSES} for currency, told in parts.items()
    }
    assert brought == attribution_audit.parts(events)
    assert brought["eur"] == {"customer": 400 + 300 + 400 + 450, "our_retry": 600, "external": 1000}
    other = {"reversed": 700 + 1000, "open": 600 + 1000, "written_off": 550}
    assert {cause: minor for cause, minor in parts["jpy"].items() if cause not in attribution_audit.CAUSES} == other
    totals = database("SELECT currency, sum(amount_minor) FROM dunlin.cases GROUP BY currency")
    assert (
        {currency: sum(told.values()) for currency, told in parts.items()}
        == {c: int(total) for c, total in totals}
        == {"eur": 7000, "jpy": 7000}
    )


def test_what_was_not_done_is_there_with_its_reason(story):
    rows = story("SELECT not_done, reason, invoice FROM dunlin.why_not")
    assert sorted(rows) == [("case", "one_off", "in_none"), ("retry", "never_without_new_method", "in_open")]


def test_a_timeline_is_in_the_order_of_the_sequence(story):
    rows = story("SELECT event_type FROM dunlin.case_timeline WHERE invoice = 'in_recovered'")
    assert [kind for (kind,) in rows] == [
        "payment_failed",
        "decline_classified",
        "retry_attempted",
        "fact_had_no_effect",
        "payment_recovered",
    ]


def test_latency_is_from_acceptance_to_row_and_leaves_out_the_passing_of_time(migrated, database):
    server_now = database("SELECT now64(3)")[0][0].replace(tzinfo=UTC)
    events = told("in_1", (0, "payment_failed", {"received_at": server_now - timedelta(seconds=2), "cause_type": "payment_failed"}))
    events += told("in_2", (0, "payment_failed", {"received_at": server_now - timedelta(days=9), "cause_type": "time_passed"}))
    seed.fill(migrated.url("sink"), events, "latency")
    rows = database("SELECT events, p50_ms FROM dunlin.latency")
    assert len(rows) == 1
    assert rows[0][0] == 1
    assert 2000 <= rows[0][1] < 12_000


def written(kind, number, *steps):
    """Events about one message to a payer: (hours, type, fields) each."""
    effect = f"acct_1.in_open.{kind}.{number}" if kind != "notice" else f"acct_1.~sub_1.notice.{number}"
    base = {
        "account": "acct_1",
        "customer": "cus_1",
        "invoice": "" if kind == "notice" else "in_open",
        "effect": effect,
        "received_at": DAY,
    }
    return [
        Event(
            **{
                "id": f"{effect}-{place}",
                "cause": f"{effect}:{place}",
                "event_type": what,
                "occurred_at": DAY + timedelta(hours=hours),
                **base,
                **more,
            }
        )
        for place, (hours, what, more) in enumerate(steps)
    ]


MACHINE = {"reason": "machine_too_soon"}
MESSAGES = [
    *written(
        "message",
        3,
        (0, "dunning_sent", {"details": {"step": "1", "medium": "email"}}),
        (0, "message_clicked", MACHINE),
        (0, "message_opened", MACHINE),
        (2, "message_opened", {}),
        (5, "message_opened", {}),
        (5, "message_opened", {"id": "again", "cause": "acct_1.in_open.message.3:4"}),  # told twice by the pipeline
        (6, "message_clicked", {}),
    ),
    *written("message", 5, (0, "dunning_skipped", {"reason": "already_paid", "details": {"step": "2"}})),
    *written("message", 7, (0, "dunning_sent", {"details": {"step": "3"}}), (1, "contact_changed", {"reason": "bounced"})),
    *written("sms", 4, (0, "dunning_sent", {"details": {"step": "1"}}), (1, "message_undelivered", {"reason": "twilio_30003"})),
    *written("notice", 1, (0, "transactional_mail_sent", {}), (1, "message_clicked", MACHINE)),
    *written("message", 9, (3, "message_opened", {})),  # an opening of a mail that nobody told of sending
]


def test_a_message_has_its_openings_and_clicks_without_those_of_programs(migrated, database):
    """F34, B81."""
    seed.fill(migrated.url("sink"), MESSAGES, "messages")
    columns = "splitByChar('.', effect)[-1], kind, invoice, step, result, reason, delivery, delivery_reason"
    assert sorted(database(f"SELECT {columns} FROM dunlin.dunning")) == [
        ("1", "notice", "", 0, "sent", "", "", ""),
        ("3", "message", "in_open", 1, "sent", "", "", ""),
        ("4", "sms", "in_open", 1, "sent", "", "undelivered", "twilio_30003"),
        ("5", "message", "in_open", 2, "skipped", "already_paid", "", ""),
        ("7", "message", "in_open", 3, "sent", "", "bounced", ""),
    ]
    seen = "opens, clicks, machine_opens, machine_clicks, dateDiff('hour', sent_at, opened_at), dateDiff('hour', sent_at, clicked_at)"
    assert database(f"SELECT {seen} FROM dunlin.dunning WHERE effect LIKE '%message.3'") == [(2, 1, 1, 1, 2, 6)]
    assert database(f"SELECT {seen} FROM dunlin.dunning WHERE kind = 'notice'") == [(0, 0, 0, 1, None, None)]


def settled(number, what, told_twice=False, **details):
    """The event that tells what became of a webhook."""
    effect = f"acct_1.in_open.webhook-crm.{number}"
    usual = {"endpoint": "crm", "event": f"0-{number}-0", "event_type": "payment_failed"}
    return Event(
        id=f"{effect}-{told_twice}",
        cause=f"{effect}:outcome",
        event_type=what,
        reason="" if what == "webhook_delivered" else "endpoint_disabled",
        account="acct_1",
        customer="cus_1",
        effect=effect,
        occurred_at=DAY,
        received_at=DAY,
        details=usual | details,
    )


def test_a_webhook_has_one_row_with_what_became_of_it(migrated, database):
    """F25."""
    delivered, off = settled(1, "webhook_delivered", tries="2", status="204"), settled(2, "webhook_delivery_failed", tries="0")
    seed.fill(migrated.url("sink"), [delivered, settled(1, "webhook_delivered", told_twice=True, tries="2", status="204"), off], "webhooks")
    assert database("SELECT event, delivered_type, result, reason, tries, status FROM dunlin.webhook_deliveries ORDER BY effect") == [
        ("0-1-0", "payment_failed", "delivered", "", 2, 204),
        ("0-2-0", "payment_failed", "undelivered", "endpoint_disabled", 0, 0),
    ]

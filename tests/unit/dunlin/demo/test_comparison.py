"""The comparison itself must be able to find every kind of difference."""

from typing import Any

from dunlin.demo.comparison import WarehouseSnapshot, compare, opens_a_case

ACCOUNT = "acct_1"


def invoice(name: str, **other: Any) -> dict[str, Any]:
    return {
        "id": name,
        "subscription": "sub_" + name,
        "currency": "usd",
        "amount_due": 1_000,
        "billing_reason": "subscription_cycle",
        "collection_method": "charge_automatically",
        "auto_advance": True,
        "first_failed_at": 5.0,
        "paid_at": None,
    } | other


def attempt(name: str, key: str | None, outcome: str = "declined", actor: str = "api", at: float = 9.0) -> dict[str, Any]:
    return {"invoice": name, "idempotency_key": key, "outcome": outcome, "actor": actor, "at": at, "opened_at": at - 0.5}


def mail(**other: Any) -> dict[str, Any]:
    return {"message_id": "<m1@x>", "copies": 1, "invoice": "in_a", "opened_at": 7.0} | other


def world(**other: Any) -> dict[str, Any]:
    return {
        "account": ACCOUNT,
        "invoices": [invoice("in_a"), invoice("in_b")],
        "attempts": [attempt("in_a", None, actor="initial"), attempt("in_a", "dunlin-a1", "succeeded")],
        "recoveries": [{"invoice": "in_a", "currency": "usd", "amount": 1_000}],
        "mails": [mail()],
        "events": [{"id": "evt_1", "accepted": 1}, {"id": "evt_2", "accepted": 2}, {"id": "evt_3", "accepted": 0}],
        "cancellations": [],
        "webhooks": [{"message": "msg_1", "event": "0-7-1", "type": "payment_failed", "copies": 1}],
        "forged_webhooks": 0,
    } | other


def told(**other: Any) -> WarehouseSnapshot:
    fields: dict[str, Any] = {
        "failed": frozenset({"in_a", "in_b"}),
        "attempted": frozenset({"dunlin-a1"}),
        "recovered": frozenset({"in_a"}),
        "failed_minor": {"usd": 2_000},
        "recovered_minor": {"usd": 1_000},
        "mails": frozenset({"<m1@x>"}),
        "webhooks": frozenset({"0-7-1"}),
        "causes": frozenset({f"{ACCOUNT}:evt_1", f"{ACCOUNT}:evt_2"}),
        "rows": 10,
        "distinct_rows": 10,
        "p50_ms": 1.0,
        "p99_ms": 2.0,
        "parked": 0,
    }
    return WarehouseSnapshot(**(fields | other))


BASELINE = {"by_currency": {"usd": {"failures": 2, "failed_amount": 2_000, "recovered": 0, "recovered_amount": 0}}}


def test_the_truth_told_is_sound() -> None:
    report = compare(world(), told(), BASELINE)
    assert report.sound
    assert report.differences == 0
    assert (report.rates[0].by_count, report.rates[0].by_value, report.rates[0].baseline_by_count) == (0.5, 0.5, 0.0)


def test_webhooks_that_never_arrived_or_were_signed_wrongly_are_differences() -> None:
    assert compare(world(), told(webhooks=frozenset({"0-7-1", "0-8-1"})), BASELINE).differences == 1
    assert compare(world(webhooks=[]), told(), BASELINE).differences == 1
    assert compare(world(forged_webhooks=2), told(), BASELINE).differences == 2


def test_a_missing_failure_is_named() -> None:
    report = compare(world(), told(failed=frozenset({"in_a"})), BASELINE)
    assert [(line.name, line.missing) for line in report.lines if line.missing] == [("failures", ("in_b",))]
    assert not report.sound


def test_an_invented_recovery_is_named() -> None:
    report = compare(world(), told(recovered=frozenset({"in_a", "in_b"})), BASELINE)
    assert [line.extra for line in report.lines if line.name == "recoveries"] == [("in_b",)]
    assert not report.sound


def test_a_cent_too_many_is_a_difference() -> None:
    report = compare(world(), told(recovered_minor={"usd": 1_001}), BASELINE)
    assert report.differences == 1


def test_a_currency_nobody_paid_in_is_a_difference() -> None:
    report = compare(world(), told(recovered_minor={"usd": 1_000, "jpy": 5}), BASELINE)
    assert report.differences == 5


def test_an_accepted_webhook_without_a_row_is_lost() -> None:
    report = compare(world(), told(causes=frozenset({f"{ACCOUNT}:evt_1"})), BASELINE)
    assert report.lost_facts == 1
    assert not report.sound


def test_two_successful_charges_of_an_invoice_are_one_too_many() -> None:
    doubled = world(attempts=[attempt("in_a", "dunlin-a1", "succeeded"), attempt("in_a", "k", "succeeded", actor="hosted_page")])
    assert compare(doubled, told(), BASELINE).duplicate_charges == 1


def test_one_key_charged_twice_is_one_too_many() -> None:
    doubled = world(attempts=[attempt("in_a", "dunlin-a1"), attempt("in_a", "dunlin-a1", "succeeded")])
    report = compare(doubled, told(), BASELINE)
    assert report.duplicate_charges == 1
    assert not report.sound


def test_a_charge_after_the_cancellation_is_harm() -> None:
    ended = world(cancellations=[{"subscription": "sub_in_a", "at": 8.0}])
    report = compare(ended, told(), BASELINE)
    assert report.charges_after_end == 1
    assert not report.sound


def test_a_row_written_twice_is_harm() -> None:
    assert not compare(world(), told(rows=11), BASELINE).sound


def test_a_mail_sent_twice_in_doubt_is_reported_but_is_no_difference() -> None:
    report = compare(world(mails=[mail(copies=2)]), told(), BASELINE)
    assert (report.repeated_mails, report.sound) == (1, True)


def test_what_the_last_look_could_not_show_is_no_harm() -> None:
    between = world(cancellations=[{"subscription": "sub_in_a", "at": 8.8}])
    assert compare(between, told(), BASELINE).sound


def test_a_charge_without_a_look_is_harm() -> None:
    blind = world(attempts=[attempt("in_a", "dunlin-a1", "succeeded") | {"opened_at": None}])
    assert compare(blind, told(), BASELINE).charges_after_end == 1


def test_a_mail_after_a_look_at_a_paid_invoice_is_harm() -> None:
    paid = world(invoices=[invoice("in_a", paid_at=6.0), invoice("in_b")])
    report = compare(paid, told(), BASELINE)
    assert report.mails_after_end == 1
    assert not report.sound


def test_a_mail_after_a_look_at_a_cancellation_is_harm() -> None:
    ended = world(cancellations=[{"subscription": "sub_in_a", "at": 6.0}], attempts=[])
    assert compare(ended, told(attempted=frozenset()), BASELINE).mails_after_end == 1


def test_a_reminder_after_the_payment_is_counted_and_a_notice_of_the_payment_is_not() -> None:
    """B47, B48."""
    paid = [invoice("in_a", paid_at=6.0), invoice("in_b")]
    reminder, notice = (mail(message_id=f"<acct_1.in_a.{kind}@x>") for kind in ("message.3", "notice.4"))
    counted = [compare(world(invoices=paid, mails=[one]), told(), BASELINE).mails_after_end for one in (reminder, notice)]
    assert counted == [1, 0]


def test_alert_mails_are_counted_apart_and_tests_not_at_all() -> None:
    """They go to the merchant: what happened to an invoice neither forbids nor delays them."""
    to_merchant = [
        mail(message_id="<acct_1.in_a.alert.2@x>", invoice=None),
        mail(message_id="<acct_1.in_b.alert.3.digest.1@x>", invoice=None),
        mail(message_id="<acct_1.~alert.test.1793697840@x>", invoice=None),
    ]
    report = compare(world(mails=[mail(), *to_merchant]), told(alerts=frozenset({"<acct_1.in_a.alert.2@x>"})), BASELINE)
    lines = {line.name: line for line in report.lines}
    assert lines["mails"].differences == 0
    assert (lines["alert mails"].truth, lines["alert mails"].missing) == (2, ("<acct_1.in_b.alert.3.digest.1@x>",))
    assert report.mails_after_end == 0


def test_what_opens_no_case_is_no_failure() -> None:
    assert opens_a_case(invoice("in_a"))
    assert not opens_a_case(invoice("in_a", billing_reason="subscription_create"))
    assert not opens_a_case(invoice("in_a", collection_method="send_invoice"))
    assert not opens_a_case(invoice("in_a", amount_due=0))
    assert opens_a_case(invoice("in_a", auto_advance=False)), "switched off by a later cancellation"
    assert not opens_a_case(invoice("in_a", subscription=None))
    assert not opens_a_case(invoice("in_a", first_failed_at=None))


def test_the_figures_name_what_programs_look_for() -> None:
    figures = compare(world(), told(), BASELINE).figures()
    assert {"differences", "duplicate_charges", "lost_facts", "failures", "recovered"} <= figures.keys()


def test_the_figures_tell_the_rate_beside_nobody_acting_and_beside_the_promise() -> None:
    baseline = {"by_currency": {"usd": {"failures": 2, "recovered": 0, "failed_amount": 2_000, "recovered_amount": 0}}}
    figures = compare(world(), told(), baseline).figures()
    assert figures["recovery"] == {"by_count": 0.5, "nobody_acting_by_count": 0.0, "promised": (0.3, 0.5)}
    assert len(figures["fingerprint"]) == 64
    assert figures["month"]["failures"] == 0  # told() names no cases

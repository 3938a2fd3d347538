import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import stripe

EXPAND = ["payments.data.payment.payment_intent.latest_charge", "customer", "parent.subscription_details.subscription"]


def test_one_read_of_a_failed_invoice_tells_everything_about_the_decline(month) -> None:
    bill = month.unpaid("insufficient_funds")
    shown = month.client.v1.invoices.retrieve(bill["id"], {"expand": EXPAND}).to_dict()
    intent = shown["payments"]["data"][0]["payment"]["payment_intent"]
    assert shown["status"] == "open"
    assert shown["customer"]["id"] == bill["customer"]
    assert shown["parent"]["subscription_details"]["subscription"]["id"] == bill["subscription"]
    assert intent["last_payment_error"]["decline_code"] == bill["first_decline"]["decline_code"]
    assert intent["latest_charge"]["outcome"]["type"] == "issuer_declined"
    assert intent["latest_charge"]["payment_method_details"]["card"]["fingerprint"]
    assert shown["hosted_invoice_url"].startswith(month.info["api_base"])


def test_unexpanded_reads_show_ids_and_no_payments(month) -> None:
    bill = month.unpaid()
    shown = month.client.v1.invoices.retrieve(bill["id"]).to_dict()
    assert shown["customer"] == bill["customer"]
    assert "payments" not in shown


def test_a_refused_pay_raises_the_card_error_and_the_same_key_replays_it(month) -> None:
    bill = month.unpaid("expired")
    attempts = len(month.get("/_truth")["attempts"])
    seen = []
    for _ in range(2):
        with pytest.raises(stripe.CardError) as refused:
            month.client.v1.invoices.pay(bill["id"], options={"idempotency_key": "again"})
        seen.append(refused.value)
    error = seen[0].error
    assert (seen[0].http_status, seen[0].code) == (402, error.code)
    assert error.decline_code == bill["first_decline"]["decline_code"]
    assert error.charge.startswith("ch_")
    assert error.payment_intent.id.startswith("pi_")
    assert seen[0].http_body == seen[1].http_body
    assert seen[1].headers["Idempotent-Replayed"] == "true"
    assert len(month.get("/_truth")["attempts"]) == attempts + 1


def test_a_key_with_other_parameters_raises_the_idempotency_error(month) -> None:
    bill, card = month.unpaid("expired"), _attach(month, month.unpaid("expired")["customer"], "pm_card_visa")
    with pytest.raises(stripe.CardError):
        month.client.v1.invoices.pay(bill["id"], options={"idempotency_key": "other"})
    with pytest.raises(stripe.IdempotencyError):
        month.client.v1.invoices.pay(bill["id"], {"payment_method": card}, {"idempotency_key": "other"})


def test_paying_with_a_good_card_settles_once_and_for_all(month) -> None:
    bill = month.unpaid("lost")
    card = _attach(month, bill["customer"], "pm_card_visa")
    paid = month.client.v1.invoices.pay(bill["id"], {"payment_method": card}, {"idempotency_key": "good"})
    assert (paid.status, paid.amount_paid, paid.amount_remaining) == ("paid", bill["amount_due"], 0)
    with pytest.raises(stripe.InvalidRequestError, match="already paid") as refused:
        month.client.v1.invoices.pay(bill["id"], options={"idempotency_key": "more"})
    assert refused.value.http_status == 400
    truth = month.get("/_truth")
    taken = [a for a in truth["attempts"] if a["invoice"] == bill["id"] and a["outcome"] == "succeeded"]
    assert [(a["actor"], a["idempotency_key"]) for a in taken] == [("api", "good")]
    assert [r["actor"] for r in truth["recoveries"] if r["invoice"] == bill["id"]] == ["api"]
    refund = month.client.v1.refunds.create({"payment_intent": taken[0]["payment_intent"], "amount": 100})
    assert refund.status == "succeeded"


def test_an_out_of_band_payment_takes_no_charge(month) -> None:
    bill = month.unpaid()
    month.client.v1.invoices.pay(bill["id"], {"paid_out_of_band": True})
    truth = month.get("/_truth")
    assert [r["actor"] for r in truth["recoveries"] if r["invoice"] == bill["id"]] == ["out_of_band"]
    assert not [a for a in truth["attempts"] if a["invoice"] == bill["id"] and a["outcome"] == "succeeded"]


def test_voided_and_uncollectible_invoices_say_so(month) -> None:
    void, written_off = month.unpaid()["id"], None
    assert month.client.v1.invoices.void_invoice(void).status == "void"
    with pytest.raises(stripe.InvalidRequestError):
        month.client.v1.invoices.pay(void)
    written_off = month.unpaid()["id"]
    assert month.client.v1.invoices.mark_uncollectible(written_off).status == "uncollectible"


def test_lists_page_through_everything_once_newest_first(month) -> None:
    listed = [one.id for one in month.client.v1.invoices.list({"limit": 100}).auto_paging_iter()]
    known = {bill["id"] for bill in month.get("/_truth")["invoices"]}
    assert len(listed) == len(set(listed))
    assert set(listed) == known
    newer = month.client.v1.invoices.list({"ending_before": listed[5], "limit": 3})
    assert [one.id for one in newer.data] == listed[2:5]


def test_lists_filter(month) -> None:
    bill, v1 = month.unpaid(), month.client.v1
    mine = v1.invoices.list({"customer": bill["customer"], "status": "open", "subscription": bill["subscription"]})
    assert bill["id"] in [one.id for one in mine.data]
    since = int(bill["created"])
    assert all(one.created >= since for one in v1.invoices.list({"created": {"gte": since}, "limit": 100}).data)
    payment = v1.invoice_payments.list({"invoice": bill["id"]}).data[0]
    intent = payment.payment.payment_intent
    back = v1.invoice_payments.list({"payment": {"type": "payment_intent", "payment_intent": intent}})
    assert [one.invoice for one in back.data] == [bill["id"]]
    assert v1.invoice_payments.retrieve(payment.id).status == "open"
    assert v1.payment_intents.retrieve(intent).status == "requires_payment_method"
    charges = v1.charges.list({"payment_intent": intent}).data
    assert v1.charges.retrieve(charges[0].id).status == "failed"
    assert [one.id for one in v1.payment_intents.list({"customer": bill["customer"]}).data if one.id == intent]


def test_customers_cards_and_subscriptions_can_be_read_and_changed(month) -> None:
    bill, v1 = month.unpaid(), month.client.v1
    card = _attach(month, bill["customer"], "pm_card_visa")
    cards = v1.customers.payment_methods.list(bill["customer"]).data
    assert card in [one.id for one in cards]
    assert v1.payment_methods.retrieve(card).card.last4 == "4242"
    changed = v1.customers.update(bill["customer"], {"email": "new@mail.example", "invoice_settings": {"default_payment_method": card}})
    assert changed.invoice_settings.default_payment_method == card
    found = v1.customers.list({"email": "new@mail.example"}).data
    assert [one.id for one in found] == [bill["customer"]]
    plan = v1.subscriptions.retrieve(bill["subscription"])
    assert plan.to_dict()["items"]["data"][0]["price"]["unit_amount"] > 0
    assert v1.subscriptions.cancel(plan.id).status == "canceled"
    assert plan.id in [one.id for one in v1.subscriptions.list({"status": "canceled", "limit": 100}).data]
    assert v1.customers.delete(bill["customer"]).deleted is True


def test_events_are_listed_by_type_and_time_and_show_todays_shape(month) -> None:
    v1 = month.client.v1
    listed = v1.events.list({"types": ["charge.failed", "invoice.payment_failed"], "limit": 100}).data
    assert {one.type for one in listed} == {"charge.failed", "invoice.payment_failed"}
    one = v1.events.retrieve(listed[0].id)
    assert one.to_dict() == listed[0].to_dict()
    assert one.api_version == "2026-09-30.endive"


def test_an_endpoint_shows_its_secret_only_when_it_is_created(month) -> None:
    v1 = month.client.v1
    made = v1.webhook_endpoints.create(
        {"url": "http://127.0.0.1:9/", "enabled_events": ["charge.refunded"], "api_version": "2025-02-24.acacia"}
    )
    assert made.secret.startswith("whsec_")
    read = v1.webhook_endpoints.retrieve(made.id).to_dict()
    assert read["api_version"] == "2025-02-24.acacia"
    assert "secret" not in read
    assert v1.webhook_endpoints.delete(made.id).deleted is True
    assert made.id not in [one.id for one in v1.webhook_endpoints.list().data]
    with pytest.raises(stripe.InvalidRequestError):
        v1.webhook_endpoints.create({"url": "http://127.0.0.1:9/", "enabled_events": ["x"], "api_version": "2019-12-03"})


def test_a_wrong_key_a_foreign_account_and_a_missing_object_are_told_apart(month) -> None:
    bill = month.unpaid()["id"]
    with pytest.raises(stripe.AuthenticationError):
        month.another_client(api_key="sk_test_wrong").v1.invoices.retrieve(bill)
    with pytest.raises(stripe.PermissionError):
        month.client.v1.invoices.retrieve(bill, options={"stripe_account": "acct_other"})
    own = {"stripe_account": month.info["account"]}
    assert month.client.v1.invoices.retrieve(bill, options=own).last_response.request_id.startswith("req_")
    with pytest.raises(stripe.InvalidRequestError) as refused:
        month.client.v1.invoices.retrieve("in_nowhere")
    assert (refused.value.http_status, refused.value.code) == (404, "resource_missing")


def test_the_rate_limit_answers_429_while_it_is_on(month) -> None:
    month.post("/_faults", rate_limit={"per_second": 0.001, "burst": 1})
    try:
        assert month.client.v1.invoices.list({"limit": 1}).data
        with pytest.raises(stripe.RateLimitError) as refused:
            month.client.v1.invoices.list({"limit": 1})
        assert refused.value.error.code == "rate_limit"
    finally:
        month.post("/_faults", rate_limit=None)
    assert month.client.v1.invoices.list({"limit": 1}).data


@pytest.mark.parametrize(("fault", "performed"), [("cut_after", True), ("cut_before", False)])
def test_a_cut_connection_leaves_the_outcome_in_doubt_and_the_key_settles_it(month, fault: str, performed: bool) -> None:
    bill = month.unpaid("expired")
    card = _attach(month, bill["customer"], "pm_card_visa")
    month.post("/_faults", pay=fault, count=1)
    call = (bill["id"], {"payment_method": card}, {"idempotency_key": f"doubt-{fault}"})
    with pytest.raises(stripe.APIConnectionError):
        month.client.v1.invoices.pay(*call)
    status = month.client.v1.invoices.retrieve(bill["id"]).status
    assert (status == "paid") is performed
    assert month.client.v1.invoices.pay(*call).status == "paid"
    truth = month.get("/_truth")
    assert sum(a["invoice"] == bill["id"] and a["outcome"] == "succeeded" for a in truth["attempts"]) == 1


def test_a_500_after_performing_is_replayed_though_the_money_is_taken(month) -> None:
    bill = month.unpaid("expired")
    card = _attach(month, bill["customer"], "pm_card_visa")
    month.post("/_faults", pay="error_after", count=1)
    for _ in range(2):
        with pytest.raises(stripe.APIError) as refused:
            month.client.v1.invoices.pay(bill["id"], {"payment_method": card}, {"idempotency_key": "five hundred"})
        assert refused.value.http_status == 500
    assert month.client.v1.invoices.retrieve(bill["id"]).status == "paid"


def test_a_slow_pay_holds_its_key_and_its_invoice(month) -> None:
    bill = month.unpaid("expired")
    month.post("/_faults", pay="delay", count=1, seconds=1.0)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(_code_of_pay, month, bill["id"], "slow")
        while month.get("/_faults")["pay"]:
            threading.Event().wait(0.01)
        assert _code_of_pay(month, bill["id"], "slow") == (409, "idempotency_key_in_use")
        assert _code_of_pay(month, bill["id"], "fresh") == (429, "lock_timeout")
        assert slow.result()[0] == 402


def test_an_ordered_429_is_no_attempt(month) -> None:
    bill = month.unpaid("expired")
    month.post("/_faults", pay="rate_limit", count=1)
    assert _code_of_pay(month, bill["id"], "limited") == (429, "rate_limit")
    assert _code_of_pay(month, bill["id"], "limited")[0] == 402


def _code_of_pay(month, invoice: str, key: str) -> tuple[int | None, str | None]:
    with pytest.raises(stripe.StripeError) as refused:
        month.another_client().v1.invoices.pay(invoice, options={"idempotency_key": key})
    return refused.value.http_status, refused.value.error.code


def _attach(month, customer: str, test_card: str) -> str:
    return str(month.client.v1.payment_methods.attach(test_card, {"customer": customer}).id)


def test_switching_auto_advance_off_is_told_with_what_it_was(month) -> None:
    bill = month.unpaid()
    assert month.client.v1.invoices.update(bill["id"], {"auto_advance": False}).auto_advance is False
    told = month.client.v1.events.list({"type": "invoice.updated", "limit": 1}).data[0].to_dict()["data"]
    assert told["object"]["id"] == bill["id"]
    assert told["previous_attributes"]["auto_advance"] is True


def test_a_misspelt_parameter_of_pay_is_refused_before_anything_happens(month) -> None:
    bill = month.unpaid()
    with pytest.raises(stripe.InvalidRequestError) as refused:
        month.client.v1.invoices.pay(bill["id"], {"payment_methud": "pm_1"})
    assert refused.value.code == "parameter_unknown"
    assert month.client.v1.invoices.retrieve(bill["id"]).status == "open"

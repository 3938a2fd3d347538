"""The look for expiring cards through the official client, against the sandbox: every card that ends in time, and no other (F68)."""

from datetime import UTC, datetime, timedelta

from producers.scans.card_expiry_scan import CardExpiryScan
from recovery.contracts.encoding.codec import decode_fact


class Kept:
    def __init__(self) -> None:
        self.facts = []

    def send(self, topic, key, value) -> None:
        self.facts.append(decode_fact(value))

    def flush(self) -> None:
        pass


def ends_at(plan) -> datetime:
    return datetime.fromtimestamp(plan["items"]["data"][0]["current_period_end"], UTC)


def charged_soon(plan, now) -> bool:
    by_itself = plan["collection_method"] == "charge_automatically" and not plan["cancel_at_period_end"] and not plan["pause_collection"]
    return by_itself and now < ends_at(plan) <= now + timedelta(days=62)


def dies_first(plan) -> bool:
    method = plan["customer"]["invoice_settings"]["default_payment_method"]
    return bool(method) and (method["card"]["exp_year"], method["card"]["exp_month"]) < (ends_at(plan).year, ends_at(plan).month)


def test_every_card_that_ends_before_its_next_charge_is_told_once(month) -> None:
    expand = ["data.customer.invoice_settings.default_payment_method"]
    params = {"status": "active", "limit": 100, "expand": expand}
    plans = [plan.to_dict() for plan in month.client.v1.subscriptions.list(params).auto_paging_iter()]
    now = min(ends_at(plan) for plan in plans) - timedelta(days=1)
    expected = {plan["id"] for plan in plans if charged_soon(plan, now) and dies_first(plan)}
    assert expected
    kept = Kept()
    cards = CardExpiryScan(kept, lambda: now, lambda: now, month.info["api_base"])
    looked = cards.scan("acct_1", month.info["api_key"])
    assert (looked.subscriptions >= len(plans), looked.unread) == (True, 0)
    assert {fact.subscription for fact in kept.facts} == expected
    assert cards.scan("acct_1", month.info["api_key"]).facts == 0

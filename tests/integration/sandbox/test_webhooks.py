import json
from collections import Counter
from typing import Any

import pytest
import stripe

from .conftest import WANTED, until


def _register(one, receiver, version: str = "2026-09-30.endive") -> str:
    made = one.client.v1.webhook_endpoints.create({"url": receiver.url, "enabled_events": WANTED, "api_version": version})
    return str(made.secret)


def test_every_event_of_a_month_arrives_signed_and_some_twice(start_sandbox, receiver) -> None:
    one = start_sandbox("--customers", "300", "--speed", "432000")
    secret = _register(one, receiver)
    assert one.get("/_progress")["fraction"] == 0.0
    one.post("/_start")
    until(lambda: one.get("/_clock")["caught_up"], "the month is over", 60)
    until(lambda: one.get("/_truth/summary")["deliveries"]["pending"] == 0, "nothing under way")
    truth = one.get("/_truth")
    arrived = Counter(event["id"] for event in receiver.events())
    assert {event["id"]: event["accepted"] for event in truth["events"]} == dict(arrived)
    assert truth["business_reached_end"] is True
    assert 0.005 < sum(count > 1 for count in arrived.values()) / len(arrived) < 0.05
    assert 4 * 300 < len(arrived) < 8 * 300
    for headers, body in receiver.got:
        assert stripe.WebhookSignature.verify_header(body.decode(), headers["Stripe-Signature"], secret, 300)
    overtaken = _late(receiver.events(), behind=0.2 * 432_000)
    assert 0.008 < overtaken / len(arrived) < 0.10
    twin = one.get("/_truth/baseline")
    assert twin["failures"] == one.get("/_truth/summary")["counts"]["failures"]


def test_an_outage_of_the_receiver_holds_business_time_and_loses_nothing(start_sandbox, receiver) -> None:
    one = start_sandbox("--customers", "300", "--speed", "86400")
    _register(one, receiver)
    receiver.status = 500
    one.post("/_start")
    until(lambda: one.get("/_clock")["holds"].get("delivery"), "the clock is held")
    held_at = one.get("/_clock")["now"]
    until(lambda: max(event["attempts"] for event in one.get("/_truth")["events"]) >= 3, "three attempts")
    assert one.get("/_clock")["now"] == held_at
    assert one.get("/_truth")["deliveries"]["oldest_wait_s"] > 0.5
    first = receiver.events()[0]["id"]

    def signed_anew() -> bool:  # a signature's time has whole seconds
        return len({h["Stripe-Signature"] for h, body in list(receiver.got) if json.loads(body)["id"] == first}) > 1

    until(signed_anew, "a redelivery with a signature of its own")
    receiver.status = 200
    until(lambda: not one.get("/_clock")["held"], "the clock runs again")
    until(lambda: all(event["accepted"] for event in one.get("/_truth")["events"] if event["created"] <= held_at), "all")


def test_an_acacia_and_an_endive_endpoint_get_their_own_shapes_of_one_event(start_sandbox, receiver) -> None:
    one = start_sandbox("--customers", "300", "--speed", "86400")
    _register(one, receiver)
    _register(one, receiver, "2025-02-24.acacia")
    one.post("/_start")

    def both() -> list[dict]:
        paid = [event for event in receiver.events() if event["type"] == "invoice.paid"]
        versions = Counter(event["id"] for event in paid)
        return [event for event in paid if versions[event["id"]] == 2 and event["api_version"].endswith("acacia")]

    old = until(both, "one event in two versions")[0]
    new = next(e for e in receiver.events() if e["id"] == old["id"] and e["api_version"].endswith("endive"))
    assert old["data"]["object"]["paid"] is True
    assert "paid" not in new["data"]["object"]
    assert old["data"]["object"]["id"] == new["data"]["object"]["id"]


def test_our_own_pay_comes_back_with_our_key(month, receiver) -> None:
    _register(month, receiver)
    bill = month.unpaid("expired")
    with pytest.raises(stripe.CardError):
        month.client.v1.invoices.pay(bill["id"], options={"idempotency_key": "echo-1"})
    echoed = until(lambda: [e for e in receiver.events() if e["type"] == "invoice.payment_failed"], "the echo of our attempt")
    assert echoed[0]["request"]["idempotency_key"] == "echo-1"
    assert echoed[0]["data"]["object"]["id"] == bill["id"]
    assert echoed[0]["data"]["object"]["attempt_count"] == 1


def _late(events: list[dict[str, Any]], behind: float) -> int:
    """How many first deliveries came after an event that is more than `behind` seconds younger."""
    seen: set[str] = set()
    newest, late = 0.0, 0
    for event in events:
        if event["id"] not in seen:
            late += event["created"] < newest - behind
            newest = max(newest, event["created"])
            seen.add(event["id"])
    return late


def test_a_stepped_month_delivers_what_is_due_at_each_step_and_one_customers_webhooks_in_the_same_order(start_sandbox, receiver) -> None:
    """Nothing leaves between two steps, late ones are late in business time, and two months of one seed arrive alike."""
    heard = []
    for _ in range(2):
        receiver.got.clear()
        one = start_sandbox("--customers", "100", "--stepped", "--start", "1772409600", "--days", "8")
        _register(one, receiver)
        assert one.get("/_clock")["stepped"]
        one.post("/_start")
        for hour in range(0, 8 * 24, 6):
            now = one.post("/_clock/step", to=1_772_409_600 + hour * 3600)["now"]
            assert one.get("/_clock")["now"] == now == 1_772_409_600 + hour * 3600
            before = len(receiver.got)
            assert one.post("/_clock/deliver") == {"opened": 0, "begun": len(receiver.got) - before, "left": 0}
        mine: dict[str, list[str]] = {}
        for event in receiver.events():
            mine.setdefault(str(event["data"]["object"].get("customer")), []).append(event["id"])
        heard.append(mine)
    assert heard[0] == heard[1]
    assert len(heard[0]) > 30


def test_a_held_clock_takes_no_step_and_a_running_one_none_at_all(start_sandbox, receiver) -> None:
    one = start_sandbox("--customers", "50", "--stepped", "--days", "8")
    before = one.get("/_clock")["now"]
    assert one.refused("/_clock/step", to=before + 1_800) == 409
    one.post("/_start")
    one.post("/_clock/hold", reason="verify")
    assert one.refused("/_clock/step", to=before + 1_800) == 409
    one.post("/_clock/release", reason="verify")
    assert one.post("/_clock/step", to=before + 1_800)["now"] == before + 1_800
    one.post("/_clock/run-on")
    assert one.refused("/_clock/step", to=before + 3_600) == 409
    until(lambda: one.get("/_clock")["now"] > before + 1_800, "time to pass as the wall's does")

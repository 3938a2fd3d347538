import json

import pytest
import stripe

from sandbox.api.errors import Refusal
from sandbox.simulation.events import EMITTED
from sandbox.simulation.records import Invoice, Request
from sandbox.simulation.world import World
from sandbox.webhooks import signature


def _failed_event(world: World, bill: Invoice):
    return next(event for event in world.announce.events.values() if event.type == "invoice.payment_failed" and event.invoice == bill.id)


def test_todays_invoice_names_its_parent_and_neither_intent_nor_charge(failed: tuple[World, Invoice]) -> None:
    world, bill = failed
    event = json.loads(_failed_event(world, bill).body("2026-09-30.endive"))
    shown = event["data"]["object"]
    assert shown["parent"]["subscription_details"]["subscription"] == bill.subscription
    assert not {"payment_intent", "charge", "subscription", "paid", "payments"} & shown.keys()
    assert event["api_version"] == "2026-09-30.endive"
    assert event["request"] == {"id": None, "idempotency_key": None}


def test_an_acacia_endpoint_gets_the_old_fields_and_no_parent(failed: tuple[World, Invoice]) -> None:
    world, bill = failed
    shown = json.loads(_failed_event(world, bill).body("2025-02-24.acacia"))["data"]["object"]
    assert shown["payment_intent"] == bill.payment_intent
    assert shown["charge"] == bill.charges[0].id
    assert shown["subscription"] == bill.subscription
    assert shown["paid"] is False
    assert "parent" not in shown


def test_the_account_is_named_on_connect_endpoints_only(failed: tuple[World, Invoice]) -> None:
    event = _failed_event(*failed)
    assert "account" not in json.loads(event.body("2026-09-30.endive"))
    assert json.loads(event.body("2026-09-30.endive", "acct_1"))["account"] == "acct_1"


def test_the_signature_satisfies_the_official_package(failed: tuple[World, Invoice]) -> None:
    body = _failed_event(*failed).body("2026-09-30.endive")
    header = signature("whsec_abc", 1_793_000_000.7, body)
    assert stripe.WebhookSignature.verify_header(body.decode(), header, "whsec_abc")


def test_a_month_tells_only_declared_event_types_under_unique_ids_in_order(world_of) -> None:
    world = world_of(customers=400)
    events = world.advance(world.month_end)
    assert {event.type for event in events} <= EMITTED
    assert len({event.id for event in events}) == len(events)
    assert [event.created for event in events] == sorted(event.created for event in events)


def test_mastercard_alone_carries_advice_codes_of_the_network(world_of) -> None:
    world = world_of(customers=1500)
    world.advance(world.month_end)
    declined = [charge for charge in world.books.charges.values() if charge.decline]
    brands = {charge.card.brand for charge in declined if charge.decline and charge.decline.network_advice_code}
    assert brands == {"mastercard"}


def test_a_payment_waiting_for_its_customer_is_no_failed_charge(world_of) -> None:
    world = world_of(customers=1500)
    world.advance(world.month_end)
    waiting = next(c for c in world.books.charges.values() if c.outcome == "requires_action")
    kinds = {event.type for event in world.announce.events.values() if event.invoice == waiting.invoice}
    assert {"invoice.payment_failed", "invoice.payment_action_required"} <= kinds
    assert "charge.failed" not in kinds
    with pytest.raises(Refusal) as refused:
        world.pay(waiting.invoice, world.now, Request("r", "k"))
    assert refused.value.status == 402
    assert refused.value.error["code"] == "invoice_payment_intent_requires_action"

"""Which events an endpoint subscribes to: one list, which the page for operators and the demonstration follow."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dunlin.demo.world import SUBSCRIBED
from producers.gateway import stripe_webhook
from producers.providers.stripe import DEAUTHORIZED, EVENT_TYPES, WITHOUT_MEANING
from recovery.contracts.facts import WebhookIgnored, WebhookParked
from sandbox.simulation.events import EMITTED
from tests.unit.producers.stripe_objects import dumped

PAGE = Path(__file__).parents[3] / "docs" / "operations.md"
WALL = datetime(2026, 12, 1, tzinfo=UTC)


class Accounts:
    def accounts(self) -> list[str]:
        return ["acct_1"]

    def secrets(self, _account: str) -> tuple[str, ...]:
        return ("whsec_of_a_test_account_only",)

    def livemode(self, _account: str) -> bool:
        return False


def fact_of(event: dict) -> object:
    body = dumped(event)
    return stripe_webhook.messages_of(Accounts(), "acct_1", ["acct_1"], stripe_webhook.read(body), body, WALL)[0]


def test_the_operators_page_names_every_event_and_no_other() -> None:
    text = PAGE.read_text()
    section = text[text.index("and these events:") : text.index("Choose snapshot payloads")]
    named = set(re.findall(r"[a-z_]+(?:\.[a-z_]+)+", section))
    assert named == {*EVENT_TYPES, DEAUTHORIZED}


def test_the_demonstration_subscribes_to_every_event_that_has_a_meaning() -> None:
    assert set(SUBSCRIBED) == {*EVENT_TYPES, DEAUTHORIZED}
    assert set(SUBSCRIBED) >= EMITTED
    assert not set(EVENT_TYPES) & set(WITHOUT_MEANING)


@pytest.mark.parametrize("kind", [*EVENT_TYPES, DEAUTHORIZED])
def test_a_thin_event_of_a_type_with_a_meaning_is_parked_and_never_passed_over(kind: str) -> None:
    """An event destination may be set to events without an object."""
    thin = {
        "id": "evt_thin",
        "object": "v2.core.event",
        "type": f"v1.{kind}",
        "created": "2026-12-01T09:00:00.000Z",
        "related_object": {"id": "in_1", "type": "invoice", "url": "/v1/invoices/in_1"},
    }
    for livemode in ({}, {"livemode": False}):
        fact = fact_of(thin | livemode)
        assert isinstance(fact, WebhookParked)
        assert "snapshot" in fact.why


def test_a_thin_event_without_a_meaning_is_ignored_as_ever() -> None:
    thin = {"id": "evt_thin", "object": "v2.core.event", "type": "v1.billing.meter.no_meter_found", "livemode": False}
    assert isinstance(fact_of(thin), WebhookIgnored)

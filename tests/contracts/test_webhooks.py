"""What receivers are promised: the schema is fresh, every type has an example that fits it, and the page names them all."""

import json
from pathlib import Path

import jsonschema
import msgspec
import pytest

from recovery.contracts.events import Event
from recovery.notification_policy import DEFAULT_WEBHOOK_TYPES, WEBHOOK_TYPES
from sinks.effects.webhooks.payload import TEST_TYPE, WebhookPayload, encoded, payload_of
from sinks.effects.webhooks.schema import WHEN, document, example

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "webhooks.md").read_text()
KINDS = [*sorted(WEBHOOK_TYPES), TEST_TYPE]


def test_the_schema_is_fresh() -> None:
    """`python -m sinks.effects.webhooks.schema > docs/webhooks.json` renews it."""
    assert (DOCS / "webhooks.json").read_text() == document()


@pytest.mark.parametrize("kind", KINDS)
def test_every_type_is_on_the_page_with_an_example_that_fits_the_schema(kind: str) -> None:
    row = next(line for line in PAGE.splitlines() if line.startswith("|") and f"`{kind}`" in line)
    assert row.endswith("| yes |") == (kind in DEFAULT_WEBHOOK_TYPES)
    jsonschema.validate(json.loads(encoded(example(kind))), json.loads(document()))


def test_a_type_that_is_none_does_not_fit() -> None:
    wrong = json.loads(encoded(example("payment_failed"))) | {"type": "fact_had_no_effect"}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, json.loads(document()))


def test_the_example_on_the_page_is_what_is_sent() -> None:
    text = PAGE.split("```json\n")[1].split("```")[0]
    assert json.loads(text) == json.loads(encoded(example("payment_recovered")))


def test_every_field_of_an_event_that_concerns_a_merchant_is_told() -> None:
    housekeeping = {"version", "received_at", "cause_type", "trace", "policy_version", "effect", "details", "event_type"}
    renamed = {"recovered_by": "cause", "retry_count": "attempts"}
    fields = {renamed.get(name, name) for name in Event.__struct_fields__} - housekeeping
    assert fields | {"type", "contract", "test"} == set(WebhookPayload.__struct_fields__)


def test_what_is_told_is_what_happened() -> None:
    event = Event(
        id="0-1-2",
        event_type="partial_payment",
        account="acct_1",
        customer="cus_1",
        invoice="in_1",
        subscription="sub_1",
        sequence=7,
        occurred_at=WHEN,
        received_at=WHEN,
        reason="a",
        status="b",
        next_action="c",
        next_action_at=WHEN,
        retry_count=2,
        dunning_step=3,
        amount_minor=4,
        recovered_minor=5,
        currency="kwd",
        decline_kind="soft",
        decline_code="d",
        result="e",
        recovered_by="f",
        cause="the fact that it follows from, which is ours alone",
    )
    sent = msgspec.structs.asdict(payload_of(event, False))
    for name, value in {"recovered_by": "f", "retry_count": 2, "event_type": "partial_payment"}.items():
        assert sent[{"recovered_by": "cause", "retry_count": "attempts", "event_type": "type"}[name]] == value
    assert {name: sent[name] for name in ("reason", "status", "next_action", "result", "decline_code")} == {
        "reason": "a",
        "status": "b",
        "next_action": "c",
        "result": "e",
        "decline_code": "d",
    }
    assert (sent["sequence"], sent["dunning_step"], sent["amount_minor"], sent["recovered_minor"]) == (7, 3, 4, 5)

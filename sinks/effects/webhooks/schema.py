"""The receiver's contract as JSON Schema with an example of every type: `python -m sinks.effects.webhooks.schema > docs/webhooks.json`."""

import inspect
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from recovery.notification_policy import WEBHOOK_TYPES
from sinks.effects.webhooks.payload import TEST_TYPE, WebhookPayload

WHEN = datetime(2026, 11, 3, 9, 30, tzinfo=UTC)
FAILED: dict[str, Any] = {"status": "retrying", "decline_kind": "soft", "decline_code": "insufficient_funds"}
NEXT: dict[str, Any] = {"next_action": "retry", "next_action_at": WHEN + timedelta(hours=24)}
EXAMPLES: dict[str, dict[str, Any]] = {
    "payment_failed": FAILED | {"reason": "answer_awaited"},
    "decline_classified": FAILED | NEXT | {"reason": "soft_decline"},
    "attempt_failed_again": FAILED | NEXT,
    "retry_scheduled": FAILED | NEXT | {"reason": "ladder"},
    "retry_attempted": FAILED | NEXT | {"result": "declined", "attempts": 1},
    "retry_skipped": FAILED | NEXT | {"reason": "stripe_attempt_near"},
    "retry_recommended": FAILED | {"reason": "observe"},
    "dunning_scheduled": FAILED | {"status": "dunning", "next_action": "dunning", "next_action_at": WHEN + timedelta(days=3)},
    "dunning_sent": FAILED | {"status": "dunning", "dunning_step": 1, "result": "sent"},
    "dunning_skipped": FAILED | {"status": "dunning", "dunning_step": 1, "reason": "no_contact"},
    "transactional_mail_sent": {"status": "recovered", "result": "sent"},
    "partial_payment": FAILED | {"recovered_minor": 2000, "cause": "customer"},
    "payment_recovered": {"status": "recovered", "recovered_minor": 4900, "cause": "our_retry", "attempts": 2},
    "case_abandoned": FAILED | {"status": "abandoned", "reason": "ladder_spent", "dunning_step": 3},
    "case_blocked": FAILED | {"status": "blocked", "decline_kind": "fraud", "decline_code": "fraudulent"},
    "case_closed": FAILED | {"status": "closed", "reason": "voided"},
    "recovery_reversed": {"status": "recovered", "recovered_minor": 4900, "cause": "our_retry", "reason": "refund", "result": "refund"},
    "end_action_performed": FAILED | {"status": "abandoned", "reason": "cancel", "result": "done"},
    "end_action_skipped": FAILED | {"status": "abandoned", "reason": "already_paid", "result": "not_done"},
    "command_accepted": FAILED | {"reason": "retry"},
    "contact_changed": {"invoice": "", "subscription": "", "sequence": 0, "amount_minor": 0, "currency": "", "reason": "bounced"},
    TEST_TYPE: {
        "customer": "",
        "invoice": "",
        "subscription": "",
        "sequence": 0,
        "amount_minor": 0,
        "currency": "",
        "id": "msg_5f3c",
        "test": True,
    },
}
"""What is said by each type besides whose and how much; the values are imagined."""


def example(kind: str) -> WebhookPayload:
    """An example of an event type. Raises KeyError for one without."""
    usual: dict[str, Any] = {
        "id": "3-48151-0",
        "account": "acct_1Northwind",
        "customer": "cus_P7",
        "invoice": "in_1Q2",
        "subscription": "sub_9",
        "sequence": 4,
        "amount_minor": 4900,
        "currency": "eur",
        "occurred_at": WHEN,
    }
    return WebhookPayload(**(usual | {"type": kind} | EXAMPLES[kind]))


def document() -> str:
    """The schema of the body, as indented JSON; the event types are those that an endpoint may ask for, and the test."""
    schema = msgspec.json.schema(WebhookPayload)
    payload = schema["$defs"]["WebhookPayload"]
    kinds = [*sorted(WEBHOOK_TYPES), TEST_TYPE]
    payload["properties"]["type"]["enum"] = kinds
    payload["title"] = "Recovery event"
    payload["description"] = inspect.cleandoc(payload["description"])
    payload["examples"] = [msgspec.to_builtins(example(kind)) for kind in kinds]
    whole = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
    return msgspec.json.format(msgspec.json.encode(whole), indent=2).decode() + "\n"


if __name__ == "__main__":
    print(document(), end="")

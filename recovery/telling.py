"""What a merchant may be told, and by which way: alerts by e-mail and in Slack, events for endpoints of their own."""

import re

import msgspec

ENDPOINT_NAME = re.compile(r"[a-z0-9-]{1,40}")
"""The name of a merchant's endpoint; it becomes part of the ids of its deliveries."""

DEFAULT_WEBHOOK_TYPES: frozenset[str] = frozenset(
    {
        "payment_failed",
        "retry_attempted",
        "retry_recommended",
        "dunning_sent",
        "partial_payment",
        "payment_recovered",
        "case_abandoned",
        "case_blocked",
        "case_closed",
        "recovery_reversed",
    }
)
"""The event types that an endpoint is told which names none (F25)."""

WEBHOOK_TYPES: frozenset[str] = DEFAULT_WEBHOOK_TYPES | {
    "failure_repeated",
    "decline_classified",
    "retry_scheduled",
    "retry_skipped",
    "dunning_scheduled",
    "dunning_skipped",
    "notice_sent",
    "end_performed",
    "end_skipped",
    "command_taken",
    "contact_changed",
}
"""The event types that an endpoint may ask for: what happened in a case, and nothing of our own housekeeping."""


class Told(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the merchant is told by one medium. `enabled` follows from the account's address for it; `attention` is what needs somebody:
    suspected fraud, no or no good address of a customer, an endpoint that does not answer (B24, B53, B55)."""

    enabled: bool = False
    failed: bool = True
    recovered: bool = True
    abandoned: bool = True
    attention: bool = True


class AlertPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the merchant hears of failures and recoveries: by e-mail (F24) and in Slack (F23)."""

    email: Told = Told()
    slack: Told = Told()


def endpoint_problems(webhooks: dict[str, tuple[str, ...]]) -> list[str]:
    """What is wrong with the names of endpoints and the event types that they ask for, in sentences."""
    found = [
        f"webhooks.{name}: an endpoint's name has 1 to 40 characters of a-z, 0-9 and the hyphen."
        for name in webhooks
        if not ENDPOINT_NAME.fullmatch(name)
    ]
    for name, types in webhooks.items():
        found += [
            f"webhooks.{name} asks for the event {kind!r}; choose from {', '.join(sorted(WEBHOOK_TYPES))}."
            for kind in types
            if kind not in WEBHOOK_TYPES
        ]
    return found

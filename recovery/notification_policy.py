"""The merchant's settings of notifications, by channel: alerts by e-mail and in Slack, events for the merchant's own endpoints."""

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
"""The event types that an endpoint receives if it names no types of its own."""

WEBHOOK_TYPES: frozenset[str] = DEFAULT_WEBHOOK_TYPES | {
    "attempt_failed_again",
    "decline_classified",
    "retry_scheduled",
    "retry_skipped",
    "dunning_scheduled",
    "dunning_skipped",
    "transactional_mail_sent",
    "end_action_performed",
    "end_action_skipped",
    "command_accepted",
    "contact_changed",
}
"""The event types that an endpoint may ask for: what happened in a case, and nothing of our own housekeeping."""


class ChannelSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The settings of one channel. `enabled` follows from the account's address for it. `attention` selects what needs a person: suspected
    fraud, no usable address of a customer, an endpoint that does not answer (B24, B53, B55)."""

    enabled: bool = False
    failed: bool = True
    recovered: bool = True
    abandoned: bool = True
    attention: bool = True


class AlertPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The channels by which the merchant is notified of failures and recoveries: e-mail and Slack."""

    email: ChannelSettings = ChannelSettings()
    slack: ChannelSettings = ChannelSettings()


def endpoint_problems(webhooks: dict[str, tuple[str, ...]]) -> list[str]:
    """What is wrong with the names of endpoints and the event types that they ask for, in sentences."""
    found = [
        f"webhooks.{name}: an endpoint's name has 1 to 40 characters of a-z, 0-9 and the hyphen."
        for name in webhooks
        if not ENDPOINT_NAME.fullmatch(name)
    ]
    for name, types in webhooks.items():
        found += [
            f"webhooks.{name} names the event {kind!r}; choose from {', '.join(sorted(WEBHOOK_TYPES))}."
            for kind in types
            if kind not in WEBHOOK_TYPES
        ]
    return found

"""Selects the events of a transition that the merchant is notified of: alerts by e-mail and in Slack, webhooks to the merchant's endpoints.

The effects carry the events themselves, whose ids are assigned when the transition is written: notifications hold what ClickHouse holds.
"""

from datetime import timedelta
from typing import Literal

from recovery.contracts.effects import AlertRequested, WebhookRequested
from recovery.contracts.events import Event
from recovery.decide.transition import Transition
from recovery.notification_policy import DEFAULT_WEBHOOK_TYPES, WEBHOOK_TYPES, ChannelSettings

ALERT_VALID = timedelta(hours=24)
"""How long an alert is useful."""
WEBHOOK_VALID = timedelta(days=3)
"""How long the delivery of an event is tried."""
BAD_ADDRESS: frozenset[str] = frozenset({"bounced", "first_contact_bounced", "complained"})
"""Changes of a contact that the merchant should know of (B53)."""


def request_notifications(turn: Transition) -> None:
    """Ask for the alerts and webhooks that the turn's events call for; nothing for an account that wants none."""
    alerts, endpoints = turn.policy.alerts, turn.policy.webhooks
    if not (alerts.email.enabled or alerts.slack.enabled or endpoints):
        return
    for number, event in enumerate(turn.events):
        if _is_selected(alerts.email, event):
            _alert(turn, event, number, "email")
        if _is_selected(alerts.slack, event):
            _alert(turn, event, number, "slack")
        if event.event_type in WEBHOOK_TYPES:
            for endpoint, types in endpoints.items():
                if event.event_type in (types or DEFAULT_WEBHOOK_TYPES):
                    _deliver(turn, event, number, endpoint)


def _alert(turn: Transition, event: Event, number: int, medium: Literal["email", "slack"]) -> None:
    header = turn.notification_header(event, "alert" if medium == "email" else "slack", number)
    turn.effects.append(AlertRequested(**header, not_after=turn.now + ALERT_VALID, only_if="always", medium=medium, event=event))


def _deliver(turn: Transition, event: Event, number: int, endpoint: str) -> None:
    header = turn.notification_header(event, f"webhook-{endpoint}", number)
    turn.effects.append(WebhookRequested(**header, not_after=turn.now + WEBHOOK_VALID, only_if="always", endpoint=endpoint, event=event))


def _is_selected(channel: ChannelSettings, event: Event) -> bool:
    if not channel.enabled:
        return False
    what = event.event_type
    if what == "payment_failed":
        return channel.failed
    if what == "payment_recovered":
        return channel.recovered
    if what == "case_abandoned":
        return channel.abandoned
    return channel.attention and needs_attention(event)


def needs_attention(event: Event) -> bool:
    """Whether the merchant should act: suspected fraud (B24), a customer who cannot be reached (B53, B55), a dead endpoint."""
    match event.event_type:
        case "endpoint_disabled":
            return True
        case "contact_changed":
            return event.reason in BAD_ADDRESS
        case "case_blocked":
            return event.decline_kind == "fraud"
        case "dunning_skipped":
            return event.reason == "no_contact"
        case _:
            return False

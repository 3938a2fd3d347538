"""Outcomes of merchant notifications. They are recorded as events and never change a case."""

from recovery.contracts.facts import AlertSettled, EndpointDisabled, WebhookSettled
from recovery.decide.transition import Transition


def alert(turn: Transition, fact: AlertSettled) -> None:
    """An alert was sent, or not."""
    details = {"medium": fact.medium, "event": fact.event_type} | ({"message": fact.message} if fact.message else {})
    if fact.result == "sent":
        turn.record_unscoped("alert_sent", effect=fact.effect, result=fact.result, details=details)
    else:
        turn.record_unscoped("alert_skipped", fact.why or fact.result, effect=fact.effect, result=fact.result, details=details)


def webhook(turn: Transition, fact: WebhookSettled) -> None:
    """An event reached the merchant's endpoint, or did not."""
    details = {"endpoint": fact.endpoint, "event": fact.event, "event_type": fact.event_type, "tries": str(fact.tries)}
    if fact.status:
        details["status"] = str(fact.status)
    if fact.result == "delivered":
        turn.record_unscoped("webhook_delivered", effect=fact.effect, result=fact.result, details=details)
    else:
        turn.record_unscoped("webhook_delivery_failed", fact.why or fact.result, effect=fact.effect, result=fact.result, details=details)


def endpoint_disabled(turn: Transition, fact: EndpointDisabled) -> None:
    """Nothing goes to an endpoint any more; the merchant is alerted, if alerts are wanted."""
    turn.record_unscoped("endpoint_disabled", "endpoint_fails", details={"endpoint": fact.endpoint, "why": fact.why})

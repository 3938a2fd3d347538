"""What became of what the merchant was to be told. It is recorded and changes no case."""

from recovery.contracts.facts import AlertSettled, EndpointDisabled, WebhookSettled
from recovery.decide.turn import Turn


def alert(turn: Turn, fact: AlertSettled) -> None:
    """An alert was sent, or not."""
    details = {"medium": fact.medium, "event": fact.event_type} | ({"message": fact.message} if fact.message else {})
    if fact.result == "sent":
        turn.tell_row("alert_sent", effect=fact.effect, result=fact.result, details=details)
    else:
        turn.tell_row("alert_skipped", fact.why or fact.result, effect=fact.effect, result=fact.result, details=details)


def webhook(turn: Turn, fact: WebhookSettled) -> None:
    """An event reached the merchant's endpoint, or did not."""
    details = {"endpoint": fact.endpoint, "event": fact.event, "event_type": fact.event_type, "tries": str(fact.tries)}
    if fact.status:
        details["status"] = str(fact.status)
    if fact.result == "delivered":
        turn.tell_row("webhook_delivered", effect=fact.effect, result=fact.result, details=details)
    else:
        turn.tell_row("webhook_undelivered", fact.why or fact.result, effect=fact.effect, result=fact.result, details=details)


def endpoint_disabled(turn: Turn, fact: EndpointDisabled) -> None:
    """Nothing goes to an endpoint any more; the merchant is alerted, if alerts are wanted."""
    turn.tell_row("endpoint_disabled", "endpoint_fails", details={"endpoint": fact.endpoint, "why": fact.why})

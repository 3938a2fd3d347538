"""What concerns a customer and a subscription rather than one invoice: cancelling, leaving, another default payment method."""

from collections.abc import Iterator

from recovery.contracts.customer import Case
from recovery.contracts.facts import Card, CustomerChanged, CustomerDeleted, SubscriptionChanged, SubscriptionEnded
from recovery.decide import expiry, methods, suppression
from recovery.decide.commands import EXCLUDED, STOPPED
from recovery.decide.endings import close
from recovery.decide.reading import ENDED_STATUS, suspend
from recovery.decide.turn import Turn


def _open_cases(turn: Turn, subscription: str = "") -> Iterator[Case]:
    return (case for case in list(turn.row.cases.values()) if case.active and subscription in {"", case.subscription})


def subscription_ended(turn: Turn, fact: SubscriptionEnded) -> None:
    """The subscription is cancelled: retries and mails of all its invoices stop at once (B67)."""
    expiry.ended(turn, fact.subscription, "cancelled")
    for case in _open_cases(turn, fact.subscription):
        close(turn, case, "cancelled", fact.why)
    _end_for_good(turn, "cancelled", fact.subscription)


def subscription_changed(turn: Turn, fact: SubscriptionChanged) -> None:
    """Cancelled now or at the period's end (B68), paused, or going on (B69); or charged on another method from now on (B36)."""
    reason = ENDED_STATUS.get(fact.status, "cancelled" if fact.cancel_at_period_end else "")
    if reason:
        expiry.ended(turn, fact.subscription, reason)
    for case in _open_cases(turn, fact.subscription):
        if reason:
            close(turn, case, reason, "at_period_end" if fact.cancel_at_period_end else fact.status)
            continue
        if fact.own_method_changed:
            methods.of_subscription(turn, case, fact)
        if fact.paused and case.suspended_at is None:
            suspend(turn, case, fact.pause_behavior)
        elif not fact.paused and case.suspended_at is not None:
            case.read_at = turn.now  # the look tells whether it really goes on
            turn.tell("case_updated", case, "subscription_resumed")


def _end_for_good(turn: Turn, reason: str, subscription: str = "") -> None:
    """A case that a person stopped cannot be resumed any more: there is nobody left to ask (B67)."""
    for case in turn.row.cases.values():
        if case.status == "closed" and case.reason in {STOPPED, EXCLUDED} and subscription in {"", case.subscription}:
            case.reason = reason
            turn.tell("case_updated", case, reason)


def customer_deleted(turn: Turn, _fact: CustomerDeleted) -> None:
    """The customer is gone: no more contact (B10)."""
    expiry.renewed(turn, "customer_deleted")
    for case in _open_cases(turn):
        close(turn, case, "customer_deleted")
    _end_for_good(turn, "customer_deleted")


def customer_changed(turn: Turn, fact: CustomerChanged) -> None:
    """A new default method is worth a try where it would be charged; which card it is, the charge will tell (B36)."""
    if fact.email_changed:
        suppression.lift(turn, "email", "address_changed", {}, only="bounced")
    if fact.default_method_changed:
        expiry.renewed(turn, "method_changed")
        for case in _open_cases(turn):
            methods.try_anew(turn, case, Card(method=fact.default_method), "attached")

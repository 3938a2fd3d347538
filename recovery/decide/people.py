"""What concerns a customer and a subscription rather than one invoice: cancelling, leaving, a new payment method."""

from collections.abc import Iterator

from recovery.contracts.customer import Case
from recovery.contracts.facts import Card, CustomerChanged, CustomerDeleted, MethodChanged, SubscriptionChanged, SubscriptionEnded
from recovery.decide import expiry, suppression
from recovery.decide.commands import EXCLUDED, STOPPED
from recovery.decide.endings import close
from recovery.decide.reading import ENDED_STATUS, suspend
from recovery.decide.retrying import schedule
from recovery.decide.schedule import most_retries
from recovery.decide.turn import Turn


def _open_cases(turn: Turn, subscription: str = "") -> Iterator[Case]:
    return (case for case in list(turn.row.cases.values()) if case.active and subscription in {"", case.subscription})


def subscription_ended(turn: Turn, fact: SubscriptionEnded) -> None:
    """The subscription is cancelled: retries and mails of all its invoices stop at once (B67)."""
    for case in _open_cases(turn, fact.subscription):
        close(turn, case, "cancelled", fact.why)
    _end_for_good(turn, "cancelled", fact.subscription)


def subscription_changed(turn: Turn, fact: SubscriptionChanged) -> None:
    """Cancelled now or at the period's end (B68), paused, or going on (B69)."""
    reason = ENDED_STATUS.get(fact.status, "cancelled" if fact.cancel_at_period_end else "")
    for case in _open_cases(turn, fact.subscription):
        if reason:
            close(turn, case, reason, "at_period_end" if fact.cancel_at_period_end else fact.status)
        elif fact.paused and case.suspended_at is None:
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
    """A new default method is worth a try; which card it is, the charge will tell (B36)."""
    if fact.email_changed:
        suppression.lift(turn, "email", "address_changed", {}, only="bounced")
    if fact.default_method_changed:
        expiry.renewed(turn, "method_changed")
        for case in _open_cases(turn):
            _try_anew(turn, case, None, "attached")


def method_changed(turn: Turn, fact: MethodChanged) -> None:
    """A new or renewed card: one retry at once for every open invoice; mails go on unless it pays (B35, B38)."""
    card = fact.card
    expiry.renewed(turn, "method_changed")
    if fact.how == "automatically_updated" and card.fingerprint in turn.row.barred:
        turn.row.barred = [barred for barred in turn.row.barred if barred != card.fingerprint]
    for case in _open_cases(turn):
        _try_anew(turn, case, card, fact.how)


def _try_anew(turn: Turn, case: Case, card: Card | None, how: str) -> None:
    if turn.fact.occurred_at < case.last_failed_at:
        turn.note = "method_older_than_failure"
        return
    case.method = "automatically_updated" if how == "automatically_updated" else "attached"
    busy = case.flight is not None and case.flight.kind == "charge"
    if case.verdict is None or busy or case.processing_since is not None:
        turn.tell("case_updated", case, "method_changed")
        return
    case.card, was = card, case.fresh_method
    case.fresh_method = True
    if not turn.policy.retry.enabled or case.position >= most_retries(case, turn.policy):
        case.fresh_method = was
        turn.tell("case_updated", case, "method_changed")
        return
    turn.tell("case_updated", case, "method_changed")
    schedule(turn, case, turn.now, "new_method")

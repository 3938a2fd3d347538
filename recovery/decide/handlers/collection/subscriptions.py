"""Handlers of a subscription that is cancelled, kept after all, paused or resumed, in any order (B3, B67 to B69)."""

from collections.abc import Iterator

from recovery.contracts.customer import Case
from recovery.contracts.facts import SubscriptionChanged, SubscriptionEnded
from recovery.decide.handlers.collection import payment_methods, reopening
from recovery.decide.handlers.collection.case_closing import close, lose
from recovery.decide.handlers.collection.invoice_reads import ENDED_STATUS, LOST, ended_reason, read_instead, suspend
from recovery.decide.handlers.commands import EXCLUDED, STOPPED
from recovery.decide.handlers.messages import card_expiry
from recovery.decide.rules.event_order import older, unclear
from recovery.decide.transition import Transition


def open_cases(turn: Transition, subscription: str = "") -> Iterator[Case]:
    """The open cases of a subscription, or of the customer."""
    return (case for case in list(turn.row.cases.values()) if case.active and subscription in {"", case.subscription})


def ended(turn: Transition, fact: SubscriptionEnded) -> None:
    """The subscription is cancelled: retries and mails of all its invoices stop at once (B67)."""
    card_expiry.ended(turn, fact.subscription, "cancelled")
    for case in open_cases(turn, fact.subscription):
        if older(fact.occurred_at, case.last_failed_at):
            read_instead(turn, case)
        else:
            case.subscription_at = fact.occurred_at
            end(turn, case, ended_reason("canceled", fact.why), fact.why)
    close_for_good(turn, "cancelled", fact.subscription)


def end(turn: Transition, case: Case, reason: str, why: str) -> None:
    """End a case with its subscription: Stripe's cancellation for non-payment is a loss, the customer's own is not (B67)."""
    if reason == LOST:
        lose(turn, case, reason, why)
    else:
        close(turn, case, reason, why)


def changed(turn: Transition, fact: SubscriptionChanged) -> None:
    """Cancelled now or at the period's end (B68), kept after all, paused, or going on (B69); or charged on another method (B36)."""
    reason = ended_reason(fact.status, fact.why)
    if reason or fact.cancel_at_period_end or fact.status == "unpaid":
        card_expiry.ended(turn, fact.subscription, reason or ("cancelled" if fact.cancel_at_period_end else "subscription_unpaid"))
    for case in list(turn.row.cases.values()):
        if case.subscription != fact.subscription:
            continue
        if case.active:
            _changed(turn, case, fact, reason or ("cancelled" if _ending(case, fact) else ""))
        elif _kept(turn, case, fact):
            reopening.request_reread(turn, case, "subscription_kept")


def _ending(case: Case, fact: SubscriptionChanged) -> bool:
    """Whether the customer leaves. An end date that was set before the invoice was made is an agreed term: its last period is owed."""
    agreed = fact.ending_since is not None and fact.ending_since < (case.invoiced_at or case.failed_at)
    return fact.cancel_at_period_end and not agreed


def _kept(turn: Transition, case: Case, fact: SubscriptionChanged) -> bool:
    """Whether a subscription whose cancellation closed the case continues after all, as reported since."""
    ends = fact.status in ENDED_STATUS or _ending(case, fact) or fact.paused
    return not ends and case.ended_at is not None and not older(fact.occurred_at, case.ended_at) and reopening.possible(turn, case)


def _changed(turn: Transition, case: Case, fact: SubscriptionChanged, reason: str) -> None:
    if older(fact.occurred_at, case.subscription_at):
        turn.noop_reason = "older_than_known"
        if fact.own_method_changed and fact.own_method == case.subscription_method != "":
            payment_methods.of_subscription(turn, case, fact)  # a read has shown it before its event came
        return
    suspends = fact.paused and case.suspended_at is None
    if (reason or suspends) and (older(fact.occurred_at, case.last_failed_at) or unclear(fact.occurred_at, case.subscription_at)):
        read_instead(turn, case)
        return
    case.subscription_at = max(fact.occurred_at, case.subscription_at or fact.occurred_at)
    if reason:
        end(turn, case, reason, fact.why or ("at_period_end" if fact.status not in ENDED_STATUS else fact.status))
        return
    if fact.own_method_changed:
        payment_methods.of_subscription(turn, case, fact)
    if suspends and fact.pause_unclear:
        read_instead(turn, case, "pause_unclear")
    elif suspends:
        suspend(turn, case, fact.pause_behavior)
    elif not fact.paused and case.suspended_at is not None:
        case.read_at = turn.now  # the read tells whether it really goes on
        turn.record("case_updated", case, "subscription_resumed")


def close_for_good(turn: Transition, reason: str, subscription: str = "") -> None:
    """The customer was deleted: a case that an operator stopped is closed for good (B67)."""
    for case in turn.row.cases.values():
        if case.status == "closed" and case.reason in {STOPPED, EXCLUDED} and subscription in {"", case.subscription}:
            case.reason = reason
            turn.record("case_updated", case, reason)

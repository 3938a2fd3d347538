"""A new payment method: which open invoices would be charged with it, and their retry at once, the oldest first (B35 to B38)."""

from recovery.contracts.customer import Case, Customer
from recovery.contracts.facts import Card, MethodChanged, SubscriptionChanged
from recovery.decide.handlers.collection.retries import schedule
from recovery.decide.handlers.messages import card_expiry
from recovery.decide.rules.charged_method import charged_method, known_card, own_method
from recovery.decide.rules.event_order import older
from recovery.decide.rules.schedule import most_retries
from recovery.decide.transition import Transition

MOST = 4
"""So many attached cards are remembered, the latest."""


def changed(turn: Transition, fact: MethodChanged) -> None:
    """A renewed card: a retry at once for every open invoice that it helps (B38). An attached one helps none before something names it."""
    card, row = fact.card, turn.row
    if fact.how == "attached":
        _attached(turn, card)
        return
    if fact.how == "expiry_changed" and _expired(turn, card):
        turn.noop_reason = "card_still_expired"
        return
    card_expiry.renewed(turn, "method_changed")
    cases = [case for case in row.cases.values() if case.active]
    since = max((case.last_failed_at for case in cases), default=None)
    if fact.how == "automatically_updated" and card.fingerprint in row.barred and not older(fact.occurred_at, since):
        row.barred = [barred for barred in row.barred if barred != card.fingerprint]
    for case in cases:
        try_anew(turn, case, card, fact.how)


def _expired(turn: Transition, card: Card) -> bool:
    end = card_expiry.last_moment(card)
    return end is not None and end <= turn.now


def _attached(turn: Transition, card: Card) -> None:
    """Remember the card: the customer's default is reported by its id alone, before or after this."""
    row = turn.row
    turn.noop_reason = "attached_is_not_default"
    if not card.method:
        return
    row.attached = {**dict(list(row.attached.items())[1 - MOST :]), card.method: card}
    for case in row.cases.values():
        if case.active and case.retry_with_new_method and case.card is None and charged_method(row, case) == card.method:
            case.card = card


def default_changed(turn: Transition, method: str) -> bool:
    """Note the customer's default payment method, unless another one is known to be newer: a read may show it before its event comes.
    Answers whether it is the one of now."""
    row, at = turn.row, turn.fact.occurred_at
    if older(at, row.default_at) and method != row.default_method:
        turn.noop_reason = "older_than_known"
        return False
    row.default_method, row.default_at = method, max(at, row.default_at or at)
    return True


def of_subscription(turn: Transition, case: Case, fact: SubscriptionChanged) -> None:
    """The subscription names another method than before, or none any more: its invoices are charged on that from now on (B36)."""
    known = case.subscription_method_at
    if known is not None and fact.occurred_at < known and fact.own_method != case.subscription_method:
        turn.noop_reason = "older_than_known"
        return
    before = case.subscription_method
    case.subscription_method, case.subscription_method_at = fact.own_method, max(fact.occurred_at, known or fact.occurred_at)
    if case.invoice_method:
        return
    method = fact.own_method or turn.row.default_method
    if before and not fact.own_method and case.retry_with_new_method:
        _not_tried_after_all(turn, case)
    elif method:
        try_anew(turn, case, known_card(turn.row, method), "attached")
    else:
        turn.record("case_updated", case, "method_removed")  # less to charge than before


def _not_tried_after_all(turn: Transition, case: Case) -> None:
    """The method of a scheduled retry is gone: a charge would use the one that failed, so a read shows what is charged now."""
    if case.pending_effect is not None and case.pending_effect.kind == "charge":
        turn.withdraw(case, "method_removed")
    case.retry_with_new_method, case.method, case.retry_at, case.queued = False, "", None, False
    case.read_at = turn.now
    turn.record("case_updated", case, "method_removed")


def of_invoice(turn: Transition, case: Case) -> None:
    """The invoice itself names another method than before (B36)."""
    try_anew(turn, case, known_card(turn.row, case.invoice_method), "attached")


def try_anew(turn: Transition, case: Case, card: Card, how: str) -> None:
    """Try at once with the new method, if this invoice would be charged with it; of the card it may be that nothing is known."""
    if turn.fact.occurred_at < case.last_failed_at:
        turn.noop_reason = "method_older_than_failure"
        return
    if older(turn.fact.occurred_at, case.method_at):
        turn.noop_reason = "older_than_known"
        return
    if not _charged(turn.row, case, card, how):
        turn.record("case_updated", case, "other_method_charged", details={"charged": charged_method(turn.row, case)})
        return
    if how == "attached" and _failed_on(case, card):
        turn.noop_reason = "same_method"
        return
    known, case.method_at = _known(case, card), turn.fact.occurred_at
    case.method = "automatically_updated" if how == "automatically_updated" else "attached"
    turn.record("case_updated", case, "method_changed")
    busy = case.pending_effect is not None and case.pending_effect.kind == "charge"
    if case.verdict is None or busy or case.processing_since is not None or not turn.policy.retry.enabled:
        return
    was, case.retry_with_new_method = case.retry_with_new_method, True
    if case.ladder_position >= most_retries(case, turn.policy):
        case.retry_with_new_method = was
        return
    case.card = known
    schedule(turn, case, turn.now, "new_method")


def _failed_on(case: Case, card: Card) -> bool:
    """Whether it is the very method that failed, named anew."""
    return bool(card.method) and case.card is not None and case.card.method == card.method and not case.method


def _known(case: Case, card: Card) -> Card | None:
    """The card as reported since the latest failure: a new default arrives without its card, which arrived when it was attached."""
    if card.fingerprint:
        return card
    fits = case.card is not None and (not card.method or card.method == case.card.method)
    return case.card if fits and case.method else None


def _charged(row: Customer, case: Case, card: Card, how: str) -> bool:
    """Whether the invoice would be charged with this method: not where it, its subscription or the customer names another (B36)."""
    named, failed = charged_method(row, case), case.card
    if named and card.method:
        return named == card.method
    if own_method(case):
        return False
    if how == "attached" or failed is None:
        return True
    if failed.method and card.method:
        return failed.method == card.method
    return how != "expiry_changed" or not failed.fingerprint or failed.fingerprint == card.fingerprint

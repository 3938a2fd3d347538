"""A new payment method: which open invoices would be charged with it, and their retry at once, the oldest first (B35 to B38)."""

from recovery.contracts.customer import Case
from recovery.contracts.facts import Card, MethodChanged, SubscriptionChanged
from recovery.decide import expiry
from recovery.decide.retrying import schedule
from recovery.decide.schedule import most_retries
from recovery.decide.turn import Turn


def changed(turn: Turn, fact: MethodChanged) -> None:
    """A new or renewed card: a retry at once for every open invoice that it helps; mails go on unless it pays (B35, B38)."""
    card, row = fact.card, turn.row
    expiry.renewed(turn, "method_changed")
    if fact.how == "automatically_updated" and card.fingerprint in row.barred:
        row.barred = [barred for barred in row.barred if barred != card.fingerprint]
    for case in list(row.cases.values()):
        if case.active:
            try_anew(turn, case, card, fact.how)


def of_subscription(turn: Turn, case: Case, fact: SubscriptionChanged) -> None:
    """The subscription names another method than before, or none any more: its invoices are charged on that from now on (B36)."""
    if case.subscription_method_at is not None and fact.occurred_at < case.subscription_method_at:
        turn.note = "older_than_known"
        return
    case.subscription_method, case.subscription_method_at = fact.own_method, fact.occurred_at
    if not case.invoice_method:
        try_anew(turn, case, Card(method=fact.own_method), "attached")


def of_invoice(turn: Turn, case: Case) -> None:
    """The invoice itself names another method than before (B36)."""
    try_anew(turn, case, Card(method=case.invoice_method), "attached")


def try_anew(turn: Turn, case: Case, card: Card, how: str) -> None:
    """Try at once with the new method, if this invoice would be charged with it; of the card it may be that nothing is known."""
    if turn.fact.occurred_at < case.last_failed_at:
        turn.note = "method_older_than_failure"
        return
    if not _charged(case, card):
        turn.tell("case_updated", case, "other_method_charged", details={"charged": _own(case)})
        return
    known, case.method_at = _known(case, card), turn.fact.occurred_at
    case.method = "automatically_updated" if how == "automatically_updated" else "attached"
    turn.tell("case_updated", case, "method_changed")
    busy = case.flight is not None and case.flight.kind == "charge"
    if case.verdict is None or busy or case.processing_since is not None or not turn.policy.retry.enabled:
        return
    was, case.fresh_method = case.fresh_method, True
    if case.position >= most_retries(case, turn.policy):
        case.fresh_method = was
        return
    case.card = known
    schedule(turn, case, turn.now, "new_method")


def _known(case: Case, card: Card) -> Card | None:
    """The card as it was told since the latest failure: a new default is told without its card, which was told when it was attached."""
    if card.fingerprint:
        return card
    fits = case.card is not None and (not card.method or card.method == case.card.method)
    return case.card if fits and case.method else None


def _own(case: Case) -> str:
    """The method that is charged before the customer's default (stripe.md 4.1); empty where that default is charged."""
    return case.invoice_method or case.subscription_method


def _charged(case: Case, card: Card) -> bool:
    """Whether the invoice would be charged with the new method: it would not where it, or its subscription, names another (B36)."""
    own = _own(case)
    return own in {"", card.method}

"""Charges and payment intents seen beside the invoice: attempts for the budgets, codes for a case not read yet, money that goes back."""

from recovery.contracts.customer import Attempt, Case
from recovery.contracts.facts import ChargeFailed, ChargeRefunded, DisputeOpened, IntentFailed
from recovery.decide import budgets
from recovery.decide.endings import reverse
from recovery.decide.turn import Turn


def charge_failed(turn: Turn, fact: ChargeFailed) -> None:
    """A failed charge counts once in its card's budget, and tells why an invoice failed that could not be read (B2, stripe.md 3.3)."""
    card, decline = fact.card, fact.decline
    if card is not None and decline.network_status != "not_sent_to_network":
        attempt = Attempt(fact.charge, fact.occurred_at, fact.invoice, card.fingerprint, card.brand, succeeded=False)
        turn.note = "attempt_counted" if budgets.remember(turn.row, attempt, turn.now) else "attempt_known"
    _hint(turn, fact)


def intent_failed(turn: Turn, fact: IntentFailed) -> None:
    """A failed payment intent tells why an invoice failed that could not be read."""
    _hint(turn, fact)


def _hint(turn: Turn, fact: ChargeFailed | IntentFailed) -> None:
    """Only where it can be told which invoice is meant: its own, or the one unread case over the same amount."""
    unread = [case for case in turn.row.cases.values() if case.active and case.verdict is None and _about(case, fact)]
    if len(unread) == 1:
        case = unread[0]
        if case.decline is None or fact.occurred_at >= case.last_failed_at:
            case.decline, case.card = fact.decline, fact.card or case.card


def _about(case: Case, fact: ChargeFailed | IntentFailed) -> bool:
    if fact.invoice:
        return case.invoice == fact.invoice
    return case.at_stake == fact.amount_minor and case.currency == fact.currency


def refunded(turn: Turn, fact: ChargeRefunded) -> None:
    """Money that we had counted as recovered went back (F67)."""
    case = _recovered_by(turn, fact.charge)
    if case is not None:
        reverse(turn, case, "refund", fact.amount_refunded)


def disputed(turn: Turn, fact: DisputeOpened) -> None:
    """A charge that we had counted as recovered is disputed (B72)."""
    case = _recovered_by(turn, fact.charge)
    if case is not None:
        reverse(turn, case, "dispute", fact.amount_minor)


def _recovered_by(turn: Turn, charge: str) -> Case | None:
    if not charge:
        return None
    return next((case for case in turn.row.cases.values() if case.recovered_charge == charge), None)

"""Charges and payment intents seen beside the invoice: attempts for the budgets, codes for a case not read yet, money that goes back."""

from datetime import datetime, timedelta
from typing import NamedTuple

from recovery.contracts.customer import CardAttempt, Case, Customer, EarlyRefund
from recovery.contracts.facts import ChargeFailed, ChargeRead, ChargeRefunded, DisputeOpened, IntentFailed
from recovery.decide.handlers.collection import unmatched_failures
from recovery.decide.handlers.collection.case_closing import close, reverse
from recovery.decide.handlers.collection.invoice_reads import read_instead
from recovery.decide.rules import budgets
from recovery.decide.rules.event_order import older
from recovery.decide.transition import Transition

STUB_LIVES = timedelta(days=7)
"""How long the row of a dispute is kept; its answer goes to the customer's row (architecture 1)."""
EARLY = timedelta(hours=24)
"""How long before its payment a refund may arrive: webhooks arrive in any order (B3)."""
MOST = 8
"""So many are kept at once, the latest."""
INQUIRY = "warning_"
"""How the statuses of a dispute begin that is only a bank's question: no money went back."""
RETURNS: frozenset[str] = frozenset({"debit_not_authorized", "bank_cannot_process", "insufficient_funds", "incorrect_account_details"})
"""Reasons of a dispute that are a bank's return of a debit."""


def charge_failed(turn: Transition, fact: ChargeFailed) -> None:
    """A failed charge counts once in its card's budget, and gives the decline of an invoice that could not be read (B2)."""
    card, decline = fact.card, fact.decline
    back = next((case for case in turn.row.cases.values() if case.paid and case.recovered_charge == fact.charge), None)
    if back is not None:
        # a debit that had succeeded failed after all (B72): the parts that other charges brought stay
        reverse(turn, back, "bank_return", fact.amount_minor or back.recovered_minor, fact.charge)
        return
    if card is not None and decline.network_status != "not_sent_to_network":
        attempt = CardAttempt(fact.charge, fact.occurred_at, fact.invoice, card.fingerprint, card.brand, succeeded=False)
        turn.noop_reason = "attempt_counted" if budgets.remember(turn.row, attempt, turn.now) else "attempt_known"
    _hint(turn, fact)


def intent_failed(turn: Transition, fact: IntentFailed) -> None:
    """A failed payment intent gives the decline of an invoice that could not be read."""
    _hint(turn, fact)


def _hint(turn: Transition, fact: ChargeFailed | IntentFailed) -> None:
    """Returns the invoice only where it is certain: the fact's own, or the one unread case over the same amount."""
    unread = [case for case in turn.row.cases.values() if case.active and case.verdict is None and _about(case, fact)]
    if len(unread) == 1:
        case = unread[0]
        if case.decline is None or fact.occurred_at >= case.last_failed_at:
            case.decline, case.card = fact.decline, fact.card or case.card
    elif not unread and fact.invoice not in turn.row.cases:
        unmatched_failures.remember(turn.row, fact)  # its invoice's failure may still come


def _about(case: Case, fact: ChargeFailed | IntentFailed) -> bool:
    if fact.invoice:
        return case.invoice == fact.invoice
    return case.outstanding_minor == fact.amount_minor and case.currency == fact.currency


class Return(NamedTuple):
    """Money that went back: `total` minor units so far, by the refunds of a charge, or by one `dispute` of it."""

    what: str
    charge: str
    invoice: str
    total: int
    currency: str
    dispute: str = ""
    reason: str = ""


def refunded(turn: Transition, fact: ChargeRefunded) -> None:
    """Money went back: of a recovery, which is taken back, or of a part paid while the case is open, which stops it (B72)."""
    _went_back(turn, Return("refund", fact.charge, fact.invoice, fact.amount_refunded, fact.currency))


def disputed(turn: Transition, fact: DisputeOpened) -> None:
    """A charge is disputed. The dispute names no customer: the charge is read from Stripe, and the result goes to that customer's state
    (B72)."""
    if fact.status.startswith(INQUIRY):
        turn.noop_reason = "inquiry"
    elif turn.row.customer:
        what = dispute_or_return(fact.reason)
        _went_back(turn, Return(what, fact.charge, fact.invoice, fact.amount_minor, fact.currency, fact.dispute, fact.reason))
    elif turn.row.forget_at is not None:
        turn.noop_reason = "as_known"  # told by its opening and by its withdrawn funds
    elif fact.charge:
        turn.row.forget_at = turn.now + STUB_LIVES
        to = f"~{fact.dispute}"
        turn.request_charge_read(fact.charge, to, disputed_minor=fact.amount_minor, dispute_reason=fact.reason)


def charge_read(turn: Transition, fact: ChargeRead) -> None:
    """Whose charge it is: what is known of a dispute and of refunds is applied to the case that it paid."""
    charge, invoice, currency = fact.charge, fact.invoice, fact.currency
    if fact.amount_refunded:
        _went_back(turn, Return("refund", charge, invoice, fact.amount_refunded, currency))
    if fact.disputed_minor:
        what, dispute = dispute_or_return(fact.dispute_reason), _dispute_of(turn.row.account, charge, fact.effect)
        _went_back(turn, Return(what, charge, invoice, fact.disputed_minor, currency, dispute, fact.dispute_reason))


def _dispute_of(account: str, charge: str, effect: str) -> str:
    """The dispute because of which the charge was read: the request's id names it."""
    about = effect.removeprefix(f"{account}.~{charge}~").rpartition(".")[0].rpartition(".")[0]
    return about or effect


def dispute_or_return(reason: str) -> str:
    """What a dispute is: a bank that sends a debit back opens one too."""
    return "bank_return" if reason in RETURNS else "dispute"


def _went_back(turn: Transition, back: Return) -> None:
    case = _case_of(turn.row, back.charge, back.invoice)
    if case is None:
        if not _request_charge_read(turn, back):
            _remember(turn, back, back.invoice)
        return
    counts = _same_currency(case, back)
    if case.active:
        if case.part_minor and counts:
            _reverse(turn, case, back)
        if counts and back.total > case.reversed_minor:
            _remember(turn, back, case.invoice)
        if older(turn.fact.occurred_at, case.last_failed_at):
            read_instead(turn, case)  # of an earlier payment of this invoice, which has failed anew since
        else:
            close(turn, case, {"refund": "refunded", "dispute": "disputed"}.get(back.what, back.what))
    elif not counts:
        turn.noop_reason = "other_currency"  # how much of what is owed it was, nobody has told
    else:
        if case.paid:
            case.recovered_charge = case.recovered_charge or back.charge
        elif back.total > case.recovered_minor:
            _remember(turn, back, case.invoice)
        _reverse(turn, case, back)


def _same_currency(case: Case, back: Return) -> bool:
    return not back.currency or not case.currency or back.currency.lower() == case.currency.lower()


def _reverse(turn: Transition, case: Case, back: Return) -> None:
    reverse(turn, case, back.what, back.total, back.charge, back.dispute)


def _case_of(row: Customer, charge: str, invoice: str) -> Case | None:
    """The case that a charge is of: it paid it, was made by us for it, was listed for it, or Stripe names the invoice."""
    if not charge:
        return row.cases.get(invoice)
    for case in row.cases.values():
        if case.recovered_charge == charge or charge in case.charges.values():
            return case
    listed = next((attempt.invoice for attempt in row.attempts if attempt.charge == charge and attempt.invoice), invoice)
    return row.cases.get(listed)


def _request_charge_read(turn: Transition, back: Return) -> bool:
    """Request a read of a charge that we do not know: it may have paid a case, or a part of it, whose payment alone was reported. Returns
    whether Stripe is read."""
    if back.charge and any(_unnamed(case) for case in turn.row.cases.values()) and not isinstance(turn.fact, ChargeRead):
        known = {"disputed_minor": back.total, "dispute_reason": back.reason} if back.dispute else {}
        turn.request_charge_read(back.charge, turn.row.customer, back.dispute, **known)
        return True
    turn.noop_reason = "no_case"
    return False


def _unnamed(case: Case) -> bool:
    """Whether money of the case arrived by a charge that no event has named: the last one, or that of a part."""
    return (case.paid and not case.recovered_charge) or (case.part_minor > 0 and case.reversed_minor < case.recovered_minor)


def _remember(turn: Transition, back: Return, invoice: str) -> None:
    """Keep an early refund for a day: its payment may arrive later. Where no case is known, no payment is expected."""
    row = turn.row
    if row.cases and not isinstance(turn.fact, ChargeRead):
        early = EarlyRefund(turn.now, back.charge, invoice, back.what, back.total, back.dispute, back.currency)
        row.early_refunds = [*row.early_refunds[1 - MOST :], early]


def join_early(turn: Transition) -> None:
    """Subtract what had gone back before its payment arrived, now that the payment is here."""
    row = turn.row
    for early in row.early_refunds:
        back = Return(early.what, early.charge, early.invoice, early.total, early.currency, early.dispute)
        case = _case_of(row, early.charge, early.invoice)
        if case is not None and case.paid:
            row.early_refunds = [other for other in row.early_refunds if other != early]
            if _same_currency(case, back):
                case.recovered_charge = case.recovered_charge or early.charge
                _reverse(turn, case, back)
        elif case is None and _request_charge_read(turn, back):
            row.early_refunds = [other for other in row.early_refunds if other != early]


def forget(row: Customer, now: datetime) -> None:
    """Drop early refunds that are so old that their payment would have arrived."""
    if row.early_refunds:
        row.early_refunds = [early for early in row.early_refunds if early.at > now - EARLY]

"""How cases end: paid, blocked, abandoned, closed; and what becomes of money that comes, or goes back, after the end."""

from datetime import timedelta

from recovery.contracts.customer import Case
from recovery.contracts.events import EventType
from recovery.contracts.facts import InvoiceState
from recovery.decide.turn import Turn
from recovery.vocabulary import RecoveryCause, Status

STUB = timedelta(days=180)
"""How long an ended case is remembered: late payments and refunds still find it."""


def close(turn: Turn, case: Case, reason: str, why: str = "") -> None:
    """Nothing more is to be done: voided, written off, cancelled, deleted, disputed, never failed."""
    _end(turn, case, "closed", reason, "case_closed", why)


def block(turn: Turn, case: Case, reason: str) -> None:
    """Fraud: neither retry nor mail (B24, product decision 7)."""
    _end(turn, case, "blocked", reason, "case_blocked")


def abandon(turn: Turn, case: Case, reason: str) -> None:
    """The path is at its end and the money did not come (product decision 20); it may still come (B73)."""
    _end(turn, case, "abandoned", reason, "case_abandoned")


def recover(turn: Turn, case: Case, by: RecoveryCause, amount: int, charge: str = "") -> None:
    """The money came; told once for a case, also after its end (B73). An invoice settled without money is closed (B13)."""
    if case.paid:
        case.recovered_charge = case.recovered_charge or charge
        turn.note = "already_paid"
        return
    case.paid = True
    if amount <= 0:
        if case.ended_at is None:
            close(turn, case, "credited")
        else:
            turn.note = "credited"
        return
    case.recovered_by, case.recovered_minor, case.recovered_charge = by, amount, charge
    _end(turn, case, "recovered", by, "payment_recovered")


def paid_amount(case: Case, state: InvoiceState) -> int:
    """What came back: the increase of what is paid since the failure (stripe.md 4.4); out of band all that was at stake (B71)."""
    increase = state.amount_paid - case.paid_before
    return increase if increase > 0 or not state.paid_out_of_band else case.at_stake


def reverse(turn: Turn, case: Case, result: str, total: int) -> None:
    """Recovered money went back; `total` is all that went back so far, each unit is told once (F67, B72)."""
    more = min(total, case.recovered_minor) - case.reversed_minor
    if more <= 0:
        turn.note = "already_reversed"
        return
    case.reversed_minor += more
    turn.tell("recovery_reversed", case, result, result=result, recovered_minor=more)


def _end(turn: Turn, case: Case, status: Status, reason: str, event: EventType, why: str = "") -> None:
    if case.flight is not None and case.flight.kind == "read":
        case.flight = None  # a look does no harm, and may show a payment that was told before we had the case (B4)
    turn.withdraw(case, reason)
    case.status, case.reason, case.ended_at = status, reason, turn.at
    case.read_at = case.retry_at = case.dunning_at = None
    details = {"why": why} if why else {}
    if event == "payment_recovered":
        turn.tell(event, case, reason, recovered_by=case.recovered_by, recovered_minor=case.recovered_minor, details=details)
    else:
        turn.tell(event, case, reason, details=details)


def stub(case: Case) -> Case:
    """What remains of an ended case."""
    return Case(
        invoice=case.invoice,
        subscription=case.subscription,
        currency=case.currency,
        status=case.status,
        reason=case.reason,
        sequence=case.sequence,
        requests=case.requests,
        opened_at=case.opened_at,
        ended_at=case.ended_at,
        at_stake=case.at_stake,
        paid_before=case.paid_before,
        paid=case.paid,
        recovered_minor=case.recovered_minor,
        recovered_by=case.recovered_by,
        recovered_charge=case.recovered_charge,
        reversed_minor=case.reversed_minor,
        failed_at=case.failed_at,
        last_failed_at=case.last_failed_at,
        verdict=case.verdict,
        first_code=case.first_code,
        ladder_used=case.ladder_used,
        retry_count=case.retry_count,
        dunning_step=case.dunning_step,
        charges=case.charges,
    )

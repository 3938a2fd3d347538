"""How cases end: paid, blocked, abandoned, closed; and what becomes of money that comes, or goes back, after the end."""

from datetime import timedelta
from typing import Any

from recovery.contracts.customer import Case
from recovery.contracts.events import EventType
from recovery.contracts.facts import InvoiceState
from recovery.decide.handlers.collection import end_action
from recovery.decide.handlers.messages import transactional_mails
from recovery.decide.rules import attribution
from recovery.decide.transition import Transition
from recovery.vocabulary import ACTIVE, RecoveryCause, Status

STUB = timedelta(days=180)
"""How long an ended case is remembered: late payments and refunds still find it."""

LATE = timedelta(days=60)
"""An end that is reported later than this after it happened counts from this long ago. A case is always remembered for a while, so that
none of its ids is reused soon."""
MOST_RETURNED = 24
"""The most charges and disputes of a case that are counted one by one; beyond that the oldest are merged."""


def close(turn: Transition, case: Case, reason: str, why: str = "") -> None:
    """Nothing more is to be done: voided, written off, cancelled, deleted, disputed, never failed."""
    _end(turn, case, "closed", reason, "case_closed", why)


def block(turn: Transition, case: Case, reason: str) -> None:
    """Fraud: neither retry nor mail (B24)."""
    _end(turn, case, "blocked", reason, "case_blocked")


def abandon(turn: Transition, case: Case, reason: str) -> None:
    """Close the case as abandoned: every step was taken and the money did not arrive. It may still arrive (B73).

    Where the merchant has configured an end action, the final read comes first, and the case ends with its result.
    """
    if end_action.read_first(turn, case):
        return
    _end(turn, case, "abandoned", reason, "case_abandoned")
    end_action.request(turn, case)


def lose(turn: Transition, case: Case, reason: str, why: str = "") -> None:
    """The money did not come, and there is no path left to walk: Stripe has ended the subscription for it (B67)."""
    _end(turn, case, "abandoned", reason, "case_abandoned", why)


def recover(turn: Transition, case: Case, by: RecoveryCause, amount: int, charge: str = "", evidence: dict[str, str] | None = None) -> None:
    """Close the case as recovered; reported once for a case, also after its end (B73). An invoice settled without money is closed (B13).

    `amount` is all that arrived since the failure; parts that were reported before are not reported again.
    """
    if case.paid:
        case.recovered_charge = case.recovered_charge or charge
        turn.noop_reason = "already_paid"
        return
    case.paid, rest, was = True, amount - case.part_minor, case.status
    if rest <= 0:
        if case.ended_at is None:
            close(turn, case, "credited")
        else:
            turn.noop_reason = "credited"
        return
    shown = evidence or attribution.settlement(turn.fact, charge)
    by = "by_hand" if case.manual_charge and shown.get("charge_effect") == case.manual_charge else by
    case.recovered_by, case.recovered_minor, case.recovered_charge = by, amount, charge
    _credit(case, by, rest)
    _end(turn, case, "recovered", by, "payment_recovered", details=shown, recovered_by=by, recovered_minor=rest)
    if was in ACTIVE or was == "abandoned":
        transactional_mails.received(turn, case)


def part_paid(turn: Transition, case: Case, total: int, state: InvoiceState, credit: attribution.Credit) -> bool:
    """Record a part of the amount owed, with its own cause; the rest stays owed. `total` is all that arrived since the failure, `state` the
    invoice that shows it. Returns whether more arrived than was recorded before."""
    more = total - case.part_minor
    if more <= 0 or case.paid:
        return False
    if not case.active and state.amount_remaining > 0:
        case.outstanding_minor = state.amount_remaining  # an open case was shown it
    elif state.amount_remaining <= 0:
        case.outstanding_minor = max(0, case.outstanding_minor - more)  # nothing shows what is left; an open rest is told in `state`
    case.part_minor = case.recovered_minor = total
    _credit(case, credit.by, more)
    turn.record("partial_payment", case, credit.by, recovered_by=credit.by, recovered_minor=more, details=credit.evidence)
    return True


def beside(turn: Transition, case: Case, state: InvoiceState, total: int, rest: attribution.Credit) -> attribution.Credit:
    """Record how much of `total`, all that arrived since the failure, arrived outside Stripe as a part of its own (B71). Returns the cause
    of the rest: that of `rest`, unless everything new arrived outside Stripe."""
    new, outside = total - case.part_minor, state.paid_off_stripe - case.outside
    case.outside = max(case.outside, state.paid_off_stripe)
    if outside <= 0 or new <= 0:
        return rest
    if outside >= new:
        return attribution.EXTERNAL
    part_paid(turn, case, case.part_minor + outside, state, attribution.EXTERNAL)
    return rest


def paid_amount(case: Case, state: InvoiceState) -> int:
    """What came back: the increase of what is paid since the failure; out of band all that was at stake (B71)."""
    increase = state.amount_paid - case.paid_before
    return increase if increase > case.part_minor or not state.paid_out_of_band else case.outstanding_minor + case.part_minor


def reverse(turn: Transition, case: Case, result: str, total: int, charge: str = "", dispute: str = "") -> None:
    """Record that recovered money went back. Each unit is recorded once, from the latest cause first, or last where its charge belongs to
    another cause (B72).

    `total` is all that went back so far: by the refunds of a charge, or by one dispute of it; of the whole case where no charge is named.
    """
    went = _returned(case, f"{charge}/{dispute}" if dispute else charge, total) if charge else total
    more = min(went, case.recovered_minor) - case.reversed_minor
    if more <= 0:
        turn.noop_reason = "already_reversed"
        return
    case.reversed_minor += more
    last: str = case.recovered_by or next(reversed(case.recovered_by_cause), "unknown")
    others = tuple(other for other in case.recovered_by_cause if other != last)
    for by in (last, *others) if charge in {"", case.recovered_charge} else (*others, last):
        taken = min(more, case.recovered_by_cause.get(by, more))
        if taken > 0:
            more -= taken
            case.recovered_by_cause = {**case.recovered_by_cause, by: case.recovered_by_cause.get(by, taken) - taken}
            turn.record("recovery_reversed", case, result, result=result, recovered_minor=taken, recovered_by=by)


def _returned(case: Case, of: str, total: int) -> int:
    """The sum of all that went back of a case. Refunds add up per charge, each dispute counts by itself, and a repeated report counts
    once."""
    if case.recovered_minor <= 0:
        return 0
    known = case.returned or ({of: case.reversed_minor} if case.reversed_minor else {})  # an older program kept the sum alone
    known = {**known, of: max(total, known.get(of, 0))}
    if len(known) > MOST_RETURNED:
        known[""] = known.pop("", 0) + known.pop(next(key for key in known if key))
    case.returned = known
    return sum(known.values())


def _credit(case: Case, by: RecoveryCause, minor: int) -> None:
    case.recovered_by_cause = {**case.recovered_by_cause, by: case.recovered_by_cause.get(by, 0) + minor}


def _end(turn: Transition, case: Case, status: Status, reason: str, event: EventType, why: str = "", **fields: Any) -> None:
    if case.pending_effect is not None and case.pending_effect.kind == "read":
        case.pending_effect = None  # a look does no harm, and may show a payment that was told before we had the case (B4)
    turn.withdraw(case, reason)
    case.status, case.reason, case.ended_at = status, reason, max(turn.at, turn.now - LATE)
    case.read_at = case.retry_at = case.dunning_at = case.sms_at = None
    turn.record(event, case, reason, **({"details": {"why": why} if why else {}} | fields))


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
        answered=case.answered,
        opened_at=case.opened_at,
        ended_at=case.ended_at,
        outstanding_minor=case.outstanding_minor,
        paid_before=case.paid_before,
        outside=case.outside,
        paid=case.paid,
        recovered_minor=case.recovered_minor,
        recovered_by=case.recovered_by,
        recovered_charge=case.recovered_charge,
        reversed_minor=case.reversed_minor,
        returned=case.returned,
        part_minor=case.part_minor,
        recovered_by_cause=case.recovered_by_cause,
        mails_sent=case.mails_sent,
        last_mail=case.last_mail,
        end_request=case.end_request,
        failed_at=case.failed_at,
        last_failed_at=case.last_failed_at,
        verdict=case.verdict,
        first_code=case.first_code,
        ladder_used=case.ladder_used,
        retry_count=case.retry_count,
        dunning_step=case.dunning_step,
        charges=case.charges,
        read_at=case.read_at,
        failed_reads=case.failed_reads,
    )

"""What people ask for by hand: retry, stop, snooze, exclude, resume; each told with who and why (B93), done or refused with the reason."""

from collections.abc import Iterator
from datetime import datetime

from recovery.contracts.command_facts import Command
from recovery.contracts.customer import Case, Customer, Hold
from recovery.contracts.facts import ExcludeAsked, ParkedReplayed, ResumeAsked, RetryAsked, SnoozeAsked, StopAsked
from recovery.decide import holdout
from recovery.decide.endings import close
from recovery.decide.plans import appoint
from recovery.decide.plausible import FAR, LATEST
from recovery.decide.schedule import Plan, may_charge, spread
from recovery.decide.turn import Turn, frozen

STOPPED, EXCLUDED = "stopped_by_hand", "excluded_by_hand"
"""Why a case was closed that a person may take up again."""


def hold_of(row: Customer, invoice: str, now: datetime) -> Hold | None:
    """What a person has forbidden about this invoice, or about the customer, and not taken back; over at its end date (B60)."""
    held = [hold for key, hold in row.holds.items() if key in {"", invoice} and (hold.until is None or hold.until > now)]
    return min(held, key=lambda hold: hold.kind == "snoozed", default=None)  # a snooze does not soften a stop


def forbidden(row: Customer, invoice: str, now: datetime) -> str:
    """Why a failure opens no case: somebody stopped this invoice, or excluded the customer (B60); empty when nobody did."""
    hold = hold_of(row, invoice, now) if row.holds else None
    if hold is None or hold.kind == "snoozed":
        return ""
    return STOPPED if hold.kind == "stopped" else EXCLUDED


def forget(row: Customer, now: datetime) -> None:
    """Drop holds whose end date has passed."""
    if row.holds:
        row.holds = {key: hold for key, hold in row.holds.items() if hold.until is None or hold.until > now}


def stop(turn: Turn, fact: StopAsked) -> None:
    """No retry and no mail any more, now and after later failures of the same invoice (B60); money that comes still counts."""
    _set(turn, fact.invoice, Hold("stopped"))
    _taken(turn, fact)
    for case in _open(turn, fact.invoice):
        close(turn, case, STOPPED, fact.why)


def exclude(turn: Turn, fact: ExcludeAsked) -> None:
    """Leave the customer alone until then, or for ever; failures meanwhile open no case."""
    if fact.until is not None and fact.until <= turn.now:
        _refuse(turn, fact, "until_in_the_past")
        return
    until = fact.until if fact.until is None or fact.until < LATEST else None  # the end of the calendar means for ever
    _set(turn, "", Hold("excluded", until))
    _taken(turn, fact, until)
    for case in _open(turn, ""):
        close(turn, case, EXCLUDED, fact.why)


def snooze(turn: Turn, fact: SnoozeAsked) -> None:
    """Do nothing until then: a charge under way is taken back where it still can be, what falls due meanwhile moves to the end."""
    if fact.until <= turn.now:
        _refuse(turn, fact, "until_in_the_past")
        return
    if fact.until > turn.now + FAR:
        _refuse(turn, fact, "until_too_far")
        return
    _set(turn, fact.invoice, Hold("snoozed", fact.until))
    _taken(turn, fact, fact.until)
    for case in _open(turn, fact.invoice):
        if case.flight is not None and case.flight.kind == "charge":
            turn.withdraw(case, "snoozed")
            case.read_at = turn.now
        if not fact.invoice:
            turn.tell("case_updated", case, "snoozed")


def resume(turn: Turn, fact: ResumeAsked) -> None:
    """Take back a stop, a snooze or an exclusion. A case that was closed by it opens again: a look tells how it stands."""
    row = turn.row
    lifted = {key: hold for key, hold in row.holds.items() if fact.invoice in {"", key}}
    row.holds = {key: hold for key, hold in row.holds.items() if key not in lifted}
    again = [case for case in row.cases.values() if _resumable(case, fact.invoice) and not forbidden(row, case.invoice, turn.now)]
    if not lifted and not again:
        _refuse(turn, fact, forbidden(row, fact.invoice, turn.now) or "not_held")
        return
    _taken(turn, fact)
    snoozed = [hold.until for hold in lifted.values() if hold.kind == "snoozed" and hold.until is not None]
    for case in _open(turn, fact.invoice):
        _pull(turn, case, snoozed)
        if not fact.invoice:
            turn.tell("case_updated", case, "resume_asked")
    for case in again:
        case.status, case.reason, case.ended_at, case.read_at = "retrying", "resume_asked", None, turn.now
        turn.tell("case_updated", case, "resume_asked")


def retry(turn: Turn, fact: RetryAsked) -> None:
    """Try now, beyond the ladder and its window, never beyond a budget, a network's word or the end of the case."""
    found = False
    for case in list(turn.row.cases.values()):
        if fact.invoice in {"", case.invoice} and (case.active or fact.invoice):
            found = True
            _retry(turn, fact, case)
    if not found:
        _refuse(turn, fact, "no_open_case")


def put_back(turn: Turn, fact: ParkedReplayed) -> None:
    """Tell that a parked message was put back. A row whose timer had failed is asked again what is due, as after every fact."""
    turn.tell_row("parked_replayed", fact.why, details={"who": fact.who, "message": fact.message, "topic": fact.topic})


def _retry(turn: Turn, fact: RetryAsked, case: Case) -> None:
    why = _not_now(turn, case)
    if why:
        turn.tell("command_refused", case, why, details=_said(fact))
        return
    before, case.by_hand = case.by_hand, True
    answer = may_charge(case, turn.row, turn.policy, turn.now)
    if not isinstance(answer, Plan):
        case.by_hand = before
        turn.tell("command_refused", case, answer.because, details={**answer.details, **_said(fact)})
        return
    turn.tell("command_taken", case, "retry_asked", details=_said(fact))
    appoint(turn, case, Plan(turn.now, "by_hand", "by_hand"))


def _not_now(turn: Turn, case: Case) -> str:
    hold = hold_of(turn.row, case.invoice, turn.now)
    if not case.active:
        return "case_ended"
    if hold is not None:
        return hold.kind
    if turn.account.paused:
        return "account_paused"
    if turn.policy.mode == "observe":
        return "observe_mode"
    if holdout.held_out(turn.row, turn.policy):
        return "holdout"
    if frozen(case):
        return "processing" if case.processing_since is not None else "human_owns_it" if case.switched_off else "subscription_paused"
    return "attempt_under_way" if case.flight is not None and case.flight.kind == "charge" else ""


def _pull(turn: Turn, case: Case, until: list[datetime]) -> None:
    """What had moved to the end of a snooze is due now."""
    ends = {spread(case, end) for end in until}
    case.retry_at = turn.now if case.retry_at in ends else case.retry_at
    case.dunning_at = turn.now if case.dunning_at in ends else case.dunning_at
    case.read_at = turn.now if case.read_at in ends else case.read_at


def _resumable(case: Case, invoice: str) -> bool:
    return case.ended_at is not None and not case.paid and case.reason in {STOPPED, EXCLUDED} and invoice in {"", case.invoice}


def _set(turn: Turn, invoice: str, hold: Hold) -> None:
    held = hold_of(turn.row, invoice, turn.now)
    if hold.kind == "snoozed" and held is not None and held.kind != "snoozed":
        return
    turn.row.holds = {**turn.row.holds, invoice: hold}


def _open(turn: Turn, invoice: str) -> Iterator[Case]:
    return (case for case in list(turn.row.cases.values()) if case.active and invoice in {"", case.invoice})


def _said(fact: Command) -> dict[str, str]:
    said = {"command": str(fact.__struct_config__.tag), "who": fact.who}
    return said | {"why": fact.why} if fact.why else said


def _taken(turn: Turn, fact: Command, until: datetime | None = None) -> None:
    details = _said(fact) | ({"until": until.isoformat()} if until is not None else {})
    case = turn.row.cases.get(fact.invoice)
    reason = str(fact.__struct_config__.tag)
    if case is not None:
        turn.tell("command_taken", case, reason, details=details)
    else:
        turn.tell_row("command_taken", reason, details=details)


def _refuse(turn: Turn, fact: Command, why: str) -> None:
    case = turn.row.cases.get(fact.invoice)
    if case is not None:
        turn.tell("command_refused", case, why, details=_said(fact))
    else:
        turn.tell_row("command_refused", why, details=_said(fact))

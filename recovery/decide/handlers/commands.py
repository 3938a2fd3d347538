"""Handlers of operators' commands: retry, stop, snooze, exclude, resume. Each leaves an event with who and why (B93): accepted, or refused
with the reason."""

from collections.abc import Iterator
from datetime import datetime

from recovery.contracts.customer import Case, Customer, Hold
from recovery.contracts.fact_types.commands import Command
from recovery.contracts.facts import ExcludeRequested, ParkedReplayed, ResumeRequested, RetryRequested, SnoozeRequested, StopRequested
from recovery.decide.handlers.collection.case_closing import close
from recovery.decide.handlers.collection.retry_offers import appoint
from recovery.decide.rules import experiment
from recovery.decide.rules.plausibility import FAR, LATEST
from recovery.decide.rules.schedule import RetryAt, may_charge, spread
from recovery.decide.transition import Transition, frozen

STOPPED, EXCLUDED = "stopped_by_hand", "excluded_by_hand"
"""Why a case was closed that a person may take up again."""


def hold_of(row: Customer, invoice: str, now: datetime) -> Hold | None:
    """What a person has forbidden about this invoice, or about the customer, and not taken back; over at its end date (B60)."""
    held = [hold for key, hold in row.holds.items() if key in {"", invoice} and (hold.until is None or hold.until > now)]
    return min(held, key=lambda hold: hold.kind == "snoozed", default=None)  # a snooze does not soften a stop


def forbidden(row: Customer, invoice: str, now: datetime) -> str:
    """Why a failure opens no case: an operator stopped this invoice, or excluded the customer (B60); empty otherwise."""
    hold = hold_of(row, invoice, now) if row.holds else None
    if hold is None or hold.kind == "snoozed":
        return ""
    return STOPPED if hold.kind == "stopped" else EXCLUDED


def forget(row: Customer, now: datetime) -> None:
    """Drop holds whose end date has passed."""
    if row.holds:
        row.holds = {key: hold for key, hold in row.holds.items() if hold.until is None or hold.until > now}


def stop(turn: Transition, fact: StopRequested) -> None:
    """No retry and no mail any more, now and after later failures of the same invoice (B60); money that comes still counts."""
    _set(turn, fact.invoice, Hold("stopped"))
    _accepted(turn, fact)
    for case in _open(turn, fact.invoice):
        close(turn, case, STOPPED, fact.why)


def exclude(turn: Transition, fact: ExcludeRequested) -> None:
    """Leave the customer alone until then, or for ever; failures meanwhile open no case."""
    if fact.until is not None and fact.until <= turn.now:
        _refuse(turn, fact, "until_in_the_past")
        return
    until = fact.until if fact.until is None or fact.until < LATEST else None  # the end of the calendar means for ever
    _set(turn, "", Hold("excluded", until))
    _accepted(turn, fact, until)
    for case in _open(turn, ""):
        close(turn, case, EXCLUDED, fact.why)


def snooze(turn: Transition, fact: SnoozeRequested) -> None:
    """Do nothing until then: a charge under way is taken back where it still can be, what falls due meanwhile moves to the end."""
    if fact.until <= turn.now:
        _refuse(turn, fact, "until_in_the_past")
        return
    if fact.until > turn.now + FAR:
        _refuse(turn, fact, "until_too_far")
        return
    _set(turn, fact.invoice, Hold("snoozed", fact.until))
    _accepted(turn, fact, fact.until)
    for case in _open(turn, fact.invoice):
        if case.pending_effect is not None and case.pending_effect.kind == "charge":
            turn.withdraw(case, "snoozed")
            case.read_at = turn.now
        if not fact.invoice:
            turn.record("case_updated", case, "snoozed")


def resume(turn: Transition, fact: ResumeRequested) -> None:
    """Lift a stop, a snooze or an exclusion. A case that was closed by it reopens: a read shows its status."""
    row = turn.row
    lifted = {key: hold for key, hold in row.holds.items() if fact.invoice in {"", key}}
    row.holds = {key: hold for key, hold in row.holds.items() if key not in lifted}
    resumable = [case for case in row.cases.values() if _resumable(case, fact.invoice) and not forbidden(row, case.invoice, turn.now)]
    if not lifted and not resumable:
        _refuse(turn, fact, forbidden(row, fact.invoice, turn.now) or "not_held")
        return
    _accepted(turn, fact)
    snoozed = [hold.until for hold in lifted.values() if hold.kind == "snoozed" and hold.until is not None]
    for case in _open(turn, fact.invoice):
        _pull(turn, case, snoozed)
        if not fact.invoice:
            turn.record("case_updated", case, "resume_requested")
    for case in resumable:
        case.status, case.reason, case.ended_at, case.read_at = "retrying", "resume_requested", None, turn.now
        turn.record("case_updated", case, "resume_requested")


def retry(turn: Transition, fact: RetryRequested) -> None:
    """Try now, beyond the ladder and its window, never beyond a budget, a network's word or the end of the case."""
    found = False
    for case in list(turn.row.cases.values()):
        if fact.invoice in {"", case.invoice} and (case.active or fact.invoice):
            found = True
            _retry(turn, fact, case)
    if not found:
        _refuse(turn, fact, "no_open_case")


def dead_letter_replayed(turn: Transition, fact: ParkedReplayed) -> None:
    """Record that a dead letter was replayed. The timers of a customer whose timer had failed run again, as after every fact."""
    turn.record_unscoped("parked_replayed", fact.why, details={"who": fact.who, "message": fact.message, "topic": fact.topic})


def _retry(turn: Transition, fact: RetryRequested, case: Case) -> None:
    why = _not_now(turn, case)
    if why:
        turn.record("command_refused", case, why, details=_command_details(fact))
        return
    before, case.manual_retry = case.manual_retry, True
    answer = may_charge(case, turn.row, turn.policy, turn.now)
    if not isinstance(answer, RetryAt):
        case.manual_retry = before
        turn.record("command_refused", case, answer.because, details={**answer.details, **_command_details(fact)})
        return
    turn.record("command_accepted", case, "retry_requested", details=_command_details(fact))
    appoint(turn, case, RetryAt(turn.now, "by_hand", "by_hand"))


def _not_now(turn: Transition, case: Case) -> str:
    hold = hold_of(turn.row, case.invoice, turn.now)
    if not case.active:
        return "case_ended"
    if hold is not None:
        return hold.kind
    if turn.account.paused:
        return "account_paused"
    if turn.policy.mode == "observe":
        return "observe_mode"
    if experiment.held_out(turn.row, turn.policy):
        return "holdout"
    if frozen(case):
        return "processing" if case.processing_since is not None else "human_owns_it" if case.switched_off else "subscription_paused"
    return "attempt_under_way" if case.pending_effect is not None and case.pending_effect.kind == "charge" else ""


def _pull(turn: Transition, case: Case, until: list[datetime]) -> None:
    """What had moved to the end of a snooze is due now."""
    ends = {spread(case, end) for end in until}
    case.retry_at = turn.now if case.retry_at in ends else case.retry_at
    case.dunning_at = turn.now if case.dunning_at in ends else case.dunning_at
    case.read_at = turn.now if case.read_at in ends else case.read_at


def _resumable(case: Case, invoice: str) -> bool:
    return case.ended_at is not None and not case.paid and case.reason in {STOPPED, EXCLUDED} and invoice in {"", case.invoice}


def _set(turn: Transition, invoice: str, hold: Hold) -> None:
    held = hold_of(turn.row, invoice, turn.now)
    if hold.kind == "snoozed" and held is not None and held.kind != "snoozed":
        return
    turn.row.holds = {**turn.row.holds, invoice: hold}


def _open(turn: Transition, invoice: str) -> Iterator[Case]:
    return (case for case in list(turn.row.cases.values()) if case.active and invoice in {"", case.invoice})


def _command_details(fact: Command) -> dict[str, str]:
    details = {"command": str(fact.__struct_config__.tag), "who": fact.who}
    return details | {"why": fact.why} if fact.why else details


def _accepted(turn: Transition, fact: Command, until: datetime | None = None) -> None:
    details = _command_details(fact) | ({"until": until.isoformat()} if until is not None else {})
    case = turn.row.cases.get(fact.invoice)
    reason = str(fact.__struct_config__.tag)
    if case is not None:
        turn.record("command_accepted", case, reason, details=details)
    else:
        turn.record_unscoped("command_accepted", reason, details=details)


def _refuse(turn: Transition, fact: Command, why: str) -> None:
    case = turn.row.cases.get(fact.invoice)
    if case is not None:
        turn.record("command_refused", case, why, details=_command_details(fact))
    else:
        turn.record_unscoped("command_refused", why, details=_command_details(fact))

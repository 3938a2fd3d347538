"""An alarm is a question: what is due on the row, and may it be done now?"""

from datetime import datetime
from operator import attrgetter

from recovery.contracts.customer import Case
from recovery.decide.handlers import commands
from recovery.decide.handlers.collection import invoice_reads, retries
from recovery.decide.handlers.messages import dunning
from recovery.decide.rules.schedule import after_pause, spread
from recovery.decide.termination import Rounds
from recovery.decide.transition import Transition, frozen

_failed_at = attrgetter("failed_at")


def run_due(turn: Transition) -> None:
    """Run what is due for every open case of the customer, the oldest failure first (B37).

    Effects whose outcome is overdue come first, so that no case waits for a charge that is already given up.
    """
    now, cases = turn.now, sorted(turn.row.cases.values(), key=_failed_at)
    for case in cases:
        if case.pending_effect is not None and case.pending_effect.deadline <= now and case.active:
            _unanswered(turn, case)
    for case in cases:
        if _rests(case, now):
            continue
        if case.active:
            _run_case(turn, case)
        elif case.read_at is not None and case.read_at <= now:
            _run_closed_case(turn, case)


def _rests(case: Case, now: datetime) -> bool:
    """Whether nothing of the case can be due, as nearly always of a customer with many invoices: this is all that it costs a decision."""
    if case.queued or case.pause_noted:
        return False
    read, retry, mail, text = case.read_at, case.retry_at, case.dunning_at, case.sms_at
    return (read is None or read > now) and (retry is None or retry > now) and (mail is None or mail > now) and (text is None or text > now)


def _run_case(turn: Transition, case: Case) -> None:
    if case.pending_effect is not None:
        return
    if turn.account.paused:
        _postpone(turn, case, after_pause(case, turn.now), "account_paused")
        return
    hold = commands.hold_of(turn.row, case.invoice, turn.now) if turn.row.holds else None
    if hold is not None and hold.until is not None:
        _postpone(turn, case, spread(case, hold.until), "snoozed")
        return
    case.pause_noted = False
    if case.read_at is not None and case.read_at <= turn.now:
        case.read_at = None
        turn.request_read(case)
    elif not frozen(case):
        _act(turn, case)


def _run_closed_case(turn: Transition, case: Case) -> None:
    """A payment was seen that no webhook has reported: a read does no harm, and the money counts (B73)."""
    if turn.account.paused:
        case.read_at = after_pause(case, turn.now)
    else:
        case.read_at = None
        turn.request_read(case)


def _unanswered(turn: Transition, case: Case) -> None:
    assert case.pending_effect is not None, "nothing is in flight"  # noqa: S101 - tells the type checker what the caller has looked at
    if case.pending_effect.kind == "read":
        invoice_reads.unanswered(turn, case, case.pending_effect.effect)
    elif case.pending_effect.kind == "charge":
        retries.unanswered(turn, case)
    else:
        dunning.unanswered(turn, case)


def _act(turn: Transition, case: Case) -> None:
    if case.retry_at is not None and (case.retry_at <= turn.now or retries.next_in_line(turn.row, case)):
        retries.due(turn, case)
    _write(turn, case)
    if case.active and case.pending_effect is None and case.sms_at is not None and case.sms_at <= turn.now:
        dunning.sms_due(turn, case)


def _write(turn: Transition, case: Case) -> None:
    """Every round sends, ends or passes over a step, or appoints a later moment; after the last step there is one more round."""
    if case.dunning_at is None or case.dunning_at > turn.now:
        return
    rounds = Rounds(f"The dunning of {case.invoice}")
    while case.active and case.pending_effect is None and case.dunning_at is not None and case.dunning_at <= turn.now:
        rounds.next_round(case.dunning_step)
        dunning.due(turn, case)


def _postpone(turn: Transition, case: Case, until: datetime, why: str) -> None:
    """Nothing is requested: the account is paused (B45), or a command snoozed it (B60). Due steps are postponed; recorded once for each
    pause."""
    now = turn.now
    retry = case.retry_at is not None and case.retry_at <= now
    mail = case.dunning_at is not None and case.dunning_at <= now
    read = case.read_at is not None and case.read_at <= now
    if why == "snoozed":
        _rest(case, until, retry=retry, mail=mail)
    case.retry_at = until if retry else case.retry_at
    case.dunning_at = until if mail else case.dunning_at
    case.read_at = until if read else case.read_at
    if case.sms_at is not None and case.sms_at <= now:
        case.sms_at = until
    if case.pause_noted or not (retry or mail or read):
        return
    case.pause_noted = True
    turn.record("retry_skipped" if retry else "dunning_skipped" if mail else "case_updated", case, why)


def _rest(case: Case, until: datetime, *, retry: bool, mail: bool) -> None:
    """A snooze by an operator uses up neither the window nor the days between mails."""
    if retry and case.retry_at is not None:
        case.snoozed_seconds += int((until - case.retry_at).total_seconds())
    if mail and case.dunning_at is not None and case.dunning_from is not None:
        case.dunning_from += until - case.dunning_at

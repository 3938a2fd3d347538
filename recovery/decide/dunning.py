"""The three mails of a case, 0, 3 and 7 days after its dunning began, and giving up after the last (F13, product decisions 2 and 20)."""

from datetime import datetime, timedelta

from recovery.contracts.customer import Case
from recovery.contracts.facts import MessageSettled
from recovery.decide.endings import abandon
from recovery.decide.schedule import after_pause
from recovery.decide.turn import Turn
from recovery.policy import DUNNING_DAYS

STEPS = len(DUNNING_DAYS)
BETWEEN_MAILS = timedelta(hours=20)
"""At least so long between two mails to one customer, over all invoices (B18, B54)."""
FRESH = timedelta(days=1)
"""A dunning learnt of within a day of its cause counts from the cause; a later one from now, so that no last notice comes first."""

LOOK_AGAIN: frozenset[str] = frozenset(
    {"already_paid", "voided", "written_off", "cancelled", "paused", "customer_deleted", "disputed", "nothing_owed", "draft", "gone"}
)
"""Reasons of a sink that say: the invoice is not what we think; look at it before anything else."""


def begin(turn: Turn, case: Case, because: str, since: datetime | None = None) -> None:
    """Write to the customer from now on, or go on writing; give the case up where nobody may or can be written to."""
    case.retry_at, case.fresh_method = None, False
    refusal = refused(turn, case)
    if refusal:
        abandon(turn, case, refusal)
        return
    case.status = "action_required" if case.verdict is not None and case.verdict.kind == "needs_auth" else "dunning"
    case.reason = because
    if case.dunning_from is not None:
        case.dunning_at = case.dunning_at or turn.now
        turn.tell("case_updated", case, because)
        return
    start = min(since or turn.at, turn.now)
    case.dunning_from = case.dunning_at = start if turn.now - start <= FRESH else turn.now
    turn.tell("dunning_scheduled", case, because, details={"step": "1"})


def refused(turn: Turn, case: Case) -> str:
    """Why nobody is written to about this case at all; empty when mails may be sent (B20, product decision 20)."""
    if case.verdict is not None and not case.verdict.mail:
        return case.verdict.code
    if case.no_contact:
        return "no_contact"
    return "" if turn.policy.dunning.enabled else "dunning_disabled"


def due(turn: Turn, case: Case) -> None:
    """The appointment has come: the latest due step, the earlier ones marked as missed (B57); after the last step the end."""
    assert case.dunning_from is not None, "a dunning appointment without a start"  # noqa: S101 - states what only a bug could break
    if case.dunning_step >= STEPS:
        _give_up(turn, case)
        return
    refusal = refused(turn, case)
    if refusal:
        turn.tell("dunning_skipped", case, refusal, details={"step": str(case.dunning_step + 1)})
        abandon(turn, case, refusal)
        return
    _write(turn, case, _latest_step(turn, case, case.dunning_from))


def _latest_step(turn: Turn, case: Case, start: datetime) -> int:
    step = case.dunning_step + 1
    while step < STEPS and start + timedelta(days=DUNNING_DAYS[step]) <= turn.now:
        case.dunning_step = step
        turn.tell("dunning_skipped", case, "missed", details={"step": str(step)})
        step += 1
    return step


def _write(turn: Turn, case: Case, step: int) -> None:
    free = turn.row.mailed_at + BETWEEN_MAILS if turn.row.mailed_at is not None else turn.now
    if turn.policy.mode == "observe":
        case.dunning_step = step
        turn.tell("dunning_skipped", case, "observe_mode", details={"step": str(step)})
        next_step(turn, case)
    elif free > turn.now and not _too_late(turn, case):
        case.dunning_at = free
        turn.tell("dunning_skipped", case, "recent_mail", details={"step": str(step)})
    elif free > turn.now:
        abandon(turn, case, "recent_mail")
    else:
        case.dunning_step, case.dunning_at, turn.row.mailed_at = step, None, turn.now
        turn.ask_message(case, step, case.reason)


def _too_late(turn: Turn, case: Case) -> bool:
    days = DUNNING_DAYS[-1] + turn.policy.dunning.abandon_after_days
    return case.dunning_from is not None and turn.now > case.dunning_from + timedelta(days=days)


def _give_up(turn: Turn, case: Case) -> None:
    if case.retry_at is not None:  # a new method is tried first
        case.dunning_at = case.retry_at + timedelta(hours=1)
        turn.tell("case_updated", case, "retry_pending")
        return
    abandon(turn, case, "dunning_exhausted")


def next_step(turn: Turn, case: Case) -> None:
    """The step is over, sent or not: plan the next one from the start of dunning, or the end after the last."""
    if case.dunning_step >= STEPS or case.dunning_from is None:
        case.dunning_at = turn.now + timedelta(days=turn.policy.dunning.abandon_after_days)
        return
    case.dunning_at = case.dunning_from + timedelta(days=DUNNING_DAYS[case.dunning_step])
    turn.tell("dunning_scheduled", case, case.reason, details={"step": str(case.dunning_step + 1)})


def settled(turn: Turn, case: Case, fact: MessageSettled, *, awaited: bool) -> None:
    """What became of a mail. One that nobody waits for any more is still told (B47), and changes nothing else."""
    if fact.result == "sent":
        turn.row.mailed_at = max(turn.row.mailed_at or fact.occurred_at, fact.occurred_at)
        details = {"medium": fact.medium, "message": fact.message, "step": str(case.dunning_step)}
        turn.tell("dunning_sent", case, "" if awaited else "after_withdrawal", effect=fact.effect, details=details)
    else:
        if awaited:
            turn.row.mailed_at = None  # the one before lies further back than the pause between mails
        reason = fact.why or fact.result
        turn.tell("dunning_skipped", case, reason, effect=fact.effect, result=fact.result, details={"step": str(case.dunning_step)})
    if awaited and case.active:
        _go_on(turn, case, fact)


def _go_on(turn: Turn, case: Case, fact: MessageSettled) -> None:
    if fact.result == "skipped" and fact.why == "account_paused":
        case.dunning_step -= 1
        case.dunning_at = after_pause(case, turn.now)
    elif fact.result == "skipped" and fact.why == "no_contact":
        case.no_contact = True  # the retries go on (B55)
        case.dunning_at = None
        if case.retry_at is None:
            abandon(turn, case, "no_contact")
    else:
        if fact.result == "skipped" and fact.why in LOOK_AGAIN:
            case.read_at = turn.now
        next_step(turn, case)


def unanswered(turn: Turn, case: Case) -> None:
    """No answer in time: the mail is taken back, its step is over."""
    turn.withdraw(case, "unanswered")
    turn.tell("dunning_skipped", case, "unanswered", details={"step": str(case.dunning_step)})
    next_step(turn, case)

"""The three mails of a case, 0, 3 and 7 days after its dunning began, and giving up after the last (F13, product decisions 2 and 20)."""

from datetime import datetime, timedelta

from recovery.contracts.customer import Case, Flight
from recovery.decide import contact, conversation, holdout
from recovery.decide.classify import merchants_own
from recovery.decide.endings import abandon
from recovery.decide.turn import Turn
from recovery.policy import DUNNING_DAYS

STEPS = len(DUNNING_DAYS)
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
        return case.verdict.because if merchants_own(case.verdict) else case.verdict.code
    if case.no_contact:
        return "no_contact"
    if not turn.policy.dunning.enabled:
        return "dunning_disabled"
    why = contact.suppressed(turn.row.contact, "email", turn.policy)
    return "" if not why or _by_sms(turn, case) else why


def _by_sms(turn: Turn, case: Case) -> bool:
    """Whether an SMS may go instead of a mail, now or later: a hard bounce changes the channel (B53)."""
    country = case.card.country if case.card is not None else ""
    return not isinstance(contact.sms(turn.row.contact, turn.now, turn.policy, country), contact.Never)


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
    if turn.policy.mode == "observe" or holdout.held_out(turn.row, turn.policy):
        _pass_over(turn, case, step, "observe_mode" if turn.policy.mode == "observe" else "holdout")
        return
    why = contact.suppressed(turn.row.contact, "email", turn.policy)
    if why:
        _pass_over(turn, case, step, why)
        beside(turn, case)
        return
    free, because = conversation.free_at(turn.row, turn.policy.contact, turn.now)
    if free <= turn.now:
        _send(turn, case, step)
    elif turn.now >= _end(turn, case):
        abandon(turn, case, because)
    else:
        case.dunning_at = min(free, _end(turn, case))
        turn.tell("dunning_skipped", case, because, details={"step": str(step)})


def _pass_over(turn: Turn, case: Case, step: int, because: str) -> None:
    case.dunning_step = step
    turn.tell("dunning_skipped", case, because, details={"step": str(step)} | holdout.marks(turn.row, turn.policy))
    next_step(turn, case)


def _send(turn: Turn, case: Case, step: int) -> None:
    """One mail for all that is due: it speaks like the most urgent of them and names the open invoices (B15, product decision 30)."""
    steps = [(case, step)]
    others = (other for other in conversation.due_too(turn, case) if not refused(turn, other))
    steps += [(other, _latest_step(turn, other, other.dunning_from or turn.now)) for other in others]
    lead, step = min(steps, key=lambda pair: (-pair[1], pair[0].failed_at))
    effect = turn.ask_message(lead, step, lead.reason, conversation.also(turn, lead), conversation.further(turn, lead))
    named = {owed.invoice for owed in effect.also}
    conversation.remember(turn.row, effect.id, turn.now)
    for one, its_step in steps:
        one.dunning_step, one.dunning_at = its_step, None
        if one is not lead and lead.flight is not None:
            one.flight = Flight(effect.id, "message", lead.flight.until, lead.invoice, summed=one.invoice not in named)
            details = {"with": lead.invoice, "step": str(its_step)}
            turn.tell("dunning_requested", one, "joined_mail", effect=effect.id, details=details)


def _end(turn: Turn, case: Case) -> datetime:
    """When the case is given up though a step of it was never sent, so that every case ends (B40)."""
    return (case.dunning_from or turn.now) + timedelta(days=DUNNING_DAYS[-1] + turn.policy.dunning.abandon_after_days)


def beside(turn: Turn, case: Case) -> None:
    """An SMS goes beside, or instead of, the step that is over, as soon as it may (F22)."""
    if turn.policy.sms.enabled and case.active:
        case.sms_at, case.sms_step = turn.now, case.dunning_step


def sms_due(turn: Turn, case: Case) -> None:
    """The SMS of a step may be due: look whether it may go now, and ask for it, or wait, for the day (B52) or for its distance from the
    last one, or say why not."""
    case.sms_at, details = None, {"step": str(case.sms_step), "medium": "sms"}
    country = case.card.country if case.card is not None else ""
    answer = contact.sms(turn.row.contact, turn.now, turn.policy, country)
    if turn.policy.mode == "observe" or holdout.held_out(turn.row, turn.policy):  # since the mail that it was to go beside
        turn.tell("dunning_skipped", case, "observe_mode" if turn.policy.mode == "observe" else "holdout", details=details)
    elif isinstance(answer, contact.Never):
        turn.tell("dunning_skipped", case, answer.because, details=details)
    elif isinstance(answer, contact.Later):
        case.sms_at = answer.at
        turn.tell("dunning_skipped", case, answer.because, details=details)
    elif not refused(turn, case):
        _text(turn, case, contact.sms_until(turn.row.contact, turn.now, turn.policy, country))


def _text(turn: Turn, case: Case, until: datetime) -> None:
    """One text for all whose text is due, about the most urgent of them; not too soon after the last, and not more than the cap (B15, B54).

    A text that has to wait for its distance waits; one above the cap is left out, as its time would be weeks away.
    """
    free, because = conversation.free_at(turn.row, turn.policy.contact, turn.now, "sms")
    details = {"step": str(case.sms_step), "medium": "sms"}
    if free > turn.now:
        case.sms_at = free if because == "recent_text" else None
        turn.tell("dunning_skipped", case, because, details=details)
        return
    together = [case, *(other for other in conversation.texted_too(turn, case) if not refused(turn, other))]
    lead = min(together, key=lambda one: (-one.sms_step, one.failed_at))
    effect = turn.ask_sms(lead, lead.sms_step, lead.reason, until)
    conversation.remember(turn.row, effect.id, turn.now, "sms")
    for one in together:
        one.sms_at = None
        if one is not lead:
            joined = {"with": lead.invoice, "step": str(one.sms_step), "medium": "sms"}
            turn.tell("dunning_skipped", one, "joined_text", effect=effect.id, details=joined)


def _give_up(turn: Turn, case: Case) -> None:
    if case.retry_at is not None:  # a new method is tried first
        case.dunning_at = max(case.retry_at, turn.now) + timedelta(hours=1)
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


def unanswered(turn: Turn, case: Case) -> None:
    """No answer in time: the mail is taken back, its step is over."""
    turn.withdraw(case, "unanswered")
    turn.tell("dunning_skipped", case, "unanswered", details={"step": str(case.dunning_step)})
    next_step(turn, case)

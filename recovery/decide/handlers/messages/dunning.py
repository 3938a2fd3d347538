"""The three mails of a case, 0, 3 and 7 days after its dunning began, and giving up after the last."""

from datetime import datetime, timedelta

from recovery.contracts.customer import Case, PendingEffect
from recovery.decide.handlers.collection.case_closing import abandon
from recovery.decide.handlers.messages import contact_frequency
from recovery.decide.rules import contactability, experiment
from recovery.decide.rules.classify import merchants_own
from recovery.decide.transition import Transition
from recovery.policy import DUNNING_DAYS

STEPS = len(DUNNING_DAYS)
FRESH = timedelta(days=1)
"""A dunning learnt of within a day of its cause counts from the cause; a later one from now, so that no last notice comes first."""

REREAD_REASONS: frozenset[str] = frozenset(
    {"already_paid", "voided", "written_off", "cancelled", "paused", "customer_deleted", "disputed", "nothing_owed", "draft", "gone"}
)
"""Reasons of a sink that contradict the known state of the invoice; it is read before anything else."""


def begin(turn: Transition, case: Case, because: str, since: datetime | None = None) -> None:
    """Start or continue to send mails; abandon the case where no recipient may or can receive them."""
    case.retry_at, case.retry_with_new_method = None, False
    refusal = refused(turn, case)
    if refusal:
        abandon(turn, case, refusal)
        return
    case.status = "action_required" if case.verdict is not None and case.verdict.kind == "needs_auth" else "dunning"
    case.reason = because
    if case.dunning_from is not None:
        case.dunning_at = case.dunning_at or turn.now
        turn.record("case_updated", case, because)
        return
    start = min(since or turn.at, turn.now)
    case.dunning_from = case.dunning_at = start if turn.now - start <= FRESH else turn.now
    turn.record("dunning_scheduled", case, because, details={"step": "1"})


def refused(turn: Transition, case: Case) -> str:
    """Why no mail is sent about this case at all; empty when mails may be sent (B20)."""
    if case.verdict is not None and not case.verdict.mail:
        return case.verdict.because if merchants_own(case.verdict) else case.verdict.code
    if case.no_contact:
        return "no_contact"
    if not turn.policy.dunning.enabled:
        return "dunning_disabled"
    why = contactability.suppressed(turn.row.contact, "email", turn.policy)
    return "" if not why or _by_sms(turn, case) else why


def _by_sms(turn: Transition, case: Case) -> bool:
    """Whether an SMS may go instead of a mail, now or later: a hard bounce changes the channel (B53)."""
    country = case.card.country if case.card is not None else ""
    return not isinstance(contactability.sms(turn.row.contact, turn.now, turn.policy, country), contactability.Forbidden)


def due(turn: Transition, case: Case) -> None:
    """The appointment has come: the latest due step, the earlier ones marked as missed (B57); after the last step the end."""
    assert case.dunning_from is not None, "a dunning appointment without a start"  # noqa: S101 - states what only a bug could break
    if case.dunning_step >= STEPS:
        _give_up(turn, case)
        return
    refusal = refused(turn, case)
    if refusal:
        turn.record("dunning_skipped", case, refusal, details={"step": str(case.dunning_step + 1)})
        abandon(turn, case, refusal)
        return
    _write(turn, case, _latest_step(turn, case, case.dunning_from))


def _latest_step(turn: Transition, case: Case, start: datetime) -> int:
    step = case.dunning_step + 1
    while step < STEPS and start + timedelta(days=DUNNING_DAYS[step]) <= turn.now:
        case.dunning_step = step
        turn.record("dunning_skipped", case, "missed", details={"step": str(step)})
        step += 1
    return step


def _write(turn: Transition, case: Case, step: int) -> None:
    if turn.policy.mode == "observe" or experiment.held_out(turn.row, turn.policy):
        _pass_over(turn, case, step, "observe_mode" if turn.policy.mode == "observe" else "holdout")
        return
    why = contactability.suppressed(turn.row.contact, "email", turn.policy)
    if why:
        _pass_over(turn, case, step, why)
        beside(turn, case)
        return
    free, because = contact_frequency.free_at(turn.row, turn.policy.contact, turn.now)
    if free <= turn.now:
        _send(turn, case, step)
    elif turn.now >= _end(turn, case):
        abandon(turn, case, because)
    else:
        case.dunning_at = min(free, _end(turn, case))
        turn.record("dunning_skipped", case, because, details={"step": str(step)})


def _pass_over(turn: Transition, case: Case, step: int, because: str) -> None:
    case.dunning_step = step
    turn.record("dunning_skipped", case, because, details={"step": str(step)} | experiment.marks(turn.row, turn.policy))
    next_step(turn, case)


def _send(turn: Transition, case: Case, step: int) -> None:
    """One mail for all that is due: it speaks like the most urgent of them and names the open invoices (B15)."""
    steps = [(case, step)]
    others = (other for other in contact_frequency.due_too(turn, case) if not refused(turn, other))
    steps += [(other, _latest_step(turn, other, other.dunning_from or turn.now)) for other in others]
    lead, step = min(steps, key=lambda pair: (-pair[1], pair[0].failed_at))
    effect = turn.request_message(lead, step, lead.reason, contact_frequency.also(turn, lead), contact_frequency.further(turn, lead))
    named = {owed.invoice for owed in effect.also}
    contact_frequency.remember(turn.row, effect.id, turn.now)
    for one, its_step in steps:
        one.dunning_step, one.dunning_at = its_step, None
        if one is not lead and lead.pending_effect is not None:
            one.pending_effect = PendingEffect(
                effect.id, "message", lead.pending_effect.deadline, lead.invoice, summed=one.invoice not in named
            )
            details = {"with": lead.invoice, "step": str(its_step)}
            turn.record("dunning_requested", one, "joined_mail", effect=effect.id, details=details)


def _end(turn: Transition, case: Case) -> datetime:
    """When the case is given up though a step of it was never sent, so that every case ends (B40)."""
    return (case.dunning_from or turn.now) + timedelta(days=DUNNING_DAYS[-1] + turn.policy.dunning.abandon_after_days)


def beside(turn: Transition, case: Case) -> None:
    """An SMS goes beside, or instead of, the step that is over, as soon as it may."""
    if turn.policy.sms.enabled and case.active:
        case.sms_at, case.sms_step = turn.now, case.dunning_step


def sms_due(turn: Transition, case: Case) -> None:
    """The SMS of a step may be due: request it if it may go now, else wait for the hour of day (B52) or for its distance from the last one,
    or record why not."""
    case.sms_at, details = None, {"step": str(case.sms_step), "medium": "sms"}
    country = case.card.country if case.card is not None else ""
    answer = contactability.sms(turn.row.contact, turn.now, turn.policy, country)
    if turn.policy.mode == "observe" or experiment.held_out(turn.row, turn.policy):  # since the mail that it was to go beside
        turn.record("dunning_skipped", case, "observe_mode" if turn.policy.mode == "observe" else "holdout", details=details)
    elif isinstance(answer, contactability.Forbidden):
        turn.record("dunning_skipped", case, answer.because, details=details)
    elif isinstance(answer, contactability.AllowedFrom):
        case.sms_at = answer.at
        turn.record("dunning_skipped", case, answer.because, details=details)
    elif not refused(turn, case):
        _text(turn, case, contactability.sms_until(turn.row.contact, turn.now, turn.policy, country))


def _text(turn: Transition, case: Case, until: datetime) -> None:
    """One text for all whose text is due, about the most urgent of them; not too soon after the last, and not more than the cap (B15, B54).

    A text that has to wait for its distance waits; one above the cap is left out, as its time would be weeks away.
    """
    free, because = contact_frequency.free_at(turn.row, turn.policy.contact, turn.now, "sms")
    details = {"step": str(case.sms_step), "medium": "sms"}
    if free > turn.now:
        case.sms_at = free if because == "recent_text" else None
        turn.record("dunning_skipped", case, because, details=details)
        return
    together = [case, *(other for other in contact_frequency.texted_too(turn, case) if not refused(turn, other))]
    lead = min(together, key=lambda one: (-one.sms_step, one.failed_at))
    effect = turn.request_sms(lead, lead.sms_step, lead.reason, until)
    contact_frequency.remember(turn.row, effect.id, turn.now, "sms")
    for one in together:
        one.sms_at = None
        if one is not lead:
            joined = {"with": lead.invoice, "step": str(one.sms_step), "medium": "sms"}
            turn.record("dunning_skipped", one, "joined_text", effect=effect.id, details=joined)


def _give_up(turn: Transition, case: Case) -> None:
    if case.retry_at is not None:  # a new method is tried first
        case.dunning_at = max(case.retry_at, turn.now) + timedelta(hours=1)
        turn.record("case_updated", case, "retry_pending")
        return
    abandon(turn, case, "dunning_exhausted")


def next_step(turn: Transition, case: Case) -> None:
    """The step is over, sent or not: plan the next one from the start of dunning, or the end after the last."""
    if case.dunning_step >= STEPS or case.dunning_from is None:
        case.dunning_at = turn.now + timedelta(days=turn.policy.dunning.abandon_after_days)
        return
    case.dunning_at = case.dunning_from + timedelta(days=DUNNING_DAYS[case.dunning_step])
    turn.record("dunning_scheduled", case, case.reason, details={"step": str(case.dunning_step + 1)})


def unanswered(turn: Transition, case: Case) -> None:
    """No answer in time: the mail is taken back, its step is over."""
    turn.withdraw(case, "unanswered")
    turn.record("dunning_skipped", case, "unanswered", details={"step": str(case.dunning_step)})
    next_step(turn, case)

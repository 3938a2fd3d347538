"""The outcome of a message: of a mail for all cases that joined it, of an SMS, of a transactional mail."""

from recovery.contracts.customer import Case
from recovery.contracts.facts import MessageSettled
from recovery.decide.handlers.collection.case_closing import abandon
from recovery.decide.handlers.collection.retries import held
from recovery.decide.handlers.messages import contact_frequency, transactional_mails
from recovery.decide.handlers.messages.dunning import REREAD_REASONS, beside, next_step
from recovery.decide.rules.schedule import after_pause
from recovery.decide.transition import Transition
from recovery.ids import kind_of

OF_ITS_INVOICE: frozenset[str] = REREAD_REASONS | {"processing", "no_pay_link", "withdrawn"}
"""Reasons that concern the invoice that the mail was about, and not those that joined it."""


def settled(turn: Transition, fact: MessageSettled) -> None:
    """Record the outcome of a message, and continue the cases that wait for it (B47)."""
    lead = turn.row.cases.get(fact.invoice)
    kind = kind_of(fact.effect)
    if kind == "notice":
        transactional_mails.settled(turn, lead, fact)
        return
    summed = {case.invoice for case in turn.row.cases.values() if case.pending_effect is not None and case.pending_effect.summed}
    waiting = [case for case in turn.row.cases.values() if case.pending_effect is not None and case.pending_effect.effect == fact.effect]
    for case in waiting:
        case.pending_effect = None
    if kind == "sms":
        if fact.result in {"skipped", "failed"}:
            contact_frequency.forget(turn.row, fact.effect, "sms")
        if lead is not None:
            _record(turn, lead, fact, awaited=lead in waiting)
        return
    _count(turn, fact)
    if lead is None:
        turn.noop_reason = "no_case"
    else:
        _record(turn, lead, fact, awaited=lead in waiting)
        if lead in waiting and lead.active:
            _go_on(turn, lead, fact)
    for case in waiting:
        if case is not lead and case.active:
            _joined(turn, case, fact, summed=case.invoice in summed)


def _count(turn: Transition, fact: MessageSettled) -> None:
    """A mail that was surely not sent leaves room for another; one in doubt counts, for the cap and for a later notice."""
    if fact.result in {"skipped", "failed"}:
        contact_frequency.forget(turn.row, fact.effect, "email")
        return
    if fact.result == "sent":
        contact_frequency.remember(turn.row, fact.effect, fact.occurred_at)
    for invoice in (fact.invoice, *fact.also):
        case = turn.row.cases.get(invoice)
        if case is not None:
            case.mails_sent, case.last_mail = case.mails_sent + 1, fact.effect


def _record(turn: Transition, case: Case, fact: MessageSettled, *, awaited: bool, reason: str = "") -> None:
    details = {"step": str(case.dunning_step)}
    if fact.medium != "email":
        details["medium"] = fact.medium
    if fact.result == "sent":
        details |= {"medium": fact.medium, "message": fact.message}
        turn.record("dunning_sent", case, reason or ("" if awaited else "after_withdrawal"), effect=fact.effect, details=details)
    else:
        why = reason or fact.why or fact.result
        turn.record("dunning_skipped", case, why, effect=fact.effect, result=fact.result, details=details)


def _joined(turn: Transition, case: Case, fact: MessageSettled, *, summed: bool) -> None:
    """A case that had joined the mail about another one: its own step counts as sent only when the mail named it, or summed it up."""
    if summed and fact.result in {"sent", "unknown"}:
        case.mails_sent, case.last_mail = case.mails_sent + 1, fact.effect
    if fact.result == "sent" and not summed and case.invoice not in fact.also:
        case.read_at = turn.now
        turn.record("dunning_skipped", case, "nothing_owed", effect=fact.effect, details={"step": str(case.dunning_step)})
        next_step(turn, case)
    elif fact.result == "skipped" and fact.why in OF_ITS_INVOICE:
        turn.record("dunning_skipped", case, "joined_mail_skipped", effect=fact.effect, details={"step": str(case.dunning_step)})
        case.dunning_step, case.dunning_at = case.dunning_step - 1, turn.now
    else:
        _record(turn, case, fact, awaited=True, reason="joined_mail" if fact.result == "sent" else "")
        _go_on(turn, case, fact)


def _go_on(turn: Transition, case: Case, fact: MessageSettled) -> None:
    if fact.result == "skipped" and fact.why == "account_paused" and held(case):
        case.dunning_step -= 1
        case.dunning_at = after_pause(case, turn.now)
    elif fact.result == "skipped" and fact.why == "no_contact":
        case.no_contact = True  # the retries go on (B55)
        case.dunning_at = None
        if case.retry_at is None:
            abandon(turn, case, "no_contact")
    else:
        if fact.result == "skipped" and fact.why in REREAD_REASONS:
            case.read_at = turn.now
        beside(turn, case)
        next_step(turn, case)

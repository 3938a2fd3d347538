"""What became of a message: of a mail for all cases that joined it, of an SMS, of a notice."""

from recovery.contracts.customer import Case
from recovery.contracts.facts import MessageSettled
from recovery.decide import conversation, notices
from recovery.decide.dunning import LOOK_AGAIN, beside, next_step
from recovery.decide.endings import abandon
from recovery.decide.retrying import held
from recovery.decide.schedule import after_pause
from recovery.decide.turn import Turn
from recovery.ids import kind_of

OF_ITS_INVOICE: frozenset[str] = LOOK_AGAIN | {"processing", "no_pay_link", "withdrawn"}
"""Reasons that concern the invoice that the mail was about, and not those that joined it."""


def settled(turn: Turn, fact: MessageSettled) -> None:
    """Tell what became of a message, and go on with the cases that wait for it; told too, and no more, when none does (B47)."""
    lead = turn.row.cases.get(fact.invoice)
    kind = kind_of(fact.effect)
    if kind == "notice":
        notices.settled(turn, lead, fact)
        return
    summed = {case.invoice for case in turn.row.cases.values() if case.flight is not None and case.flight.summed}
    waiting = [case for case in turn.row.cases.values() if case.flight is not None and case.flight.effect == fact.effect]
    for case in waiting:
        case.flight = None
    if kind == "sms":
        if fact.result in {"skipped", "failed"}:
            conversation.forget(turn.row, fact.effect, "sms")
        if lead is not None:
            _tell(turn, lead, fact, awaited=lead in waiting)
        return
    _count(turn, fact)
    if lead is None:
        turn.note = "no_case"
    else:
        _tell(turn, lead, fact, awaited=lead in waiting)
        if lead in waiting and lead.active:
            _go_on(turn, lead, fact)
    for case in waiting:
        if case is not lead and case.active:
            _joined(turn, case, fact, summed=case.invoice in summed)


def _count(turn: Turn, fact: MessageSettled) -> None:
    """A mail that was surely not sent leaves room for another; one in doubt counts, for the cap and for a later notice."""
    if fact.result in {"skipped", "failed"}:
        conversation.forget(turn.row, fact.effect, "email")
        return
    if fact.result == "sent":
        conversation.remember(turn.row, fact.effect, fact.occurred_at)
    for invoice in (fact.invoice, *fact.also):
        case = turn.row.cases.get(invoice)
        if case is not None:
            case.mails_sent, case.last_mail = case.mails_sent + 1, fact.effect


def _tell(turn: Turn, case: Case, fact: MessageSettled, *, awaited: bool, reason: str = "") -> None:
    details = {"step": str(case.dunning_step)}
    if fact.medium != "email":
        details["medium"] = fact.medium
    if fact.result == "sent":
        details |= {"medium": fact.medium, "message": fact.message}
        turn.tell("dunning_sent", case, reason or ("" if awaited else "after_withdrawal"), effect=fact.effect, details=details)
    else:
        why = reason or fact.why or fact.result
        turn.tell("dunning_skipped", case, why, effect=fact.effect, result=fact.result, details=details)


def _joined(turn: Turn, case: Case, fact: MessageSettled, *, summed: bool) -> None:
    """A case that had joined the mail about another one: its own step counts as sent only when the mail named it, or summed it up."""
    if summed and fact.result in {"sent", "unknown"}:
        case.mails_sent, case.last_mail = case.mails_sent + 1, fact.effect
    if fact.result == "sent" and not summed and case.invoice not in fact.also:
        case.read_at = turn.now
        turn.tell("dunning_skipped", case, "nothing_owed", effect=fact.effect, details={"step": str(case.dunning_step)})
        next_step(turn, case)
    elif fact.result == "skipped" and fact.why in OF_ITS_INVOICE:
        turn.tell("dunning_skipped", case, "joined_mail_skipped", effect=fact.effect, details={"step": str(case.dunning_step)})
        case.dunning_step, case.dunning_at = case.dunning_step - 1, turn.now
    else:
        _tell(turn, case, fact, awaited=True, reason="joined_mail" if fact.result == "sent" else "")
        _go_on(turn, case, fact)


def _go_on(turn: Turn, case: Case, fact: MessageSettled) -> None:
    if fact.result == "skipped" and fact.why == "account_paused" and held(case):
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
        beside(turn, case)
        next_step(turn, case)

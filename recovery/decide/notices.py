"""Mails that are no reminder: the payment was received, the subscription has ended unpaid (B48). They answer, so no cap holds them back."""

from typing import Literal

from recovery.contracts.customer import Case
from recovery.contracts.facts import MessageSettled
from recovery.decide import contact, holdout
from recovery.decide.turn import Turn


def received(turn: Turn, case: Case) -> None:
    """Tell the customer that the payment came, if they had been told that it failed."""
    if turn.policy.contact.tell_recovered:
        _ask(turn, case, "payment_recovered", "invoice_paid")


def cancelled(turn: Turn, case: Case) -> None:
    """Tell the customer that the subscription was ended for non-payment, instead of another reminder."""
    _ask(turn, case, "cancelled_for_non_payment", "invoice_open")


def _ask(turn: Turn, case: Case, template: str, only_if: Literal["invoice_paid", "invoice_open"]) -> None:
    if not case.mails_sent:
        return
    why = _why_not(turn, template)
    if why:
        turn.tell("notice_skipped", case, why, details={"template": template})
    else:
        turn.ask_notice(case, template, only_if)


def _why_not(turn: Turn, template: str) -> str:
    if turn.policy.mode == "observe":
        return "observe_mode"
    if turn.account.paused:
        return "account_paused"
    if holdout.held_out(turn.row, turn.policy, template):
        return "holdout"
    if not turn.policy.dunning.enabled:
        return "dunning_disabled"
    return contact.suppressed(turn.row.contact, "email", turn.policy)


def settled(turn: Turn, case: Case | None, fact: MessageSettled) -> None:
    """What became of a notice: told, and nothing follows."""
    details = {"message": fact.message} if fact.message else {}
    event_type: Literal["notice_sent", "notice_skipped"] = "notice_sent" if fact.result == "sent" else "notice_skipped"
    reason = fact.why or ("" if fact.result == "sent" else fact.result)
    if case is not None:
        turn.tell(event_type, case, reason, effect=fact.effect, result=fact.result, details=details)
    else:
        turn.tell_row(event_type, reason, effect=fact.effect, result=fact.result, details=details)

"""Mails that are no reminder: the payment was received, the subscription has ended unpaid (B48). They answer, so no cap holds them back."""

from typing import Literal

from recovery.contracts.customer import Case
from recovery.contracts.facts import MessageSettled
from recovery.decide.rules import contactability, experiment
from recovery.decide.transition import Transition


def received(turn: Transition, case: Case) -> None:
    """Confirm the payment to the customer, if they had received a mail about the failure."""
    if turn.policy.contact.confirm_recovery:
        _request(turn, case, "payment_recovered", "invoice_paid")


def cancelled(turn: Transition, case: Case) -> None:
    """Notify the customer that the subscription ended for non-payment, instead of another reminder."""
    _request(turn, case, "cancelled_for_non_payment", "invoice_open")


def _request(turn: Transition, case: Case, template: str, only_if: Literal["invoice_paid", "invoice_open"]) -> None:
    if not case.mails_sent:
        return
    why = _why_not(turn, template)
    if why:
        turn.record("transactional_mail_skipped", case, why, details={"template": template})
    else:
        turn.request_transactional_mail(case, template, only_if)


def _why_not(turn: Transition, template: str) -> str:
    if turn.policy.mode == "observe":
        return "observe_mode"
    if turn.account.paused:
        return "account_paused"
    if experiment.held_out(turn.row, turn.policy, template):
        return "holdout"
    if not turn.policy.dunning.enabled:
        return "dunning_disabled"
    return contactability.suppressed(turn.row.contact, "email", turn.policy)


def settled(turn: Transition, case: Case | None, fact: MessageSettled) -> None:
    """The outcome of a transactional mail: recorded, and nothing follows."""
    details = {"message": fact.message} if fact.message else {}
    event_type: Literal["transactional_mail_sent", "transactional_mail_skipped"] = (
        "transactional_mail_sent" if fact.result == "sent" else "transactional_mail_skipped"
    )
    reason = fact.why or ("" if fact.result == "sent" else fact.result)
    if case is not None:
        turn.record(event_type, case, reason, effect=fact.effect, result=fact.result, details=details)
    else:
        turn.record_unscoped(event_type, reason, effect=fact.effect, result=fact.result, details=details)

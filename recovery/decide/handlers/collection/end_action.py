"""The merchant's end action in Stripe when a case ends unpaid: once, and after a final read of the invoice (B73, B74)."""

from datetime import timedelta

from recovery.contracts.customer import Case
from recovery.contracts.facts import SubscriptionEndSettled
from recovery.decide.handlers.messages import transactional_mails
from recovery.decide.rules import experiment
from recovery.decide.rules.classify import merchants_own
from recovery.decide.transition import Transition

READ_VALID_FOR = timedelta(days=2)
"""How long a final read is valid; a case that went on for longer is read again before its end."""


def is_configured(turn: Transition, case: Case) -> bool:
    """Whether an end action is configured for this case and was not requested yet, by it or by another case of its subscription."""
    action = turn.policy.end.action
    if experiment.held_out(turn.row, turn.policy):
        return False  # nothing of ours (B77)
    if merchants_own(case.verdict):
        return False  # nobody loses a subscription by the merchant's own mistake
    if action == "none" or turn.policy.mode == "observe" or case.end_request or not (case.subscription or action == "uncollectible"):
        return False
    others = (other for other in turn.row.cases.values() if other.subscription == case.subscription and other is not case)
    return action == "uncollectible" or not any(other.end_request for other in others)


def read_first(turn: Transition, case: Case) -> bool:
    """Request the final read, unless there was one just now or no end action is configured. Returns whether the end waits for it."""
    if case.ended_at is not None or not is_configured(turn, case) or _fresh(turn, case):
        return False
    case.final_read_at = case.read_at = turn.now
    case.retry_at = case.dunning_at = None
    turn.record("case_updated", case, "final_read")
    return True


def _fresh(turn: Transition, case: Case) -> bool:
    """A final read without an answer is not repeated for ever: every case ends (B40)."""
    return case.final_read_at is not None and (not _answered(case) or turn.now - case.final_read_at <= READ_VALID_FOR)


def _answered(case: Case) -> bool:
    return (
        case.final_read_at is not None
        and case.state_from_read
        and case.state_observed_at is not None
        and case.state_observed_at >= case.final_read_at
    )


def request(turn: Transition, case: Case) -> None:
    """The case has ended: request the end action if the final read was answered. A failed read forbids it."""
    action = turn.policy.end.action
    if action == "none" or not is_configured(turn, case):
        return
    if _answered(case) and not turn.account.paused:
        turn.request_end_action(case, action)
    else:
        turn.record("end_action_skipped", case, "account_paused" if _answered(case) else "final_read_failed", details={"action": action})


def settled(turn: Transition, fact: SubscriptionEndSettled) -> None:
    """The outcome of the end action; it is not requested again. The customer is notified of a cancellation for non-payment (B48)."""
    case = turn.row.cases.get(fact.invoice)
    if case is None:
        turn.noop_reason = "no_case"
    elif fact.result == "not_done":
        turn.record("end_action_skipped", case, fact.why, effect=fact.effect, details={"action": fact.action})
    else:
        turn.record("end_action_performed", case, fact.action, effect=fact.effect, details={"action": fact.action})
        if fact.action == "cancel" and not case.paid:
            transactional_mails.cancelled(turn, case)

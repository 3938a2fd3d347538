"""What the merchant wants done in Stripe when a case ends unpaid: once, and after a last look at the invoice (B73, B74)."""

from datetime import timedelta

from recovery.contracts.customer import Case
from recovery.contracts.facts import SubscriptionEndSettled
from recovery.decide import holdout, notices
from recovery.decide.classify import merchants_own
from recovery.decide.turn import Turn

LOOK_HOLDS = timedelta(days=2)
"""So long a last look counts; a case that went on for longer is looked at again before its end."""


def wanted(turn: Turn, case: Case) -> bool:
    """Whether anything is to be done at the end of this case, and has not been asked for yet, by it or by another of its subscription."""
    action = turn.policy.end.action
    if holdout.held_out(turn.row, turn.policy):
        return False  # nothing of ours (B77)
    if merchants_own(case.verdict):
        return False  # nobody loses a subscription by the merchant's own mistake
    if action == "none" or turn.policy.mode == "observe" or case.end_asked or not (case.subscription or action == "uncollectible"):
        return False
    others = (other for other in turn.row.cases.values() if other.subscription == case.subscription and other is not case)
    return action == "uncollectible" or not any(other.end_asked for other in others)


def look_first(turn: Turn, case: Case) -> bool:
    """Ask for the last look, unless one was had just now or nothing is to be done; answers whether the end waits for it."""
    if case.ended_at is not None or not wanted(turn, case) or _fresh(turn, case):
        return False
    case.last_look = case.read_at = turn.now
    case.retry_at = case.dunning_at = None
    turn.tell("case_updated", case, "last_look")
    return True


def _fresh(turn: Turn, case: Case) -> bool:
    """A look that was never answered is not repeated for ever: every case ends (B40)."""
    return case.last_look is not None and (not _answered(case) or turn.now - case.last_look <= LOOK_HOLDS)


def _answered(case: Case) -> bool:
    return case.last_look is not None and case.shown_by_read and case.shown_at is not None and case.shown_at >= case.last_look


def ask(turn: Turn, case: Case) -> None:
    """The case has ended: ask for the end action if the last look was answered; a look that failed forbids it."""
    action = turn.policy.end.action
    if action == "none" or not wanted(turn, case):
        return
    if _answered(case) and not turn.account.paused:
        turn.ask_end(case, action)
    else:
        turn.tell("end_skipped", case, "account_paused" if _answered(case) else "not_looked_at", details={"action": action})


def settled(turn: Turn, fact: SubscriptionEndSettled) -> None:
    """What became of the end action; it is not asked for again. A cancellation for non-payment is told to the customer (B48)."""
    case = turn.row.cases.get(fact.invoice)
    if case is None:
        turn.note = "no_case"
    elif fact.result == "not_done":
        turn.tell("end_skipped", case, fact.why, effect=fact.effect, details={"action": fact.action})
    else:
        turn.tell("end_performed", case, fact.action, effect=fact.effect, details={"action": fact.action})
        if fact.action == "cancel" and not case.paid:
            notices.cancelled(turn, case)

"""Cases that ended for a reason that can be revoked: read again when Stripe reports that they go on, and reopened when the read shows
it."""

from recovery.contracts.customer import Case
from recovery.contracts.facts import InvoiceRead
from recovery.decide.handlers.commands import forbidden
from recovery.decide.rules.event_order import older
from recovery.decide.transition import Transition

REVOCABLE: frozenset[str] = frozenset({"cancelled", "subscription_unpaid", "paused_too_long", "human_owns_it"})
"""Reasons of a closed case that may turn out not to hold any more: who cancels may change their mind."""


def possible(turn: Transition, case: Case) -> bool:
    """Whether the case may be opened again: nothing came, and no person forbade it."""
    return case.status == "closed" and case.reason in REVOCABLE and not case.paid and not forbidden(turn.row, case.invoice, turn.now)


def request_reread(turn: Transition, case: Case, because: str) -> None:
    """Ask how the invoice and its subscription stand now; the answer decides whether the case goes on."""
    case.read_at = turn.now
    turn.record("case_updated", case, because)


def shown(turn: Transition, case: Case, fact: InvoiceRead) -> bool:
    """Open the case again if this read is newer than its end; it takes up where it stood. Answers whether it is open."""
    if case.ended_at is None or not possible(turn, case) or not older(case.ended_at, fact.occurred_at):
        return False
    case.status, case.reason, case.ended_at = "retrying", "goes_on", None
    turn.record("case_updated", case, "goes_on")
    return True

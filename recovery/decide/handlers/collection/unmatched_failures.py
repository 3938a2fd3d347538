"""Buffers failed charges and intents that arrive before the invoice's failure; they join the case when it opens.

Only for customers that already have state: most failed charges belong to a checkout, and a payment that never failed must leave no state.
The read that follows every failure shows the same and more; the buffer serves only where that read fails.
"""

from datetime import datetime, timedelta

from recovery.contracts.customer import Case, Customer, UnmatchedFailure
from recovery.contracts.facts import ChargeFailed, IntentFailed

KEEP = timedelta(hours=24)
"""How long before an invoice's failure its charge may arrive."""
MOST = 8
"""So many are kept at once, the latest."""


def remember(row: Customer, fact: ChargeFailed | IntentFailed) -> None:
    """Keep a failure of which no open case is known."""
    hint = UnmatchedFailure(fact.occurred_at, fact.invoice, fact.amount_minor, fact.currency, fact.decline, fact.card)
    row.unmatched_failures = [*[known for known in row.unmatched_failures if known.at > fact.occurred_at - KEEP][1 - MOST :], hint]


def join(row: Customer, case: Case) -> None:
    """Give a case that opens the words of its failed charge, where exactly one kept failure can be meant."""
    forget(row, case.failed_at)
    fitting = [hint for hint in row.unmatched_failures if _about(case, hint)]
    if not fitting:
        return
    row.unmatched_failures = [hint for hint in row.unmatched_failures if hint not in fitting]
    latest = max(fitting, key=lambda hint: hint.at)
    alike = {hint.decline.decline_code or hint.decline.code for hint in fitting}
    if case.decline is None and (latest.invoice or len(alike) == 1):
        case.decline, case.card = latest.decline, latest.card or case.card


def _about(case: Case, hint: UnmatchedFailure) -> bool:
    if hint.at > case.failed_at + KEEP:  # the failure is told late, and the charge is a later one
        return False
    if hint.invoice:
        return hint.invoice == case.invoice
    return (hint.amount, hint.currency) == (case.outstanding_minor, case.currency)


def forget(row: Customer, now: datetime) -> None:
    """Drop what is too old to be joined."""
    if row.unmatched_failures:
        row.unmatched_failures = [hint for hint in row.unmatched_failures if hint.at > now - KEEP]

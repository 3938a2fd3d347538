"""What may still be attempted on a card and on an invoice, all actors' attempts counted (B31, product decisions 10 and 42)."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from recovery.contracts.customer import Attempt, Customer
from recovery.policy import Budgets

KEEP = timedelta(days=35)
"""How long an attempt is remembered: the longest window of a network, and a margin."""

_DAY, _MONTH = timedelta(hours=24), timedelta(days=30)


def windows(brand: str, budgets: Budgets) -> tuple[tuple[int, timedelta], ...]:
    """The limits of a brand: at most so many attempts within so long."""
    if brand == "visa":
        return ((budgets.visa_30_days, _MONTH),)
    if brand == "mastercard":
        return ((budgets.mastercard_24_hours, _DAY), (budgets.mastercard_30_days, _MONTH))
    return ((budgets.other_30_days, _MONTH),)


def free_at(attempts: Iterable[Attempt], fingerprint: str, brand: str, budgets: Budgets, now: datetime) -> datetime:
    """When the card may be tried next by its budget: `now` if at once. A success starts the count anew; an unknown card has no count."""
    if not fingerprint:
        return now
    times: list[datetime] = []
    for attempt in sorted((a for a in attempts if a.fingerprint == fingerprint), key=lambda a: a.at):
        times = [] if attempt.succeeded else [*times, attempt.at]
    free = now
    for most, window in windows(brand, budgets):
        if len(times) >= most:
            free = max(free, times[-most] + window)
    return free


def tried(attempts: Iterable[Attempt], invoice: str) -> int:
    """How many attempts on this invoice reached a bank, whoever made them."""
    return sum(1 for attempt in attempts if attempt.invoice == invoice)


def remember(row: Customer, attempt: Attempt, now: datetime) -> bool:
    """Keep the attempt unless its charge is already known; forgets what is older than KEEP. Answers whether it was new."""
    for known in row.attempts:
        if known.charge == attempt.charge:
            known.invoice = known.invoice or attempt.invoice
            known.fingerprint = known.fingerprint or attempt.fingerprint
            return False
    if row.attempts and row.attempts[0].at < now - KEEP:
        row.attempts = [known for known in row.attempts if known.at >= now - KEEP]
    row.attempts.append(attempt)
    return True

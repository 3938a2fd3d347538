"""What may still be attempted on a card and on an invoice, all actors' attempts counted (B31)."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from recovery.contracts.customer import CardAttempt, Customer
from recovery.contracts.facts import Card
from recovery.policy import NETWORK_LIMITS, Budgets
from recovery.vocabulary import Money

KEEP = timedelta(days=35)
"""How long an attempt is remembered: the longest window of a network, and a margin."""

MOST, OF_A_CARD, MOST_OF_ALL = 256, 64, 2_000
"""From so many attempts on a row keeps so many of one card, and those on open invoices; in all so many, the latest."""
ANSWER = timedelta(hours=25)
"""So long the answer to a charge is awaited; one that is out for longer is in doubt, and counts as made."""

_DAY, _MONTH = timedelta(hours=24), timedelta(days=30)


class Remaining(NamedTuple):
    """One limit of a card: so many of `most` attempts are left within `window`; the next is free at `free_at`."""

    most: int
    used: int
    window: timedelta
    free_at: datetime

    @property
    def left(self) -> int:
        """Attempts that may be made now."""
        return max(0, self.most - self.used)


class Fee(NamedTuple):
    """What a network takes for each attempt above its limits, from a day on; minor units of `currency`."""

    since: datetime
    minor: int
    currency: str


FEES: dict[str, tuple[Fee, ...]] = {
    # Visa: 0.10 domestic and within Europe, 0.15 international, 0.25 interregional; the dearest, as the route is unknown
    "visa": (Fee(datetime(2021, 4, 17, tzinfo=UTC), 15, "usd"), Fee(datetime(2026, 4, 25, tzinfo=UTC), 25, "usd")),
    # Mastercard's Excessive Attempts fee
    "mastercard": (
        Fee(datetime(2023, 1, 1, tzinfo=UTC), 15, "usd"),
        Fee(datetime(2024, 1, 1, tzinfo=UTC), 30, "usd"),
        Fee(datetime(2025, 1, 1, tzinfo=UTC), 50, "usd"),
    ),
}
"""Fees per excess attempt by brand, the oldest first."""

VISA_LIMITS: tuple[tuple[datetime, int], ...] = (
    (datetime(2021, 4, 17, tzinfo=UTC), 15),
    (datetime(2025, 5, 25, tzinfo=UTC), NETWORK_LIMITS["visa_30_days"]),
)
"""Attempts on a Visa card in 30 days that the network allows, from a day on."""


def windows(brand: str, budgets: Budgets) -> tuple[tuple[int, timedelta], ...]:
    """The limits of a brand: at most so many attempts within so long."""
    if brand == "visa":
        return ((budgets.visa_30_days, _MONTH),)
    if brand == "mastercard":
        return ((budgets.mastercard_24_hours, _DAY), (budgets.mastercard_30_days, _MONTH))
    return ((budgets.other_30_days, _MONTH),)


def network_windows(brand: str, now: datetime) -> tuple[tuple[int, timedelta], ...]:
    """The limits that the network itself sets on that day; none is known for other brands."""
    if brand == "visa":
        most = [limit for since, limit in VISA_LIMITS if since <= now]
        return ((most[-1], _MONTH),) if most else ()
    if brand == "mastercard":
        return ((NETWORK_LIMITS["mastercard_24_hours"], _DAY), (NETWORK_LIMITS["mastercard_30_days"], _MONTH))
    return ()


def counted(attempts: Iterable[CardAttempt], fingerprint: str, since: datetime) -> list[datetime]:
    """When the card was tried after that moment, oldest first; a success starts the count anew. Nothing for an unknown card."""
    times: list[datetime] = []
    if not fingerprint:
        return times
    for attempt in sorted((a for a in attempts if a.fingerprint == fingerprint), key=lambda a: a.at):
        times = [] if attempt.succeeded else [*times, attempt.at]
    return [at for at in times if at > since]


def reserve(row: Customer, attempt: CardAttempt) -> None:
    """Count a charge from the moment of its request; `charge` is its effect."""
    row.out = [*row.out, attempt]


def answered(row: Customer, effect: str) -> None:
    """What became of a charge is known: from now on it counts as what it was, or not at all."""
    if row.out:
        row.out = [out for out in row.out if out.charge != effect]


def on_card(row: Customer, fingerprint: str) -> list[CardAttempt]:
    """What counts on a card: the attempts made, and the charges that are out on it, or on a card of the customer that is not known."""
    if not row.out or not fingerprint:
        return row.attempts
    out = (each for each in row.out if each.fingerprint in {"", fingerprint})
    return [*row.attempts, *(CardAttempt(each.charge, each.at, each.invoice, fingerprint, each.brand, succeeded=False) for each in out)]


def answer_due(row: Customer, now: datetime) -> datetime | None:
    """When the next of the charges that are out has its answer or is in doubt; None when none is awaited."""
    return min((out.at + ANSWER for out in row.out if out.at + ANSWER > now), default=None)


def free_at(attempts: Iterable[CardAttempt], fingerprint: str, brand: str, budgets: Budgets, now: datetime) -> datetime:
    """When the card may be tried next by its budget: `now` if at once. A success starts the count anew; an unknown card has no count."""
    if not fingerprint:
        return now
    times = counted(attempts, fingerprint, now - KEEP)
    return max([now, *(times[-most] + window for most, window in windows(brand, budgets) if len(times) >= most)])


def remaining(attempts: Iterable[CardAttempt], card: Card, budgets: Budgets, now: datetime) -> tuple[Remaining, ...]:
    """What is left of each of the card's limits; nothing for a card without fingerprint, which cannot be counted."""
    if not card.fingerprint:
        return ()
    times = counted(attempts, card.fingerprint, now - KEEP)
    left = []
    for most, window in windows(card.brand, budgets):
        used = [at for at in times if at > now - window]
        left.append(Remaining(most, len(used), window, used[-most] + window if len(used) >= most else now))
    return tuple(left)


def exposure(attempts: Iterable[CardAttempt], card: Card, now: datetime, further: int = 0) -> Money | None:
    """The fees for attempts above the network's own limits, `further` ones made now included; None where no fee is published.

    At today's fee; an attempt above two limits is charged once. The first attempt of a payment is not a reattempt and is counted
    nevertheless: we may not have seen it, and too high an estimate is the safe side.
    """
    fees = [fee for fee in FEES.get(card.brand, ()) if fee.since <= now]
    if not fees or not card.fingerprint:
        return None
    times = counted(attempts, card.fingerprint, now - KEEP) + [now] * further
    excess = max(len([at for at in times if at > now - window]) - most for most, window in network_windows(card.brand, now))
    return Money(max(0, excess) * fees[-1].minor, fees[-1].currency)


def budget_details(attempts: Iterable[CardAttempt], card: Card, budgets: Budgets, now: datetime) -> dict[str, str]:
    """What an event says where a budget decided: the tightest limit, when it is free, and what an attempt now would cost in fees."""
    known = list(attempts)
    tightest = min(remaining(known, card, budgets, now), key=lambda limit: (limit.left, -limit.free_at.timestamp()), default=None)
    if tightest is None:
        return {}
    details = {
        "used": str(tightest.used),
        "limit": str(tightest.most),
        "window_hours": str(tightest.window // timedelta(hours=1)),
        "free_at": tightest.free_at.isoformat(),
    }
    fees = exposure(known, card, now, further=1)
    return details | ({"fee_minor": str(fees.minor), "fee_currency": fees.currency} if fees is not None else {})


def attempts_on_invoice(attempts: Iterable[CardAttempt], invoice: str) -> int:
    """How many of the attempts are on this invoice, made by us or not."""
    return sum(1 for attempt in attempts if attempt.invoice == invoice)


def remember(row: Customer, attempt: CardAttempt, now: datetime) -> bool:
    """Keep the attempt unless its charge is already known; forgets what is too old. Answers whether it was new."""
    for known in row.attempts:
        if known.charge == attempt.charge:
            known.invoice = known.invoice or attempt.invoice
            known.fingerprint = known.fingerprint or attempt.fingerprint
            return False
    forget(row, now)
    row.attempts.append(attempt)
    if len(row.attempts) > MOST and len(row.attempts) % 64 == 0:
        _bound(row)
    return True


def _bound(row: Customer) -> None:
    """The latest attempts are kept of a card that is tried again and again, as when a fraudster tests stolen numbers, and more of open
    invoices: more than any limit of a network counts. Of very many cards the latest attempts are kept."""
    counts: Counter[str] = Counter()
    kept: list[CardAttempt] = []
    for attempt in sorted(row.attempts, key=lambda known: known.at, reverse=True):
        counts[attempt.fingerprint] += 1
        if counts[attempt.fingerprint] <= OF_A_CARD or (attempt.invoice and _is_open(row, attempt.invoice)):
            kept.append(attempt)
    row.attempts = kept[:MOST_OF_ALL][::-1]


def forget(row: Customer, now: datetime) -> None:
    """Drop the attempts that are older than KEEP, and charges never answered, but for those on an open case: its budget has no end."""
    oldest = now - KEEP
    if row.out:
        row.out = [out for out in row.out if out.at > oldest or _is_open(row, out.invoice)]
    if any(known.at <= oldest for known in row.attempts):
        row.attempts = [known for known in row.attempts if known.at > oldest or _is_open(row, known.invoice)]


def _is_open(row: Customer, invoice: str) -> bool:
    case = row.cases.get(invoice)
    return case is not None and case.active

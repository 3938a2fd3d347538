"""The ledger over the events: every recovered unit of money has exactly one cause, and the parts sum to the total, per currency."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import get_args

from recovery.contracts.events import Event
from recovery.vocabulary import RecoveryCause

CAME: frozenset[str] = frozenset({"payment_recovered", "partial_payment"})
"""Events that report money that arrived; `recovery_reversed` reports money that went back."""
CAUSES: frozenset[str] = frozenset(get_args(RecoveryCause))


def parts(events: Iterable[Event]) -> dict[str, dict[str, int]]:
    """What each cause brought back, less what went back of it: minor units by currency and cause."""
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for event in events:
        found[event.currency][event.recovered_by] += _signed(event)
    return {
        currency: {cause: minor for cause, minor in causes.items() if minor} for currency, causes in found.items() if any(causes.values())
    }


def totals(events: Iterable[Event]) -> dict[str, int]:
    """All that came back, less all that went back: minor units by currency."""
    found: Counter[str] = Counter()
    for event in events:
        found[event.currency] += _signed(event)
    return {currency: minor for currency, minor in found.items() if minor}


def problems(events: Iterable[Event]) -> list[str]:
    """What is wrong with the ledger, in sentences; empty when each unit has one cause with evidence and none went back twice."""
    recorded = list(events)
    money = [event for event in recorded if _signed(event)]
    found = [f"{_named(event)} has the cause {event.recovered_by!r}." for event in money if event.recovered_by not in CAUSES]
    found += [f"{_named(event)} has no evidence." for event in money if event.event_type in CAME and "evidence" not in event.details]
    left: Counter[tuple[str, str]] = Counter()
    for event in money:
        left[event.invoice, event.recovered_by] += _signed(event)
        if left[event.invoice, event.recovered_by] < 0:
            found.append(f"{_named(event)} takes back more than {event.recovered_by} brought.")
    by_cause = {currency: sum(causes.values()) for currency, causes in parts(recorded).items()}
    if {currency: minor for currency, minor in by_cause.items() if minor} != totals(recorded):
        found.append(f"The parts sum to {by_cause}, the total is {totals(recorded)}.")
    return found


def _signed(event: Event) -> int:
    if event.event_type == "recovery_reversed":
        return -abs(event.recovered_minor)
    return event.recovered_minor if event.event_type in CAME else 0


def _named(event: Event) -> str:
    return f"{event.event_type} {event.invoice} ({event.sequence})"

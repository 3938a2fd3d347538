"""Bounds facts to plausible values: times near the present, possible amounts. Whatever passes the contract is decided without error.

Where data enters, values beyond the limits are refused. Here, a time that no clock of ours or Stripe's could have given is replaced by the
nearest possible one, relative to the present of the decision; a fact with an impossible amount is recorded and decides nothing.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from recovery.contracts import facts
from recovery.contracts.facts import Fact, InvoiceFact, InvoiceState, SeenAttempt

EARLIEST = datetime(2010, 1, 1, tzinfo=UTC)
"""Stripe is younger."""
LATEST = datetime(2100, 1, 1, tzinfo=UTC)
"""No decision is made later: sums of times stay within the calendar, and within what the warehouse holds."""
AHEAD = timedelta(days=1)
"""So far ahead of the present a clock may be."""
FAR = timedelta(days=365)
"""So far ahead lies what is to come: an attempt of Stripe's, the end of a snooze."""
FARTHEST = timedelta(days=3 * 366)
"""So far ahead lies a renewal; Stripe's longest interval is three years."""
MOST_MINOR = 10**12
"""No amount is greater, to either side of 0, in minor units of any currency."""
STATED: frozenset[type[Fact]] = frozenset({facts.InvoiceRead, facts.ChargeSettled, facts.MessageSettled, facts.SubscriptionEndSettled})
"""Outcomes that carry the result of an invoice read."""
AMOUNTS: tuple[str, ...] = ("amount_minor", "amount_refunded", "disputed_minor")
STATED_AMOUNTS: tuple[str, ...] = ("amount_due", "amount_paid", "amount_remaining", "paid_off_stripe")


def present(now: datetime) -> datetime:
    """The time of a decision, within the years in which one is made."""
    return min(max(now, EARLIEST), LATEST)


def believed(fact: Fact, now: datetime) -> Fact:
    """The fact with its times as far as they can be believed at `now`; itself where they can, which is nearly always."""
    changed: dict[str, Any] = {}
    received = min(max(fact.received_at, EARLIEST), LATEST)
    latest = max(now, min(received, now + FAR)) + AHEAD
    if received is not fact.received_at:
        changed["received_at"] = received
    if not EARLIEST <= fact.occurred_at <= latest:
        changed["occurred_at"] = min(max(fact.occurred_at, EARLIEST), latest)
    state = getattr(fact, "state", None) if isinstance(fact, InvoiceFact) or type(fact) in STATED else None
    if state is not None:
        shown = _state(state, latest, now)
        if shown is not state:
            changed["state"] = shown
    if isinstance(fact, facts.InvoiceRead) and any(not EARLIEST <= seen.at <= latest for seen in fact.attempts):
        changed["attempts"] = tuple(_attempt(seen, latest) for seen in fact.attempts)
    return msgspec.structs.replace(fact, **changed) if changed else fact


def no_money(fact: Fact) -> bool:
    """Whether an amount of the fact is beyond what money can be; such a fact decides nothing."""
    if isinstance(fact, InvoiceFact) or type(fact) in STATED:
        state = getattr(fact, "state", None)
        return state is not None and any(abs(getattr(state, name)) > MOST_MINOR for name in STATED_AMOUNTS)
    return any(abs(getattr(fact, name, 0)) > MOST_MINOR for name in AMOUNTS)


def _state(state: InvoiceState, latest: datetime, now: datetime) -> InvoiceState:
    changed: dict[str, datetime] = {}
    if not EARLIEST <= state.created <= latest:
        changed["created"] = min(max(state.created, EARLIEST), latest)
    for name, at, last in (("next_payment_attempt", state.next_payment_attempt, now + FAR), ("renews_at", state.renews_at, now + FARTHEST)):
        if at is not None and not EARLIEST <= at <= last:
            changed[name] = min(max(at, EARLIEST), last)
    return msgspec.structs.replace(state, **changed) if changed else state


def _attempt(seen: SeenAttempt, latest: datetime) -> SeenAttempt:
    return msgspec.structs.replace(seen, at=min(max(seen.at, EARLIEST), latest))

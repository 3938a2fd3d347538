"""What no plausible life holds: times and amounts at the ends of what a message can carry, and clocks that jump."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import msgspec

from recovery.contracts import facts
from recovery.contracts.facts import Fact, InvoiceState

JUMPS = (timedelta(hours=30), timedelta(days=2), timedelta(days=9), timedelta(days=60), timedelta(days=400))
"""How long the stack is off, or the clock wrong: past several appointments at once."""
MOMENTS = (
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(2201, 1, 1, tzinfo=UTC),
    datetime.max.replace(tzinfo=UTC),
)
AMOUNTS = (0, -1, -4900, 1, 10**12, 10**12 + 1, 2**53, 2**63 - 1, -(2**63) + 1)


def moment(luck: Random, now: datetime) -> datetime:
    """A time at an end of the calendar, or some way off."""
    return luck.choice((*MOMENTS, now + timedelta(days=luck.choice((-400, -3, 1, 300, 2000)))))


def twisted(luck: Random, fact: Fact, now: datetime) -> Fact:
    """The fact with one of its times or amounts at an end; the message is still one that the contract lets through."""
    places = [name for name in TIMES + SUMS if name in fact.__struct_fields__]
    state = getattr(fact, "state", None)
    if isinstance(state, InvoiceState) and luck.random() < 0.5:
        return msgspec.structs.replace(fact, state=_state(luck, state, now))  # type: ignore[call-arg] # it has a state
    if isinstance(fact, facts.RetryTimesOffered):
        return msgspec.structs.replace(fact, slots=(*fact.slots, facts.Slot(at=moment(luck, now))))
    return _with(luck, fact, luck.choice(places), now)


TIMES: tuple[str, ...] = ("occurred_at", "until", "next_charge_at")
SUMS: tuple[str, ...] = ("amount_minor", "amount_refunded", "disputed_minor")
STATED: tuple[str, ...] = (
    "created",
    "next_payment_attempt",
    "renews_at",
    "amount_due",
    "amount_paid",
    "amount_remaining",
    "paid_off_stripe",
)


def _state(luck: Random, state: InvoiceState, now: datetime) -> InvoiceState:
    return _with(luck, state, luck.choice(STATED), now)


def _with(luck: Random, told: Any, name: str, now: datetime) -> Any:
    is_time = name in TIMES or name in STATED[:3]
    return msgspec.structs.replace(told, **{name: moment(luck, now) if is_time else luck.choice(AMOUNTS)})

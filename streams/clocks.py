"""What a program with a wrong clock says is not believed: the broker's own time of a record is the measure. Pure."""

import logging
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from recovery.contracts.encoding.codec import Unprocessable
from recovery.contracts.facts import (
    AlertSettled,
    ChargeRead,
    ChargeSettled,
    Fact,
    InvoiceRead,
    MessageSettled,
    ReadFailed,
    SubscriptionEndSettled,
    TimePassed,
    WebhookSettled,
)
from recovery.contracts.limits import CLOCK_AHEAD
from streams.transactional_shard import Record

log = logging.getLogger(__name__)
OUTCOMES: Final = frozenset(
    (
        AlertSettled,
        ChargeRead,
        ChargeSettled,
        InvoiceRead,
        MessageSettled,
        ReadFailed,
        SubscriptionEndSettled,
        WebhookSettled,
    )
)
"""Facts whose `occurred_at` is read from a clock of ours."""
_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_AHEAD_MS: Final = CLOCK_AHEAD.total_seconds() * 1000


def check_clock(record: Record, tick: TimePassed) -> None:
    """Raise Unprocessable when a tick is ahead of the broker's time: it would move every decision ahead, for good."""
    latest = _latest(record)
    if latest is not None and tick.occurred_at > latest:
        reason = (
            f"The tick says {tick.occurred_at.isoformat()}, more than {CLOCK_AHEAD} ahead of the broker's time of its record. "
            "A ticker's clock or the broker's is wrong."
        )
        log.error("%s It is dead-lettered.", reason)
        raise Unprocessable(reason)


def on_time(record: Record, fact: Fact) -> Fact:
    """The fact. One that happened after the broker received it gets the broker's time, because losing it would be worse.

    A fact that Stripe dates ahead would otherwise hide every newer one until then.
    """
    if record.timestamp <= 0 or fact.occurred_at.timestamp() * 1000 <= record.timestamp + _AHEAD_MS or isinstance(fact, TimePassed):
        return fact
    report = log.error if type(fact) in OUTCOMES else log.info
    report("%s says %s, ahead of the broker's time of its record, which is taken: a clock is wrong", fact.id, fact.occurred_at)
    return msgspec.structs.replace(fact, occurred_at=_EPOCH + timedelta(milliseconds=record.timestamp))


def _latest(record: Record) -> datetime | None:
    """The latest time that a clock of ours may have said in this record; None where the broker keeps no time."""
    if record.timestamp <= 0:
        return None
    return _EPOCH + timedelta(milliseconds=record.timestamp) + CLOCK_AHEAD

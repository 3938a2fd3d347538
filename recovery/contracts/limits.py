"""How large, how long, how deep, how far away in time things may be: the one table of limits, printed as docs/limits.md.

Every limit is enforced where data enters, and again by whoever reads it from a topic. What is beyond one is dead-lettered with its reason.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

ID_LENGTH: Final = 255
"""Characters of an id that Stripe or a merchant chose, and of a word such as a status; Stripe's own ids have no more."""
DERIVED_ID_LENGTH: Final = 2_048
"""Characters of an id that is made of others (effects, outcomes, causes): five ids at their limit. A PostgreSQL index takes 2,700."""
TEXT_LENGTH: Final = 2_000
"""Characters of a text for people: why something was asked for, or failed."""
KEY_BYTES: Final = 1_024
"""Of a message's key: account and customer at their limits, and some room."""
NESTING: Final = 64
"""Levels of JSON within a message or a webhook's body."""
AMOUNT: Final = 10**12
"""Minor units, to either side of 0: ten thousand million euros, or a million million yen."""
COUNT: Final = 10**6
"""Of things that are counted: attempts, tries, steps, years."""
LIST_ITEMS: Final = 1_000
"""Items of a list within a message: attempts on an invoice, other invoices that a mail names."""

FIRST_MOMENT: Final = datetime(2010, 1, 1, tzinfo=UTC)
"""Stripe is younger."""
LAST_MOMENT: Final = datetime(2100, 1, 1, tzinfo=UTC)
"""The end of any time at all: far enough from the calendar's own end that sums of times stay within it."""
AHEAD_OF_ARRIVAL: Final = timedelta(days=1)
"""How far what happened may lie after its arrival: clocks differ."""
HORIZON: Final = timedelta(days=3_653)
"""How far after a message's arrival a time within it may lie: ten years; Stripe's longest interval of billing is three."""
CLOCK_AHEAD: Final = timedelta(minutes=10)
"""How far a tick or an outcome may be ahead of the broker's time of its own record."""
TICK_STEP: Final = timedelta(days=1)
"""The longest step of time that a single tick may make; a longer one is taken when a second tick confirms it."""

BODY_BYTES: Final = 512 << 10
"""Of a webhook."""
MESSAGE_BYTES: Final = 512 << 10
"""Of a fact, effect or event."""
PARKED_BYTES: Final = 950_000
"""Of a dead letter of streams and sinks: below what librdkafka and every broker take unasked, so that it can always be written."""
TOPIC_BYTES: Final = 1 << 20
"""Of a message on any topic without a limit of its own; the broker's own default is 88 bytes more with a batch's header."""
LARGEST_BYTES: Final = 2 << 20
"""Of a message with a webhook's body in it: at most 512 KiB, a third more as base64 in a dead letter, and the envelope."""
ROW_BYTES: Final = 900_000
"""Of a customer's row on the changelog."""
OPEN_CASES: Final = 2_000
"""Open invoices of one customer."""

BATCH_SECONDS: Final = 5.0
"""Of the work of one transaction; the broker ends it after 20."""
BATCH_BYTES: Final = 16 << 20
"""Of the facts of one transaction."""
BATCH_RECORDS: Final = 500
"""Facts of one transaction."""


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table.

    `name` is its constant here; `value` a number, or a time in ISO 8601; `unit` what is counted; `where` who refuses; `beyond` what becomes
    of the message.
    """

    name: str
    value: int | float | str
    unit: str
    of: str
    where: str
    beyond: str


def _limit(name: str, unit: str, of: str, where: str, beyond: str) -> Limit:
    value = globals()[name]
    if isinstance(value, timedelta):
        value = value.total_seconds()
        value = int(value)
    return Limit(name=name, value=value.isoformat() if isinstance(value, datetime) else value, unit=unit, of=of, where=where, beyond=beyond)

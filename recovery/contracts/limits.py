"""The one table of limits: sizes, lengths, depths and distances in time. Printed as docs/limits.md.

Every limit is enforced where data enters, and again by every consumer that reads the data from a topic. A message beyond a limit is
dead-lettered with its reason.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

ID_LENGTH: Final = 255
"""Characters of an id that Stripe or a merchant chose, and of a word such as a status; Stripe's own ids have no more."""
DERIVED_ID_LENGTH: Final = 2_048
"""Characters of an id that is made of others (effects, outcomes, causes): five ids at their limit. A PostgreSQL index takes 2,700."""
TEXT_LENGTH: Final = 2_000
"""Characters of a text for people, such as the reason of a command or of a failure."""
KEY_BYTES: Final = 1_024
"""Of a message's key: account and customer at their limits, and some room."""
NESTING: Final = 64
"""Levels of JSON within a message on a topic."""
AMOUNT: Final = 10**12
"""Minor units, to either side of 0. Stripe's largest amount has twelve digits (Indonesian rupiahs), in most currencies eight."""
COUNT: Final = 10**6
"""Of things that are counted: attempts, tries, steps, years."""
LIST_ITEMS: Final = 2_000
"""Items of a list within a message: attempts on an invoice, other invoices that a mail names."""

FIRST_MOMENT: Final = datetime(2010, 1, 1, tzinfo=UTC)
"""Stripe is younger."""
LAST_MOMENT: Final = datetime(2100, 1, 1, tzinfo=UTC)
"""The end of any time at all: far enough from the calendar's own end that sums of times stay within it."""
LAST_YEAR: Final = 2099
"""In which a card can expire."""
AHEAD_OF_ARRIVAL: Final = timedelta(days=1)
"""How far what happened may lie after its arrival: clocks differ."""
HORIZON: Final = timedelta(days=3_653)
"""How far after a message's arrival a time within it may lie: ten years; Stripe's longest interval of billing is three."""
CLOCK_AHEAD: Final = timedelta(minutes=10)
"""How far a fact may be ahead of the broker's time of its own record."""
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
OPEN_CASES: Final = 1_000
"""Open invoices of one customer."""
ENDED_CASES: Final = 1_000
"""Ended cases of one customer that are remembered, for refunds and repeated failures; each at most for 180 days."""

BATCH_SECONDS: Final = 5
"""Of the work of one transaction; the broker ends it after 20."""
BATCH_BYTES: Final = 16 << 20
"""Of the facts of one transaction."""
BATCH_RECORDS: Final = 4_000
"""Facts of one transaction."""


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table.

    `name` is its constant here; `value` a number, or a time in ISO 8601; `unit` what is counted; `of` what it bounds; `where` who refuses;
    `beyond` what becomes of the message.
    """

    name: str
    value: int | float | str
    unit: str
    of: str
    where: str
    beyond: str


_EVERY_ENTRY = "gateway; every decoder"
_PARKED = "the webhook, or the message, is dead-lettered with the reason"


def _limit(name: str, unit: str, of: str, where: str = _EVERY_ENTRY, beyond: str = _PARKED) -> Limit:
    value = globals()[name]
    if isinstance(value, timedelta):
        value = int(value.total_seconds())
    return Limit(name=name, value=value.isoformat() if isinstance(value, datetime) else value, unit=unit, of=of, where=where, beyond=beyond)


_AT_ONCE = "the transaction ends; the rest follows in the next one"

LIMITS: Final = (
    _limit("ID_LENGTH", "characters", "an id or a word from outside, all printable; also so many bytes in UTF-8"),
    _limit("DERIVED_ID_LENGTH", "characters", "an id made of others", "every decoder"),
    _limit("TEXT_LENGTH", "characters", "a text for people; what is not printable is replaced", "commands; every decoder"),
    _limit("KEY_BYTES", "bytes", "a message's key", "streams", "the fact is dead-lettered under a key that is cut"),
    _limit("NESTING", "levels", "the JSON of a message", "every decoder"),
    _limit("AMOUNT", "minor units", "an amount, to either side of 0"),
    _limit("COUNT", "", "a number of attempts, tries or steps, to either side of 0"),
    _limit(
        "LAST_YEAR",
        "year",
        "a card's expiry",
        "Stripe's objects; every decoder",
        "it counts as unknown; in a message, that is dead-lettered",
    ),
    _limit("LIST_ITEMS", "items", "a list within a message", "every decoder"),
    _limit("FIRST_MOMENT", "time", "the earliest time in a message"),
    _limit("LAST_MOMENT", "time", "the latest time in a message"),
    _limit("AHEAD_OF_ARRIVAL", "seconds", "how far `occurred_at` of a fact may lie after `received_at`"),
    _limit("HORIZON", "seconds", "how far any other time in a message may lie after it"),
    _limit(
        "CLOCK_AHEAD",
        "seconds",
        "how far a tick or any other fact may be ahead of the broker's time of its record",
        "streams",
        "the tick is dead-lettered, with an error in the log; any other fact gets the broker's time",
    ),
    _limit("TICK_STEP", "seconds", "the step of time that one tick makes", "streams", "the tick is held until the next one confirms it"),
    _limit("BODY_BYTES", "bytes", "a webhook's body", "gateway", "answered 413"),
    _limit(
        "MESSAGE_BYTES",
        "bytes",
        "a fact, effect or event",
        "streams and effects sink when writing; every decoder",
        "what would lead to it is dead-lettered before anything is written",
    ),
    _limit(
        "PARKED_BYTES",
        "bytes",
        "a dead letter of streams and sinks",
        "when encoding",
        "it holds a reference (topic, partition, offset, SHA-256) in place of the bytes",
    ),
    _limit("TOPIC_BYTES", "bytes", "a message on a topic", "broker", "never reached"),
    _limit("LARGEST_BYTES", "bytes", "a message on `raw`, `parked.gateway` and of any producer", "broker, producers", "never reached"),
    _limit(
        "ROW_BYTES",
        "bytes",
        "a customer's row",
        "streams",
        "the fact is dead-lettered; one that opens a case already 100,000 bytes before",
    ),
    _limit("OPEN_CASES", "invoices", "open invoices of one customer", "streams", "`failure_ignored` with the reason `too_many_cases`"),
    _limit("ENDED_CASES", "invoices", "ended cases of one customer", "streams", "the case that ended first is forgotten"),
    _limit("BATCH_SECONDS", "seconds", "the work of one transaction", "streams", _AT_ONCE),
    _limit("BATCH_BYTES", "bytes", "the facts of one transaction", "streams", _AT_ONCE),
    _limit("BATCH_RECORDS", "facts", "one transaction", "streams", "the rest is fetched after it"),
)
"""Every limit, for the documentation and for proofs that try each at -1, 0 and +1."""


def table() -> str:
    """The limits as a table in Markdown, for docs/limits.md."""
    lines = ["| limit | value | of | who refuses | what is beyond it |", "|---|---|---|---|---|"]
    for one in LIMITS:
        value = f"{one.value:,}" if isinstance(one.value, int) and one.unit != "year" else str(one.value)
        unit = "" if one.unit in {"time", "year"} else f" {one.unit}".rstrip()
        lines.append(f"| `{one.name}` | {value}{unit} | {one.of} | {one.where} | {one.beyond} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())

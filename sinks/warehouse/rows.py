"""Event to row, pure: everything that ClickHouse could refuse is refused here, where one message can be parked alone."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from recovery.contracts.codec import Unprocessable, decode_event
from recovery.contracts.warehouse import EVENT_COLUMNS

_MAX_UINT16 = 2**16 - 1
_MAX_UINT32 = 2**32 - 1
_MAX_INT64 = 2**63 - 1
_LIMITS: dict[str, tuple[int, int]] = {
    "sequence": (0, _MAX_INT64),
    "version": (0, _MAX_UINT16),
    "policy_version": (0, _MAX_UINT32),
    "retry_count": (0, _MAX_UINT32),
    "dunning_step": (0, _MAX_UINT32),
    "amount_minor": (-_MAX_INT64, _MAX_INT64),
    "recovered_minor": (-_MAX_INT64, _MAX_INT64),
}
_RENAMED = {"event_id": "id", "schema_version": "version"}
_COPIED = tuple((column, _RENAMED.get(column, column)) for column in EVENT_COLUMNS if not column.startswith("src_"))
_TIMES = frozenset({"occurred_at", "received_at", "next_action_at"})
_encoder = msgspec.json.Encoder()


def line(value: bytes | None, topic: str, partition: int, offset: int) -> bytes:
    """The row of an event message as one JSON line for `dunlin.events`. Raises Unprocessable, saying which field is wrong."""
    event = decode_event(value)
    for field, (lowest, highest) in _LIMITS.items():
        if not lowest <= getattr(event, field) <= highest:
            raise Unprocessable(f"{field} is {getattr(event, field)}; the warehouse holds {lowest} to {highest}.")
    if not event.account or not event.id:
        raise Unprocessable("An event needs an account and an id.")
    row: dict[str, Any] = {column: getattr(event, field) for column, field in _COPIED}
    for column in _TIMES:
        row[column] = _moment(column, row[column])
    row["src_topic"], row["src_partition"], row["src_offset"] = topic, partition, offset
    return _encoder.encode(row)


def _moment(column: str, value: datetime | None) -> str | None:
    if value is None:
        return None
    if value.tzinfo is None:
        raise Unprocessable(f"{column} is {value.isoformat()} without a time zone.")
    if not 1970 <= value.year <= 2200:
        raise Unprocessable(f"{column} is {value.isoformat()}; the warehouse holds the years 1970 to 2200.")
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "milliseconds")

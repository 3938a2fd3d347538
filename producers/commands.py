"""Builds the facts of operators' commands: who, why, and about which customer (B93)."""

from datetime import UTC, datetime
from typing import Any

from recovery.contracts.encoding.codec import decode_fact, encode
from recovery.contracts.fact_types.commands import (
    Command,
    ExcludeRequested,
    ResumeRequested,
    RetryRequested,
    SnoozeRequested,
    StopRequested,
)

KINDS: dict[str, type[Command]] = {
    "retry": RetryRequested,
    "stop": StopRequested,
    "snooze": SnoozeRequested,
    "exclude": ExcludeRequested,
    "resume": ResumeRequested,
}
"""The commands by the word that people type."""


def build_command(
    kind: str, about: tuple[str, str, str], until: datetime | None, who: str, why: str, business: datetime, wall: datetime
) -> Command:
    """The fact of a command about (account, customer, invoice); an empty invoice means all of the customer's.

    Raises:
        ValueError: an end is missing where one is needed, given where none is taken, or past, or something is beyond a limit; the message
            says which.

    """
    account, customer, invoice = about
    fields: dict[str, Any] = {"who": who, "why": why, **_end(kind, until, business)}
    command = KINDS[kind](
        id=f"command:{account}:{customer}:{invoice}:{kind}:{int(wall.timestamp() * 1000)}",
        account=account,
        customer=customer,
        invoice=invoice,
        occurred_at=business,
        received_at=wall,
        **fields,
    )
    decode_fact(encode(command))  # the streams would dead-letter what is beyond a limit; the person is told at once
    return command


def moment(text: str) -> datetime:
    """A time typed by a person, in UTC. Raises ValueError for a text that is not a time or has no zone."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is not a time; write it as 2026-12-24T18:00:00+01:00.") from error
    if found.tzinfo is None:
        raise ValueError(f"{text!r} names no zone; end it with Z or with an offset such as +01:00.")
    return found.astimezone(UTC)


def _end(kind: str, until: datetime | None, business: datetime) -> dict[str, datetime]:
    if kind == "snooze" and until is None:
        raise ValueError("A snooze needs its end: --until 2026-12-24T18:00:00+01:00.")
    if until is None:
        return {}
    if kind not in {"snooze", "exclude"}:
        raise ValueError(f"{kind} takes no --until.")
    if until <= business:
        raise ValueError(f"--until {until.isoformat()} is past; it is {business.isoformat(timespec='seconds')} now.")
    return {"until": until}

"""Named CSV exports. ClickHouse writes the file and neutralises formulas; it passes through here piece by piece."""

from collections.abc import Iterator
from datetime import datetime

import msgspec

from dashboard.warehouse_client import FrameSource
from recovery.contracts.warehouse import CASE_COLUMNS, CASES_VIEW, DATABASE, EVENTS_TABLE

_TIMES = frozenset({"occurred_at", "received_at", "inserted_at", "next_action_at", "opened_at", "last_event_at", "recovered_at"})
_NUMBERS = frozenset(
    {
        "amount_minor",
        "recovered_minor",
        "reversed_minor",
        "retry_count",
        "dunning_step",
        "last_sequence",
        "sequence",
        "policy_version",
    }
)
_EVENT_COLUMNS = (
    "occurred_at",
    "event_type",
    "customer",
    "invoice",
    "sequence",
    "status",
    "reason",
    "result",
    "retry_count",
    "dunning_step",
    "amount_minor",
    "recovered_minor",
    "currency",
    "decline_kind",
    "decline_code",
    "recovered_by",
    "next_action",
    "next_action_at",
    "policy_version",
    "effect",
)


class Export(msgspec.Struct, frozen=True):
    """One kind of file: its columns in order, and the rows it holds."""

    title: str
    columns: tuple[str, ...]
    relation: str
    only: str
    order: str


_EVENTS = f"{DATABASE}.{EVENTS_TABLE}"
EXPORTS: dict[str, Export] = {
    "failures": Export(
        "Failures", CASE_COLUMNS[1:], f"{DATABASE}.{CASES_VIEW}", "opened_at >= {since:DateTime64(3)}", "opened_at, invoice"
    ),
    "recoveries": Export(
        "Recoveries",
        _EVENT_COLUMNS,
        _EVENTS,
        "event_type IN ('payment_recovered', 'partial_payment', 'recovery_reversed') AND occurred_at >= {since:DateTime64(3)}",
        "occurred_at, invoice, sequence",
    ),
    "retries": Export(
        "Retries",
        _EVENT_COLUMNS,
        _EVENTS,
        "event_type IN ('retry_attempted', 'retry_skipped', 'retry_recommended') AND occurred_at >= {since:DateTime64(3)}",
        "occurred_at, invoice, sequence",
    ),
    "dunning": Export(
        "Mails",
        _EVENT_COLUMNS,
        _EVENTS,
        "event_type IN ('dunning_scheduled', 'dunning_sent', 'dunning_skipped') AND occurred_at >= {since:DateTime64(3)}",
        "occurred_at, invoice, sequence",
    ),
}
"""Every export by its name. Times are UTC in ISO 8601; amounts are minor units, as whole numbers, beside their currency."""


def sql(name: str) -> str:
    """The query of an export, with `account` and `since` to be bound. Raises KeyError for an unknown name."""
    export = EXPORTS[name]
    columns = ", ".join(f"{_column(column)} AS {column}_" for column in export.columns)
    names = ", ".join(f"{column}_ AS {column}" for column in export.columns)
    return (
        f"SELECT {names} FROM (SELECT {columns} FROM {export.relation} "  # noqa: S608 - constants; the values are bound
        f"WHERE account = {{account:String}} AND {export.only} ORDER BY {export.order}) FORMAT CSVWithNames"
    )


def stream(source: FrameSource, name: str, account: str, since: datetime) -> Iterator[bytes]:
    """The file of an export, piece by piece. Raises KeyError, and Unreachable."""
    return source.stream(sql(name), {"account": account, "since": since})


def whole(source: FrameSource, name: str, account: str, since: datetime) -> bytes:
    """The file of an export in one piece, for a browser's download. Raises KeyError, and Unreachable."""
    return b"".join(stream(source, name, account, since))


def _column(name: str) -> str:
    if name in _TIMES:
        return f"ifNull(formatDateTime({name}, '%Y-%m-%dT%H:%i:%SZ', 'UTC'), '')"
    if name in _NUMBERS:
        return name
    return _safe(name)


def _safe(name: str) -> str:
    """A text that a spreadsheet cannot take for a formula: an apostrophe before = + - @, in full width too, whatever white space or
    invisible characters precede them, and before a leading tab or line end (OWASP, CSV injection)."""
    return rf"if(match({name}, '{_FORMULA}'), concat('\'', {name}), {name})"


_FORMULA = r"^[\\t\\r\\n]|^[\\s\\pZ\\pC]*[-=+@\\x{FF1D}\\x{FF0B}\\x{FF0D}\\x{FF20}\\x{2212}\\x{FE66}\\x{FE62}\\x{FE63}\\x{FE6B}]"
"""How a formula begins, as a regular expression within a string of SQL."""

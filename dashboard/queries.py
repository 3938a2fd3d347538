"""Named, parameterised SQL over the views; each returns a frame with declared columns. No query reads the present time."""

from collections.abc import Sequence
from datetime import datetime

import pandas as pd

from dashboard.warehouse_client import FrameSource
from recovery.contracts.warehouse import (
    CASE_COLUMNS,
    CASES_VIEW,
    DAILY_VIEW,
    DATABASE,
    EVENTS_TABLE,
    MONEY_VIEW,
    TIMELINE_COLUMNS,
    TIMELINE_VIEW,
    WHY_NOT_COLUMNS,
    WHY_NOT_VIEW,
)
from recovery.vocabulary import ACTIVE

_ACTIVE = ", ".join(f"'{status}'" for status in sorted(ACTIVE))
# The names below are constants of the contract; every value is bound by the server.
_OURS = f"{DATABASE}.{CASES_VIEW} WHERE account = {{account:String}} AND currency = {{currency:String}}"
_COHORT = f"{_OURS} AND opened_at >= {{since:DateTime64(3)}}"
_COHORT_COLUMNS = ("failed_n", "failed_minor", "recovered_n", "recovered_minor", "open_n", "open_minor", "blocked_n")
_DAY_COLUMNS = ("day", "failed_n", "failed_minor", "recovered_n", "recovered_minor", "reversed_minor")
_LOG_COLUMNS = (
    "occurred_at",
    "event_type",
    "reason",
    "invoice",
    "customer",
    "status",
    "amount_minor",
    "recovered_minor",
    "currency",
    "result",
)
ACTIVE_SQL = f"""SELECT {", ".join(CASE_COLUMNS)} FROM {_OURS} AND status IN ({_ACTIVE})
    AND (has({{statuses:Array(String)}}, status) OR empty({{statuses:Array(String)}}))
    AND (positionCaseInsensitive(concat(invoice, ' ', customer, ' ', decline_code), {{search:String}}) > 0 OR empty({{search:String}}))"""  # noqa: S608 - constants


def currencies(source: FrameSource, account: str) -> list[str]:
    """The currencies in which an account has failures, the commonest first."""
    sql = f"""SELECT currency FROM {DATABASE}.{CASES_VIEW} WHERE account = {{account:String}}
        GROUP BY currency ORDER BY count() DESC, currency"""  # noqa: S608 - constants
    return [str(name) for name in source.frame(sql, {"account": account}, ["currency"])["currency"]]


def as_of(source: FrameSource, account: str) -> pd.DataFrame:
    """One row: inserted_at and occurred_at of the newest event, and the number of events."""
    sql = f"""SELECT max(inserted_at) AS inserted_at, max(occurred_at) AS occurred_at, count() AS events
        FROM {DATABASE}.{EVENTS_TABLE} WHERE account = {{account:String}}"""  # noqa: S608 - constants
    return source.frame(sql, {"account": account}, ["inserted_at", "occurred_at", "events"])


def cohort(source: FrameSource, account: str, currency: str, since: datetime) -> pd.Series:
    """What became of the failures opened since a moment: failed, recovered, open and blocked, by count and in minor units (B75)."""
    sql = f"""SELECT count() AS failed_n, sum(toInt128(amount_minor)) AS failed_minor,
        countIf(status = 'recovered') AS recovered_n, sum(toInt128(recovered_minor)) AS recovered_minor,
        countIf(status IN ({_ACTIVE})) AS open_n, sumIf(toInt128(amount_minor), status IN ({_ACTIVE})) AS open_minor,
        countIf(status = 'blocked') AS blocked_n FROM {_COHORT}"""  # noqa: S608 - constants
    return source.frame(sql, {"account": account, "currency": currency, "since": since}, _COHORT_COLUMNS).iloc[0]


def active_total(source: FrameSource, account: str, currency: str) -> pd.Series:
    """All failures that are active now, whenever opened: n and minor."""
    sql = f"SELECT count() AS n, sum(toInt128(amount_minor)) AS minor FROM ({ACTIVE_SQL})"  # noqa: S608 - constants
    return source.frame(sql, {"account": account, "currency": currency, "statuses": [], "search": ""}, ["n", "minor"]).iloc[0]


def daily(source: FrameSource, account: str, currency: str, since: datetime) -> pd.DataFrame:
    """Per UTC day with movement: day, failed_n, failed_minor, recovered_n, recovered_minor, reversed_minor."""
    sql = f"""SELECT {", ".join(_DAY_COLUMNS)} FROM {DATABASE}.{DAILY_VIEW}
        WHERE account = {{account:String}} AND currency = {{currency:String}} AND day >= toDate({{since:DateTime64(3)}}, 'UTC')
        ORDER BY day"""  # noqa: S608 - constants
    return source.frame(sql, {"account": account, "currency": currency, "since": since}, _DAY_COLUMNS)


def kinds(source: FrameSource, account: str, currency: str, since: datetime) -> pd.DataFrame:
    """Failures opened since a moment by the class of their first decline: kind, failed_n, failed_minor, recovered_n."""
    sql = f"""SELECT first_decline_kind AS kind, count() AS failed_n, sum(toInt128(amount_minor)) AS failed_minor,
        countIf(status = 'recovered') AS recovered_n FROM {_COHORT} GROUP BY kind ORDER BY failed_n DESC, kind"""  # noqa: S608 - constants
    return source.frame(
        sql, {"account": account, "currency": currency, "since": since}, ["kind", "failed_n", "failed_minor", "recovered_n"]
    )


def causes(source: FrameSource, account: str, currency: str, since: datetime) -> pd.DataFrame:
    """The failed money since a moment in its parts: cause, cases, minor; the parts sum to the failed total."""
    sql = f"""SELECT cause, sum(cases) AS cases, sum(minor) AS minor FROM {DATABASE}.{MONEY_VIEW}
        WHERE account = {{account:String}} AND currency = {{currency:String}} AND opened_on >= toDate({{since:DateTime64(3)}}, 'UTC')
        GROUP BY cause ORDER BY minor DESC, cause"""  # noqa: S608 - constants
    return source.frame(sql, {"account": account, "currency": currency, "since": since}, ["cause", "cases", "minor"])


def active(source: FrameSource, account: str, currency: str, statuses: Sequence[str], search: str, limit: int) -> pd.DataFrame:
    """The active failures, the next due first; all columns of the view `cases`."""
    sql = f"{ACTIVE_SQL} ORDER BY next_action_at IS NULL, next_action_at, invoice LIMIT {{limit:UInt32}}"
    values = {"account": account, "currency": currency, "statuses": list(statuses), "search": search, "limit": limit}
    return source.frame(sql, values, CASE_COLUMNS)


def timeline(source: FrameSource, account: str, invoice: str) -> pd.DataFrame:
    """The story of one invoice, in order; all columns of the view `case_timeline`."""
    sql = f"""SELECT {", ".join(TIMELINE_COLUMNS)} FROM {DATABASE}.{TIMELINE_VIEW}
        WHERE account = {{account:String}} AND invoice = {{invoice:String}}
            AND event_type NOT IN ('fact_had_no_effect', 'duplicate_fact_ignored')
        ORDER BY sequence, occurred_at"""  # noqa: S608 - constants
    return source.frame(sql, {"account": account, "invoice": invoice}, TIMELINE_COLUMNS)


def log(source: FrameSource, account: str, types: Sequence[str], search: str, limit: int, skip: int) -> pd.DataFrame:
    """Events, newest first: occurred_at, event_type, reason, invoice, customer, status, amount_minor, recovered_minor, currency, result."""
    sql = f"""SELECT {", ".join(_LOG_COLUMNS)}
        FROM {DATABASE}.{EVENTS_TABLE} WHERE account = {{account:String}}
        AND (has({{types:Array(String)}}, event_type) OR empty({{types:Array(String)}}))
        AND (positionCaseInsensitive(concat(invoice, ' ', customer, ' ', reason), {{search:String}}) > 0 OR empty({{search:String}}))
        ORDER BY occurred_at DESC, src_offset DESC LIMIT {{limit:UInt32}} OFFSET {{skip:UInt32}}"""  # noqa: S608 - constants
    return source.frame(sql, {"account": account, "types": list(types), "search": search, "limit": limit, "skip": skip}, _LOG_COLUMNS)


def not_done(source: FrameSource, account: str, since: datetime) -> pd.DataFrame:
    """What was not done since a moment, by reason: not_done, reason, n, invoices, latest."""
    sql = f"""SELECT not_done, reason, count() AS n, uniqExact(invoice) AS invoices, max(occurred_at) AS latest
        FROM {DATABASE}.{WHY_NOT_VIEW} WHERE account = {{account:String}} AND occurred_at >= {{since:DateTime64(3)}}
        GROUP BY not_done, reason ORDER BY n DESC, not_done, reason"""  # noqa: S608 - constants
    return source.frame(sql, {"account": account, "since": since}, ["not_done", "reason", "n", "invoices", "latest"])


def not_done_rows(source: FrameSource, account: str, since: datetime, reason: str, limit: int) -> pd.DataFrame:
    """The latest things not done, of one reason or of all when it is empty; columns of the view `why_not`."""
    sql = f"""SELECT {", ".join(WHY_NOT_COLUMNS)} FROM {DATABASE}.{WHY_NOT_VIEW}
        WHERE account = {{account:String}} AND occurred_at >= {{since:DateTime64(3)}}
        AND (reason = {{reason:String}} OR empty({{reason:String}})) ORDER BY occurred_at DESC LIMIT {{limit:UInt32}}"""  # noqa: S608 - constants
    return source.frame(sql, {"account": account, "since": since, "reason": reason, "limit": limit}, WHY_NOT_COLUMNS)

"""What the warehouse and the ledger say of a window of wall time."""

import math
import sqlite3
from pathlib import Path
from typing import Any, NamedTuple

RESTING = "SELECT effect FROM digest_members JOIN digests ON digests.id = digest WHERE digests.state = 'open'"
"""Alerts that wait for others of their kind: their window is hours of business time."""


class Told(NamedTuple):
    """Latency from a webhook's acceptance to its row, how far the newest rows are behind, and effects whose time was over."""

    rows: int
    p50_ms: float
    p99_ms: float
    behind_s: float
    expired: int


def rows_of(warehouse: Any, account: str, since: float, until: float) -> Told:
    """The rows of webhooks that were accepted in the window (unix seconds)."""
    found = warehouse.query(
        "SELECT countIf(webhook), quantileExactIf(0.5)(took, webhook), quantileExactIf(0.99)(took, webhook), "
        "toFloat64(now64(3)) - toFloat64(max(inserted_at)), countIf(result = 'expired') FROM ("
        "SELECT inserted_at, result, dateDiff('millisecond', received_at, inserted_at) AS took, "
        "startsWith(cause, concat({account:String}, ':')) AS webhook FROM dunlin.events "
        "WHERE account = {account:String} AND received_at >= toDateTime64({since:Float64}, 3) "
        "AND received_at < toDateTime64({until:Float64}, 3))",
        parameters={"account": account, "since": since, "until": until},
    ).result_rows[0]
    rows, p50, p99, silent, expired = found
    newest = warehouse.query(
        "SELECT quantile(0.9)(dateDiff('millisecond', received_at, inserted_at)) / 1000 FROM dunlin.events "
        "WHERE account = {account:String} AND inserted_at > now64(3) - toIntervalSecond(2) AND startsWith(cause, {account:String})",
        parameters={"account": account},
    ).result_rows[0][0]
    late = _number(newest)
    return Told(int(rows), _number(p50), _number(p99), max(late, float(silent) - 1.0 if rows else 0.0), int(expired))


def effects_of(ledger: Path, since: float, until: float) -> dict[str, int]:
    """How many effects the sink received in the window, by kind."""
    with _opened(ledger) as db:
        rows = db.execute(
            "SELECT kind, count(*) FROM effects WHERE kind != 'parked' AND received_at BETWEEN ? AND ? GROUP BY kind", (since, until)
        )
        return {str(kind): int(count) for kind, count in rows}


def open_effects(ledger: Path) -> int:
    """Effects that are not settled and published, but for alerts that wait for others of their kind."""
    with _opened(ledger) as db:
        query = f"SELECT count(*) FROM effects WHERE state != 'published' AND id NOT IN ({RESTING})"
        return int(db.execute(query).fetchone()[0])


def _opened(ledger: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{ledger}?mode=ro", uri=True, timeout=5)


def _number(value: float) -> float:
    return 0.0 if math.isnan(value) else float(value)  # there are no rows

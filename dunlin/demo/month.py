"""The results of a month, case by case, and their fingerprint: equal months have equal fingerprints, on whatever machine they ran.

What cannot be equal is left out: ids of events and rows (they count the log's offsets), wall times and latencies, and notifications of the
merchant (which alerts share a message depends on the order in which several customers' alerts are sent within a step).
"""

import hashlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

PROMISED = (0.30, 0.50)
"""The share of failed payments that the product's page promises to recover, from and to."""
RECOVERED = "recovered"


class MonthCase(msgspec.Struct, frozen=True, order=True, kw_only=True):
    """One failure and what became of it. Amounts in minor units; `cause` is the class and code of the first decline."""

    invoice: str
    status: str
    cause: str
    attempts: int
    mails: int
    currency: str
    amount_minor: int
    recovered_minor: int


class MonthMoney(msgspec.Struct, frozen=True, kw_only=True):
    """One currency's failures and what was recovered of them, in minor units."""

    currency: str
    failures: int
    recovered: int
    failed_minor: int
    recovered_minor: int


class Month(msgspec.Struct, frozen=True, kw_only=True):
    """The closing table: counts, money by currency, causes by how often, and the fingerprint over every case."""

    failures: int
    attempts: int
    recoveries: int
    mails: int
    money: tuple[MonthMoney, ...]
    causes: dict[str, int]
    fingerprint: str


def cases(client: Any, account: str) -> list[MonthCase]:
    """Every case of the account as the warehouse has it, in the order of invoices."""
    return sorted(MonthCase(**row) for row in client.query(QUERY, parameters={"account": account}).named_results())


def write_cases(home: Path, cases: Iterable[MonthCase]) -> None:
    """Keep the cases in `cases.jsonl`, one a line, so that two months that should be equal can be compared."""
    (home / "cases.jsonl").write_bytes(b"".join(msgspec.json.encode(case) + b"\n" for case in sorted(cases)))


def month(cases: Iterable[MonthCase]) -> Month:
    """The closing table of these cases."""
    lines = sorted(cases)
    currencies = sorted({case.currency for case in lines})
    causes = Counter(case.cause for case in lines)
    return Month(
        failures=len(lines),
        attempts=sum(case.attempts for case in lines),
        recoveries=sum(case.status == RECOVERED for case in lines),
        mails=sum(case.mails for case in lines),
        money=tuple(_money(currency, [case for case in lines if case.currency == currency]) for currency in currencies),
        causes=dict(sorted(causes.items(), key=lambda counted: (-counted[1], counted[0]))),
        fingerprint=fingerprint(lines),
    )


def fingerprint(cases: Iterable[MonthCase]) -> str:
    """A hash over every case; the same whatever their order."""
    lines = [msgspec.json.encode(msgspec.to_builtins(case)) for case in sorted(cases)]
    return hashlib.sha256(b"\n".join(lines)).hexdigest()


def _money(currency: str, lines: list[MonthCase]) -> MonthMoney:
    return MonthMoney(
        currency=currency,
        failures=len(lines),
        recovered=sum(case.status == RECOVERED for case in lines),
        failed_minor=sum(case.amount_minor for case in lines),
        recovered_minor=sum(case.recovered_minor for case in lines),
    )


QUERY = """
SELECT
    c.invoice AS invoice,
    c.status AS status,
    trim(concat(c.first_decline_kind, ' ', c.first_decline_code)) AS cause,
    toInt64(a.attempts) AS attempts,
    toInt64(a.mails) AS mails,
    c.currency AS currency,
    c.amount_minor AS amount_minor,
    c.recovered_minor AS recovered_minor
FROM dunlin.cases AS c
LEFT JOIN (
    SELECT
        invoice,
        uniqExactIf(effect, event_type = 'retry_attempted' AND result != '') AS attempts,
        uniqExactIf(effect, event_type IN ('dunning_sent', 'transactional_mail_sent')) AS mails
    FROM dunlin.events WHERE account = {account:String} GROUP BY invoice
) AS a ON a.invoice = c.invoice
WHERE c.account = {account:String}
"""

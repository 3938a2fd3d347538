"""What the warehouse says of one account, read for a comparison with the truth."""

from collections import Counter
from typing import Any

from dunlin.demo.comparison import WarehouseSnapshot
from dunlin.demo.month import cases
from recovery.ids import idempotency_key, message_id


def warehouse_snapshot(client: Any, account: str, mail_domain: str, parked: int) -> WarehouseSnapshot:
    """Read what ClickHouse knows of the account. `mail_domain` is that of the sender address; `parked` is counted on Kafka."""
    failed = _rows(
        client, account, "SELECT invoice, any(currency), argMin(amount_minor, sequence) {from} 'payment_failed' GROUP BY invoice"
    )
    recovered = _rows(client, account, "SELECT invoice, any(currency), sum(recovered_minor) {from} 'payment_recovered' GROUP BY invoice")
    attempts = _rows(client, account, "SELECT DISTINCT effect {from} 'retry_attempted' AND result != ''")
    mails = [
        mail
        for sent in ("dunning_sent", "transactional_mail_sent")
        for mail in _rows(client, account, f"SELECT DISTINCT effect {{from}} '{sent}'")
    ]
    alerts = _rows(
        client,
        account,
        "SELECT DISTINCT details['message'] {from} 'alert_sent' AND details['medium'] = 'email' AND details['message'] != ''",
    )
    hooks = _rows(client, account, "SELECT DISTINCT details['event'] {from} 'webhook_delivered'")
    hooks += _rows(client, account, "SELECT DISTINCT details['event'] {from} 'webhook_delivery_failed'")
    rows, distinct, p50, p99 = client.query(
        "SELECT count(), uniqExact(src_partition, src_offset), "
        "quantileExactIf(0.5)(dateDiff('millisecond', received_at, inserted_at), webhook) AS p50, "
        "quantileExactIf(0.99)(dateDiff('millisecond', received_at, inserted_at), webhook) AS p99 "
        "FROM (SELECT *, startsWith(cause, concat({account:String}, ':')) AS webhook FROM dunlin.events WHERE account = {account:String})",
        parameters={"account": account},
    ).result_rows[0]
    causes = client.query(
        "SELECT DISTINCT cause FROM dunlin.events WHERE account = {account:String} AND startsWith(cause, concat({account:String}, ':'))",
        parameters={"account": account},
    ).result_rows
    return WarehouseSnapshot(
        failed=frozenset(invoice for invoice, _, _ in failed),
        attempted=frozenset(idempotency_key(effect) for (effect,) in attempts),
        recovered=frozenset(invoice for invoice, _, _ in recovered),
        failed_minor=_sums(failed),
        recovered_minor=_sums(recovered),
        mails=frozenset(message_id(effect, mail_domain) for (effect,) in mails),
        alerts=frozenset(message for (message,) in alerts),
        webhooks=frozenset(event for (event,) in hooks),
        causes=frozenset(cause for (cause,) in causes),
        rows=rows,
        distinct_rows=distinct,
        p50_ms=float(p50),
        p99_ms=float(p99),
        parked=parked,
        cases=tuple(cases(client, account)),
    )


def _rows(client: Any, account: str, query: str) -> list[Any]:
    source = "FROM dunlin.events WHERE account = {account:String} AND event_type ="
    return list(client.query(query.replace("{from}", source), parameters={"account": account}).result_rows)


def _sums(rows: list[tuple[str, str, int]]) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for _, currency, minor in rows:
        sums[currency] += minor
    return dict(sums)

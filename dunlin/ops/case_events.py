"""The events of one invoice, read from ClickHouse in the order in which they happened."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dunlin.stack import state
from recovery.adapters.logs import scrub
from recovery.contracts.warehouse import DATABASE, EVENTS_TABLE

COLUMNS = (
    "account, customer, invoice, sequence, occurred_at, event_type, reason, status, next_action, next_action_at, retry_count, "
    "dunning_step, amount_minor, recovered_minor, currency, decline_kind, decline_code, result, recovered_by, cause_type, "
    "policy_version, details"
)


def warehouse_of(home: Path, configured: str) -> str:
    """The configured ClickHouse, else that of the stack which runs in `home`. Raises ValueError when there is neither."""
    found = configured or state.address_of(home, "clickhouse", "reader")
    if found is None:
        raise ValueError(f"No stack runs in {home} and DUNLIN_CLICKHOUSE_URL is not set: there is no database to ask.")
    return found


@contextmanager
def warehouse(home: Path, configured: str) -> Iterator[Any]:
    """A client of that ClickHouse. Within it, an unreachable database is a ValueError that says what to do."""
    from clickhouse_connect.driver.exceptions import ClickHouseError

    from recovery.adapters.clickhouse import client
    from recovery.adapters.clickhouse_trouble import sentence

    address = warehouse_of(home, configured)
    try:
        yield client(address)
    except ClickHouseError as error:
        raise ValueError(f"ClickHouse could not be queried. {scrub(sentence(address, error))}") from error


def events_of(client: Any, invoice: str, account: str = "") -> list[dict[str, Any]]:
    """Every event of the invoice, oldest first.

    Raises:
        LookupError: there is none, or several accounts have such an invoice and `account` does not say which; the text says what to do.

    """
    found = client.query(
        f"SELECT {COLUMNS} FROM {DATABASE}.{EVENTS_TABLE} WHERE invoice = {{invoice:String}} "  # noqa: S608 - only names of ours are put in
        "AND ({account:String} = '' OR account = {account:String}) ORDER BY account, src_partition, src_offset",
        parameters={"invoice": invoice, "account": account},
        tz_mode="aware",
    )
    rows = list(found.named_results())
    if not rows:
        raise LookupError(f"Nothing is known of invoice {invoice}. Is the id right, did its payment fail, and does the warehouse sink run?")
    if accounts := sorted({row["account"] for row in rows} - {rows[0]["account"]}):
        raise LookupError(
            f"Several accounts have an invoice {invoice}: {', '.join([rows[0]['account'], *accounts])}. Name one with --account."
        )
    return rows

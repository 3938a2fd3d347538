"""One verification of a running stack: hold the clock, wait until it is quiescent, compare, report."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dunlin.demo.comparison import ComparisonReport, compare
from dunlin.demo.quiescence import Pipeline, parked, wait_until_quiescent
from dunlin.demo.warehouse_snapshot import warehouse_snapshot
from dunlin.demo.world import ACCOUNT, MAIL_FROM, Sandbox
from dunlin.stack import directory_lock, state


@dataclass(frozen=True, kw_only=True)
class StackAddresses:
    """Where the parts of a running demonstration are."""

    bootstrap: str
    clickhouse: str
    sandbox: str
    ledger: str
    clock_file: Path
    app_id: str = "dunlin"
    partitions: int = 4


class NothingToVerifyError(Exception):
    """No stack with a sandbox runs whole; the text says how to start one or what is missing."""


def running(home: Path) -> StackAddresses:
    """The addresses of the demonstration that runs in `home`. Raises NothingToVerifyError."""
    stack = state.read(home) if directory_lock.is_held(home / "run") else None
    if stack is None or "sandbox" not in stack.parts:
        raise NothingToVerifyError(
            f"No stack with a sandbox runs in {home}, so there is no truth to compare with. Start one with `dunlin demo`, "
            "or set DUNLIN_HOME to the folder of the one that runs."
        )
    parts = stack.parts
    if down := sorted(name for name, part in parts.items() if not part.ready):
        raise NothingToVerifyError(
            f"{', '.join(down)} is not running, so the pipeline cannot become quiescent. Check `dunlin status` and {home / 'logs'}, "
            "and verify again when every part is ready."
        )
    return StackAddresses(
        bootstrap=parts["kafka"].urls["bootstrap"],
        clickhouse=parts["clickhouse"].urls["admin"],
        sandbox=parts["sandbox"].urls["api"],
        ledger=f"sqlite:///{home / 'ledger.sqlite'}",
        clock_file=home / "sandbox" / "clock.json",
    )


def prove(addresses: StackAddresses, report: Callable[[str], None], reason: str, patience: float = 180.0) -> ComparisonReport:
    """Verify the running demonstration, its clock held under `reason`, which no other verification at the same time may share.

    Raises NotQuietError when it does not come to rest within `patience` seconds.
    """
    from recovery.adapters.clickhouse import client
    from recovery.adapters.clock import business_clock, wall

    sandbox = Sandbox(addresses.sandbox)
    warehouse = client(addresses.clickhouse)
    pipeline = Pipeline(
        bootstrap=addresses.bootstrap,
        app_id=addresses.app_id,
        partitions=addresses.partitions,
        clock_file=addresses.clock_file,
        clickhouse=warehouse,
        open_effects=lambda: open_effects(addresses.ledger),
        open_deliveries=sandbox.open_deliveries,
        business=business_clock(addresses.clock_file),
        wall=wall,
    )
    sandbox.hold(reason)
    try:
        wait_until_quiescent(pipeline, patience, report)
        report("comparing")
        snapshot = warehouse_snapshot(warehouse, ACCOUNT, MAIL_FROM.partition("@")[2], parked(pipeline))
        return compare(sandbox.truth(), snapshot, sandbox.baseline())
    finally:
        sandbox.release(reason)


def open_effects(ledger_url: str) -> int:
    """How many effects of the ledger are neither performed nor failed, or whose outcome is not published yet.

    Alerts that wait for others of their kind are at rest: their window of business time cannot close while the clock is held.
    """
    import sqlalchemy as sql

    engine = sql.create_engine(ledger_url)
    resting = "SELECT effect FROM digest_members JOIN digests ON digests.id = digest WHERE digests.state = 'open'"
    with engine.connect() as connection:
        counted = f"SELECT count(*) FROM effects WHERE state != 'published' AND id NOT IN ({resting})"  # noqa: S608 - our own words only
        return int(connection.execute(sql.text(counted)).scalar_one())

"""A verification for people: the table, the harm, the rates."""

from rich.console import Console
from rich.table import Table

from dunlin.demo.comparison import ComparedFigure, ComparisonReport
from dunlin.demo.month import PROMISED

SHOWN = 5
"""So many differing ids are named per line; `--json` has them all."""


def show(console: Console, report: ComparisonReport) -> None:
    """Print the report: every comparison, what must not have happened, latency, and the rates beside doing nothing."""
    console.print(_compared(report))
    for line in report.lines:
        if line.missing or line.extra:
            console.print(_named(line), style="red", markup=False)
    console.print(_harm(report))
    console.print(_rates(report))
    console.print(_closing(report))
    verdict = "verified: no difference" if report.sound else "NOT verified: see the differences above"
    console.print(verdict, style="bold green" if report.sound else "bold red")


def _compared(report: ComparisonReport) -> Table:
    table = Table("what", "sandbox's truth", "ClickHouse", "differences", title="the sandbox's truth against ClickHouse")
    for column in table.columns[1:]:
        column.justify = "right"
    for line in report.lines:
        style = "" if line.differences == 0 else "red"
        table.add_row(line.name, f"{line.truth:,}", f"{line.warehouse:,}", f"{line.differences:,}", style=style)
    return table


def _harm(report: ComparisonReport) -> Table:
    table = Table("must be zero", "count", title="harm")
    table.columns[1].justify = "right"
    for name, count in (
        ("duplicate charges", report.duplicate_charges),
        ("lost facts (accepted webhooks without a row)", report.lost_facts),
        ("charges although the last read showed a cancellation", report.charges_after_end),
        ("mails although the last read showed a payment or cancellation", report.mails_after_end),
        ("rows twice", report.repeated_rows),
    ):
        table.add_row(name, f"{count:,}", style="" if count == 0 else "red")
    table.add_section()
    table.add_row("mails repeated in doubt (may be as many as the doubts)", f"{report.repeated_mails:,}")
    table.add_row("webhook to row, p50 / p99", f"{report.p50_ms:,.0f} / {report.p99_ms:,.0f} ms")
    return table


def _rates(report: ComparisonReport) -> Table:
    table = Table("currency", "failures", "recovered", "by count", "by value", "no action: by count", "by value", title="recovery rate")
    for column in table.columns[1:]:
        column.justify = "right"
    for rate in report.rates:
        shares = (rate.by_count, rate.by_value, rate.baseline_by_count, rate.baseline_by_value)
        table.add_row(rate.currency.upper(), f"{rate.failures:,}", f"{rate.recovered:,}", *(f"{share:.1%}" for share in shares))
    return table


def _closing(report: ComparisonReport) -> Table:
    """What the month came to: the same on every machine for the same seed and first day."""
    month = report.month
    table = Table("the month", "", title="closing table")
    table.columns[1].justify = "right"
    for name, count in (
        ("failures", month.failures),
        ("attempts", month.attempts),
        ("recoveries", month.recoveries),
        ("mails to payers", month.mails),
    ):
        table.add_row(name, f"{count:,}")
    table.add_section()
    for money in month.money:
        table.add_row(f"{money.currency.upper()} recovered of failed, minor units", f"{money.recovered_minor:,} of {money.failed_minor:,}")
    table.add_section()
    for cause, count in month.causes.items():
        table.add_row(cause or "unknown cause", f"{count:,}")
    table.add_section()
    low, high = PROMISED
    table.add_row("recovered by count (no action)", f"{report.by_count:.1%} ({report.baseline_by_count:.1%})")
    for rate in report.rates:
        table.add_row(f"{rate.currency.upper()} recovered by value (no action)", f"{rate.by_value:.1%} ({rate.baseline_by_value:.1%})")
    table.add_row("the product's page promises", f"{low:.0%} to {high:.0%}")
    table.add_row("fingerprint", month.fingerprint[:16])
    return table


def _named(line: ComparedFigure) -> str:
    words = []
    if line.missing:
        words.append(f"not in ClickHouse: {', '.join(line.missing[:SHOWN])}")
    if line.extra:
        words.append(f"only in ClickHouse: {', '.join(line.extra[:SHOWN])}")
    return f"{line.name}: {'; '.join(words)}"

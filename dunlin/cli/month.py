"""Watching a month go by: the progress bar of a demonstration."""

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from rich.console import Console

    from dunlin.demo import Sandbox

LOOK_EVERY = 0.5


def watch(console: "Console", sandbox: "Sandbox") -> None:
    """Show the month's progress until it is over."""
    columns = (
        TextColumn("{task.fields[day]}"),
        BarColumn(bar_width=40),
        TextColumn(
            "{task.percentage:>3.0f} %  failed {task.fields[failures]}  recovered {task.fields[recovered]}  mails {task.fields[mails]}"
        ),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("month", total=1.0, day="", failures=0, recovered=0, mails=0)
        while True:
            now = sandbox.progress()
            day = datetime.fromtimestamp(now["business_now"], UTC).strftime("%d %b %H:%M")
            counts: dict[str, Any] = {name: int(now[name]) for name in ("failures", "recovered", "mails")}
            progress.update(task, completed=now["fraction"], day=day, **counts)
            if now["fraction"] >= 1.0:
                return
            time.sleep(LOOK_EVERY)

"""Watching a month go by: a progress bar on a terminal, a line per tenth elsewhere; both say what business time waits for."""

import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from rich.console import Console

    from dunlin.demo.clock_keeper import ClockKeeper
    from dunlin.demo.world import Sandbox

REFRESH_SECONDS = 0.5
REPORT_AFTER = 2.0
"""Wall seconds that a step must wait before it is said for what: shorter waits are no news."""


def watch(console: "Console", sandbox: "Sandbox", keeper: "ClockKeeper") -> None:
    """Let the keeper go through the month and show its progress. Raises what the keeper raises."""
    failed: list[BaseException] = []

    def keep() -> None:
        try:
            keeper.run()
        except BaseException as error:  # noqa: BLE001 - raised again below, in the thread that watches
            failed.append(error)

    began = time.monotonic()
    keeping = threading.Thread(target=keep, name="keeper", daemon=True)
    keeping.start()
    (_with_bar if console.is_terminal else _with_lines)(console, sandbox, keeper, keeping)
    keeping.join()
    if failed:
        raise failed[0]
    most = sorted(keeper.waited.items(), key=lambda waited: -waited[1])[:4]
    longest = ", ".join(f"{seconds:.0f} s for {what}" for what, seconds in most)
    console.print(f"[dim]{keeper.steps:,} steps in {time.monotonic() - began:.0f} s; business time waited {longest}[/dim]")


def _with_bar(console: "Console", sandbox: "Sandbox", keeper: "ClockKeeper", keeping: threading.Thread) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=40), TextColumn("{task.percentage:>3.0f} %"), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("the month begins", total=1.0)

        def show(now: Mapping[str, Any], waits: str) -> None:
            progress.update(task, completed=now["fraction"], description=status_line(now) + (f"  {waits}" if waits else ""))

        _until_over(sandbox, keeper, keeping, show)


def _with_lines(console: "Console", sandbox: "Sandbox", keeper: "ClockKeeper", keeping: threading.Thread) -> None:
    tenth, shown = -1, ""

    def show(now: Mapping[str, Any], waits: str) -> None:
        nonlocal tenth, shown
        if int(now["fraction"] * 10) > tenth or (waits and waits != shown):
            tenth, shown = int(now["fraction"] * 10), waits
            console.print(f"{now['fraction']:4.0%} {status_line(now)}" + (f"  {waits}" if waits else ""))

    _until_over(sandbox, keeper, keeping, show)


def status_line(now: Mapping[str, Any]) -> str:
    """The sandbox's progress in words."""
    day = datetime.fromtimestamp(now["business_now"], UTC).strftime("%d %b %H:%M")
    return f"{day}  {now['failures']:.0f} failed, {now['recovered']:.0f} recovered, {now['mails']:.0f} mails"


def _until_over(
    sandbox: "Sandbox", keeper: "ClockKeeper", keeping: threading.Thread, show: Callable[[Mapping[str, Any], str], None]
) -> None:
    steps, since = -1, 0.0
    while True:
        over = not keeping.is_alive()
        if keeper.steps != steps:
            steps, since = keeper.steps, time.monotonic()
        show(sandbox.progress(), keeper.waits if time.monotonic() - since > REPORT_AFTER else "")
        if over:
            return
        keeping.join(REFRESH_SECONDS)

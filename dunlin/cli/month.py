"""Watching a month go by: a progress bar on a terminal, a line per tenth elsewhere."""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from rich.console import Console

    from dunlin.demo import Sandbox

LOOK_EVERY = 0.5


def watch(console: "Console", sandbox: "Sandbox") -> None:
    """Show the month's progress until it is over."""
    if console.is_terminal:
        _with_bar(console, sandbox)
    else:
        _with_lines(console.print, sandbox)


def _with_bar(console: "Console", sandbox: "Sandbox") -> None:
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=40), TextColumn("{task.percentage:>3.0f} %"), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("the month begins", total=1.0)
        _until_over(sandbox, lambda now: progress.update(task, completed=now["fraction"], description=told(now)))


def _with_lines(say: Callable[[str], None], sandbox: "Sandbox") -> None:
    tenth = -1

    def tell(now: Mapping[str, Any]) -> None:
        nonlocal tenth
        if int(now["fraction"] * 10) > tenth:
            tenth = int(now["fraction"] * 10)
            say(f"{now['fraction']:4.0%} {told(now)}")

    _until_over(sandbox, tell)


def told(now: Mapping[str, Any]) -> str:
    """The sandbox's progress in words."""
    day = datetime.fromtimestamp(now["business_now"], UTC).strftime("%d %b %H:%M")
    return f"{day}  {now['failures']:.0f} failed, {now['recovered']:.0f} recovered, {now['mails']:.0f} mails"


def _until_over(sandbox: "Sandbox", tell: Callable[[Mapping[str, Any]], None]) -> None:
    while True:
        now = sandbox.progress()
        tell(now)
        if now["fraction"] >= 1.0:
            return
        time.sleep(LOOK_EVERY)

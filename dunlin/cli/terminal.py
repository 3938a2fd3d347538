"""The operator's terminal for text that others wrote: ids, reasons and bodies are shown as they are, never as markup or control codes."""

from typing import Any

import typer
from rich.console import Console
from rich.text import Text

from recovery.presentation.printable import printable

WIDEST = 100_000
"""Characters of a text that are shown."""


class PlainConsole(Console):
    """A console that takes no string for markup, and escapes what would drive the terminal. Styles are given by argument."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, markup=False, emoji=False)

    def render_str(self, text: str, **more: Any) -> Text:
        """The string without markup."""
        return super().render_str(printable(text, WIDEST, "\t\n"), **more)


def echo(text: str, *, err: bool = False) -> None:
    """Write text, of whatever origin, to the terminal."""
    typer.echo(printable(text, WIDEST, "\t\n"), err=err)

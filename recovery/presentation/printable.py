"""Text for people's eyes: a log, a terminal. Nothing in it can move the cursor, forge a line or hide what it says. Pure."""

LONGEST = 4000
"""Characters of a line that are shown."""


def printable(text: str, longest: int = LONGEST, keep: str = "\t") -> str:
    """The text with every unprintable character written as an escape, but for those to `keep`; cut, saying so, when it is long."""
    shown = text if len(text) <= longest else f"{text[:longest]}… ({len(text) - longest:,} characters more)"
    if shown.isprintable():
        return shown
    return "".join(letter if letter.isprintable() or letter in keep else _escaped(letter) for letter in shown)


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")

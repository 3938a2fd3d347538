"""Makes text of unknown authors fit for a header, a greeting and a line of a mail. Pure.

Customers choose their own name, and anyone who may create a customer chooses any name. Mail libraries and mail programs decode headers, so
nothing in them may resemble an encoded word (RFC 2047); the text in "Hello ..." reads as ours.
"""

import re
import unicodedata

LONGEST_NAME = 80
"""Characters of a name in a header and a greeting; longer ones are cut."""
LONGEST_HEADER = 300
"""Characters of a subject."""
_JOINERS = "\u200c\u200d"
"""Invisible characters that names need: they shape letters in Persian and the scripts of India."""
_NO_NAME = re.compile(r"=\?|://|www\.|@|[^\W_][.\u3002\uff0e\uff61][^\W\d_]{2}")
"""An encoded word, and what mail programs turn into links: a scheme, an address, two words with nothing but a dot between them."""


def one_line(text: str, longest: int = 10_000) -> str:
    """The text on one line, without control characters, those that turn the direction of writing or show nothing, and repeated spaces."""
    return " ".join("".join(_shown(letter) for letter in text[:longest]).split())


def in_header(text: str, longest: int = LONGEST_HEADER) -> str:
    """The text as a header's value: one short line in which nothing can be taken for an encoded word."""
    plain = one_line(text)
    return (plain if len(plain) <= longest else f"{plain[: longest - 1].rstrip()}…").replace("=?", "= ?").replace("?=", "? =")


def person(name: str) -> str:
    """A payer's name for a header and a greeting; empty when it holds an encoded word or an address, which we would seem to recommend."""
    plain = in_header(name, LONGEST_NAME)
    return "" if any(_NO_NAME.search(form) for form in (one_line(name), unicodedata.normalize("NFKC", name))) else plain


def _shown(letter: str) -> str:
    kind = unicodedata.category(letter)
    if kind in {"Cc", "Zl", "Zp"}:
        return " "
    return "" if kind in {"Cf", "Cs", "Co", "Cn"} and letter not in _JOINERS else letter

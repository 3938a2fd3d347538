"""Renders the sandbox's pages: one plain layout (`templates/`), everything escaped, money and time in words."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

_NO_DECIMALS = ["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"]
_DECIMALS = dict.fromkeys(_NO_DECIMALS, 0) | dict.fromkeys(("bhd", "jod", "kwd", "omr", "tnd"), 3)
"""Digits of the currencies whose smallest unit is not a hundredth (https://docs.stripe.com/currencies). The sandbox knows nothing of Dunlin
and so has its own table, which a test holds to be the same."""


def page(name: str, /, **values: Any) -> str:
    """The page of this name as HTML."""
    return _PAGES.get_template(f"{name}.html").render(**values)


def money(amount: int, currency: str) -> str:
    """Minor units as people read them: 1900 usd is "19.00 USD", 1980 jpy is "1,980 JPY", 2900 kwd is "2.900 KWD"."""
    digits = _DECIMALS.get(currency, 2)
    return f"{Decimal(amount).scaleb(-digits):,.{digits}f} {currency.upper()}"


def moment(at: float) -> str:
    """Unix seconds as a UTC date and time: "3 Nov 2026, 09:05 UTC"."""
    day = datetime.fromtimestamp(at, UTC)
    return f"{day.day} {day:%b %Y, %H:%M} UTC"


def short(at: float) -> str:
    """Unix seconds as a UTC day and time for a list: "3 Nov, 09:05"."""
    day = datetime.fromtimestamp(at, UTC)
    return f"{day.day} {day:%b, %H:%M}"


def stamp(at: float) -> str:
    """Unix seconds for the `datetime` attribute."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


_PAGES = Environment(
    loader=PackageLoader("sandbox.pages"),
    autoescape=True,
    trim_blocks=True,
    undefined=StrictUndefined,
)
_PAGES.globals.update(moment=moment, short=short, stamp=stamp)

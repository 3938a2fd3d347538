"""Amounts for people: minor units and a currency to text, with the decimals that Stripe uses for the currency."""

from decimal import Decimal

from babel.core import UnknownLocaleError
from babel.numbers import get_currency_symbol

# https://docs.stripe.com/currencies: zero-decimal and three-decimal currencies. ISK and UGX are sent with two decimals that are always 00.
_NO_DECIMALS = frozenset(["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"])
_THREE_DECIMALS = frozenset(["bhd", "jod", "kwd", "omr", "tnd"])


def decimals(currency: str) -> int:
    """Digits after the point in Stripe's smallest unit of a currency."""
    if currency.lower() in _NO_DECIMALS:
        return 0
    return 3 if currency.lower() in _THREE_DECIMALS else 2


def major(minor: int, currency: str) -> Decimal:
    """The amount in the currency's main unit, exact."""
    return Decimal(int(minor)).scaleb(-decimals(currency))


def money(minor: int, currency: str) -> str:
    """The amount as people write it in English: €1,234.50, ¥1,200, -$3.00; with the code where there is no symbol."""
    sign, amount = ("-" if minor < 0 else ""), f"{abs(major(minor, currency)):,.{decimals(currency)}f}"
    mark = symbol(currency)
    return f"{sign}{mark}{amount}" if len(mark) < 3 else f"{sign}{mark} {amount}"


def short(minor: int, currency: str) -> str:
    """The amount without decimals once they no longer matter (from 10,000 up), for large figures."""
    amount = major(minor, currency)
    if abs(amount) < 10_000:
        return money(minor, currency)
    mark = symbol(currency)
    return f"{'-' if minor < 0 else ''}{mark}{' ' if len(mark) > 2 else ''}{abs(amount):,.0f}"


def symbol(currency: str) -> str:
    """The currency's sign in English, its code when it has none."""
    try:
        return str(get_currency_symbol(currency.upper(), locale="en"))
    except UnknownLocaleError:
        return currency.upper()

"""Amounts for people: minor units and a currency to text, with the decimals that Stripe uses for the currency."""

from babel.core import UnknownLocaleError
from babel.numbers import get_currency_symbol

from recovery.presentation.amounts import decimals, major


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

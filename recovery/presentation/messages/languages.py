"""The languages we write in, and how each notes amounts and months. Translations are read from the .po files in `locale/`."""

from collections.abc import Sequence
from copy import copy
from datetime import date
from functools import cache
from importlib.resources import files

import babel
from babel.dates import format_skeleton
from babel.messages.pofile import read_po
from babel.numbers import NumberPattern, get_currency_precision

from recovery.presentation.amounts import decimals, major
from recovery.presentation.brand import LANGUAGES


def N_(text: str) -> str:
    """Mark a text for the catalogue (gettext's customary name); it is translated where it is shown."""
    return text


def choose(locales: Sequence[str], default: str = "") -> tuple[str, str]:
    """The language to write in and the locale whose notation to use: the first of a customer's locales in a language of ours,
    else the account's default language, else English, then in the notation of the customer's first locale."""
    for name in locales:
        if (language := name.replace("_", "-").partition("-")[0].lower()) in LANGUAGES:
            return language, name
    language = default if default in LANGUAGES else "en"
    return language, next((name for name in locales if _known(name)), language)


def translated(text: str, language: str) -> str:
    """The text in a language of ours; in English where the catalogue has nothing."""
    return _catalogue(language).get(text) or text


def amount(minor: int, currency: str, locale: str) -> str:
    """The amount in the customer's notation, with the decimals that Stripe counts in: yen have none, dinars of Kuwait three (B50)."""
    known = _known(locale) or _ENGLISH
    return noted(known.currency_formats["standard"], minor, currency, known)


def noted(pattern: NumberPattern, minor: int, currency: str, locale: babel.Locale | str) -> str:
    """The amount by a pattern of a locale. How many decimals a currency has is Stripe's to say; the notation only leaves out those of whole
    amounts in currencies that it writes without."""
    code, value, digits = currency.upper(), major(minor, currency), decimals(currency)
    if value == value.to_integral_value() and get_currency_precision(code) == 0:
        digits = 0
    exact = copy(pattern)
    exact.frac_prec = (digits, digits)
    return str(exact.apply(value, locale, currency=code, currency_digits=False))


def month(year_and_month: str, language: str) -> str:
    """A month such as `2027-03` as a language writes it, with its year; empty when empty."""
    if not year_and_month:
        return ""
    year, _, number = year_and_month.partition("-")
    return str(format_skeleton("yMMMM", date(int(year), int(number), 1), locale=language))


_ENGLISH = babel.Locale("en", "US")


@cache
def _known(name: str) -> babel.Locale | None:
    try:
        return babel.Locale.parse(name.replace("-", "_")) if name else None
    except (ValueError, babel.UnknownLocaleError):
        return None


@cache
def _catalogue(language: str) -> dict[str, str]:
    if language == "en":
        return {}
    with files("recovery.presentation.messages").joinpath("locale", language, "LC_MESSAGES", "mail.po").open("rb") as file:
        return {str(message.id): str(message.string) for message in read_po(file, locale=language) if message.id and not message.fuzzy}

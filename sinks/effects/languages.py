"""The languages we write in, and how each notes amounts and months. Translations are read from the .po files in `locale/`."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from functools import cache
from importlib.resources import files

import babel
from babel.dates import format_skeleton
from babel.messages.pofile import read_po
from babel.numbers import format_currency, get_currency_precision

from control.brand import LANGUAGES


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
    """The amount in the customer's notation with the currency's own decimals: yen have none, dinars three (B50).

    Stripe's minor unit has the decimals of ISO 4217 for all but a few currencies, which are named here.
    """
    code = currency.upper()
    decimals = _STRIPE_DECIMALS.get(code, get_currency_precision(code))
    return str(format_currency(Decimal(minor).scaleb(-decimals), code, locale=_known(locale) or _ENGLISH))


def month(year_and_month: str, language: str) -> str:
    """A month such as `2027-03` as a language writes it, with its year; empty when empty."""
    if not year_and_month:
        return ""
    year, _, number = year_and_month.partition("-")
    return str(format_skeleton("yMMMM", date(int(year), int(number), 1), locale=language))


_ENGLISH = babel.Locale("en", "US")
_STRIPE_DECIMALS = {"UGX": 2, "ISK": 2, "HUF": 2, "TWD": 2, "CLP": 0, "VND": 0, "KRW": 0, "JPY": 0, "MGA": 0}
"""Where Stripe's minor unit differs from the notation's decimals, or where the notation's data changes between releases."""


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
    with files("sinks.effects").joinpath("locale", language, "LC_MESSAGES", "mail.po").open("rb") as file:
        return {str(message.id): str(message.string) for message in read_po(file, locale=language) if message.id and not message.fuzzy}

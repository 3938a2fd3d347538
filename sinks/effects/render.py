"""A mail to a payer, as text and HTML. Pure: the same letter always gives the same bytes; golden copies are in the tests."""

import re
from decimal import Decimal
from functools import cache
from typing import Any

import babel
import jinja2
import msgspec
import premailer
from babel.dates import get_month_names
from babel.numbers import format_currency, get_currency_precision

from sinks.effects.wording import NOTICES, situation, words

_MARK = "https://link.invalid/"
"""Stands for the pay link while the style is moved into the tags: that step would mangle a template expression in a href."""


class Also(msgspec.Struct, frozen=True):
    """Another open invoice that the mail names: what is owed, in the currency's minor unit, and where it can be paid."""

    amount_minor: int
    currency: str
    link: str


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """All that a mail says. `amount_minor` is what is owed, in the currency's minor unit; `link` where it can be paid, empty where nothing
    can be yet. `template` other than a reminder's names a notice; `card` is an expiring card's last month, `2027-03`."""

    merchant: str
    support_email: str = ""
    customer_name: str = ""
    locale: str = ""
    amount_minor: int
    currency: str
    link: str
    step: int
    decline_kind: str = ""
    decline_reason: str = ""
    subscription: bool = True
    template: str = ""
    card: str = ""
    also: tuple[Also, ...] = ()


class Rendered(msgspec.Struct, frozen=True):
    """The subject (one line) and the two bodies of a mail."""

    subject: str
    text: str
    html: str


def render(letter: Letter) -> Rendered:
    """The mail for a letter, in English, its amount in the customer's notation."""
    merchant = _one_line(letter.merchant)
    fill = {
        "merchant": merchant,
        "amount": amount(letter.amount_minor, letter.currency, letter.locale),
        "month": _month(letter.card),
        "service": f"your {merchant} subscription" if letter.subscription else f"your order with {merchant}",
    }
    said = NOTICES.get(letter.template) or words(letter.step, situation(letter.decline_kind, letter.decline_reason))
    lines = {name: getattr(said, name).format(**fill) for name in said.__struct_fields__}
    shown: dict[str, Any] = {
        **fill,
        **lines,
        "name": _one_line(letter.customer_name),
        "link": letter.link,
        "also": [(amount(one.amount_minor, one.currency, letter.locale), one.link) for one in letter.also],
        "total": _total(letter) if letter.also else "",
        "support_email": _one_line(letter.support_email),
        "mailto": f"mailto:{_one_line(letter.support_email)}",
    }
    return Rendered(lines["subject"], _text().render(shown), _html().render(shown))


def amount(minor: int, currency: str, locale: str) -> str:
    """The amount in the customer's notation with the currency's own decimals: yen have none, dinars three (B50).

    Stripe's minor unit has the decimals of ISO 4217 for all but a few currencies, which are named here.
    """
    code = currency.upper()
    decimals = _STRIPE_DECIMALS.get(code, get_currency_precision(code))
    return str(format_currency(Decimal(minor).scaleb(-decimals), code, locale=_locale(locale)))


def _total(letter: Letter) -> str:
    """All that is owed, per currency: never summed across currencies."""
    sums = {letter.currency: letter.amount_minor}
    for one in letter.also:
        sums[one.currency] = sums.get(one.currency, 0) + one.amount_minor
    return " + ".join(amount(minor, currency, letter.locale) for currency, minor in sums.items())


def _month(card: str) -> str:
    year, _, month = card.partition("-")
    return f"{get_month_names(locale='en')[int(month)]} {year}" if month else ""


_STRIPE_DECIMALS = {"UGX": 2, "ISK": 2, "HUF": 2, "TWD": 2, "CLP": 0, "VND": 0, "KRW": 0, "JPY": 0, "MGA": 0}
"""Where Stripe's minor unit differs from the notation's decimals, or where the notation's data changes between releases."""


@cache
def _locale(name: str) -> babel.Locale:
    try:
        return babel.Locale.parse(name.replace("-", "_")) if name else babel.Locale("en", "US")
    except (ValueError, babel.UnknownLocaleError):
        return babel.Locale("en", "US")


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _source(name: str) -> str:
    source = jinja2.PackageLoader("sinks.effects").get_source(jinja2.Environment(autoescape=True), name)
    return source[0]


@cache
def _text() -> jinja2.Template:
    plain = jinja2.Environment(autoescape=False, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)  # noqa: S701 - no HTML
    return plain.from_string(_source("dunning.txt"))


@cache
def _html() -> jinja2.Template:
    """The HTML template with its style moved into the tags, once: mail programs drop style sheets, and doing it per mail costs 20 ms."""
    source = re.sub(r'href="{{ *(\w+) *}}"', rf'href="{_MARK}\1"', _source("dunning.html"))
    inlined = premailer.Premailer(
        source,
        keep_style_tags=True,
        remove_classes=False,
        strip_important=False,
        disable_validation=True,
        cssutils_logging_level="CRITICAL",
        disable_leftover_css=False,
    ).transform()
    back = re.sub(rf'href="{re.escape(_MARK)}(\w+)"', r'href="{{ \1 }}"', inlined)
    page = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return page.from_string(back)

"""What an SMS to a payer says: the three tones of the mails (decision 33) in one or two short sentences. Pure.

Never a raw code, never an accusation, and no name of the payer: a text is read on a locked screen. Only letters of GSM-7 are used, in
every language, so that a text does not become three times as dear for an accent; translators are asked for the same.
"""

import unicodedata

import msgspec
from babel.numbers import parse_pattern

from sinks.effects.gsm import fits, plain
from sinks.effects.languages import N_, amount, noted, translated
from sinks.effects.wording import situation

_FAILED = {
    # Translators: an SMS: short; ASCII, ä ö ü ß ñ à è é ù ì ò only, for á í ó ú ê ç make it three times as dear.
    1: N_("{merchant}: your payment of {amount} didn't go through. Please update your payment details: {link}"),
    # Translators: an SMS: short; ASCII, ä ö ü ß ñ à è é ù ì ò only, for á í ó ú ê ç make it three times as dear.
    2: N_("{merchant}: your payment of {amount} is still open and your access may be affected. Pay here: {link}"),
    # Translators: an SMS: short; ASCII, ä ö ü ß ñ à è é ù ì ò only, for á í ó ú ê ç make it three times as dear.
    3: N_("{merchant}: last notice: your subscription may be cancelled, as your payment of {amount} is open: {link}"),
}
_FOR_ORDER = {
    # Translators: an SMS: short; ASCII, ä ö ü ß ñ à è é ù ì ò only, for á í ó ú ê ç make it three times as dear.
    2: N_("{merchant}: your payment of {amount} is still open and your order may be affected. Pay here: {link}"),
    # Translators: an SMS: short; ASCII, ä ö ü ß ñ à è é ù ì ò only, for á í ó ú ê ç make it three times as dear.
    3: N_("{merchant}: last notice: your order may be cancelled, as your payment of {amount} is open: {link}"),
}
_TO_CONFIRM = {
    # Translators: an SMS: short; ASCII, ä ö ü ß ñ à è é ù ì ò only, for á í ó ú ê ç make it three times as dear.
    1: N_("{merchant}: your bank asks you to confirm your payment of {amount}: {link}"),
    # Translators: an SMS: short; ASCII, ä ö ü ß ñ à è é ù ì ò only, for á í ó ú ê ç make it three times as dear.
    2: N_("{merchant}: your payment of {amount} still needs your confirmation; your access may be affected: {link}"),
}
_TO_CONFIRM_ORDER = {
    # Translators: an SMS: short; ASCII, ä ö ü ß ñ à è é ù ì ò only, for á í ó ú ê ç make it three times as dear.
    2: N_("{merchant}: your payment of {amount} still needs your confirmation; your order may be affected: {link}"),
}
# Translators: the end of every SMS; the word STOP stays as it is, and no á í ó ú ê ç.
_CODED = parse_pattern("#,##0.00\xa0¤¤")
"""An amount with the currency's code, in the decimals and groups of a language."""
_OPT_OUT = N_("Reply STOP to opt out")


class Text(msgspec.Struct, frozen=True, kw_only=True):
    """All that an SMS says. `amount_minor` is what is owed, in the currency's minor unit; `link` where it can be paid."""

    merchant: str
    language: str = "en"
    locale: str = ""
    amount_minor: int
    currency: str
    link: str
    step: int
    decline_kind: str = ""
    decline_reason: str = ""
    subscription: bool = True
    may_answer: bool = True


def written(text: Text) -> str:
    """The SMS, on one line, with how to opt out at its end where the sender can be answered."""
    fill = {
        "merchant": plain(" ".join(text.merchant.split())),
        "amount": _amount(text),
        "link": text.link,
    }
    said = translated(_sentence(text), text.language).format(**fill)
    return _spaced(f"{said} {translated(_OPT_OUT, text.language)}" if text.may_answer else said)


def _sentence(text: Text) -> str:
    number = min(max(text.step, 1), 3)
    confirm = situation(text.decline_kind, text.decline_reason) == "authentication"
    tables = [_FAILED]
    if confirm:
        tables.append(_TO_CONFIRM)
    if not text.subscription:
        tables.append(_FOR_ORDER)
    if confirm and not text.subscription:
        tables.append(_TO_CONFIRM_ORDER)
    return next(table[number] for table in reversed(tables) if number in table)


def _amount(text: Text) -> str:
    """The amount in the payer's notation; with the currency's code where its sign takes 16 bits."""
    shown = _spaced(amount(text.amount_minor, text.currency, text.locale))
    if fits(shown):
        return shown
    return _spaced(noted(_CODED, text.amount_minor, text.currency, text.language))


def _spaced(text: str) -> str:
    """The text with ordinary spaces: notations know four kinds of spaces that no telephone needs."""
    return "".join(" " if unicodedata.category(letter) == "Zs" else letter for letter in text)

"""The texts of SMS: the three tones of the mails in one or two short sentences. Pure.

No raw code, no accusation, and no name of the customer: a text is read on a locked screen. Every language uses only characters of GSM-7, so
that an accent does not make a text three times as expensive; translators must keep to them, too.
"""

import unicodedata

import msgspec
from babel.numbers import parse_pattern

from recovery.presentation.messages.gsm import fits, plain
from recovery.presentation.messages.languages import N_, amount, noted, translated
from recovery.presentation.messages.mail_texts import situation

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


class SmsContent(msgspec.Struct, frozen=True, kw_only=True):
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


def written(text: SmsContent) -> str:
    """The SMS, on one line, with how to opt out at its end where the sender can be answered."""
    fill = {
        "merchant": plain(" ".join(text.merchant.split())),
        "amount": _amount(text),
        "link": text.link,
    }
    sentence = translated(_sentence(text), text.language).format(**fill)
    return _spaced(f"{sentence} {translated(_OPT_OUT, text.language)}" if text.may_answer else sentence)


def _sentence(text: SmsContent) -> str:
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


def _amount(text: SmsContent) -> str:
    """The amount in the payer's notation; with the currency's code where its sign takes 16 bits."""
    shown = _spaced(amount(text.amount_minor, text.currency, text.locale))
    if fits(shown):
        return shown
    return _spaced(noted(_CODED, text.amount_minor, text.currency, text.language))


def _spaced(text: str) -> str:
    """The text with ordinary spaces: notations know four kinds of spaces that no telephone needs."""
    return "".join(" " if unicodedata.category(letter) == "Zs" else letter for letter in text)

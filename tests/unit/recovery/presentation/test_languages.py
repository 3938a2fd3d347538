"""The languages of mails: chosen from the customer's locales, complete in their catalogues, with the customer's notation."""

import re
from string import Formatter

import babel
import pytest
from babel.messages.pofile import read_po
from babel.numbers import parse_pattern

from recovery.presentation.amounts import decimals
from recovery.presentation.brand import LANGUAGES
from recovery.presentation.messages import catalogue
from recovery.presentation.messages.languages import amount, choose, month, noted, translated
from recovery.presentation.messages.mail_content import render
from tests.support.mail_fixtures import CASES, letter

TRANSLATED = LANGUAGES[1:]
TEXTS = [message.id for message in catalogue.template() if message.id]


@pytest.mark.parametrize(
    ("locales", "default", "chosen"),
    [
        (("de-CH",), "", ("de", "de-CH")),
        (("fr_CA", "en"), "", ("fr", "fr_CA")),
        (("ja", "es-MX"), "", ("es", "es-MX")),
        (("EN-gb",), "de", ("en", "EN-gb")),
        (("pt-BR",), "es", ("es", "pt-BR")),
        (("xx-nowhere",), "de", ("de", "de")),
        ((), "fr", ("fr", "fr")),
        ((), "", ("en", "en")),
        (("",), "tlh", ("en", "en")),
    ],
)
def test_the_customer_s_locale_decides_then_the_account_then_english(locales, default, chosen):
    assert choose(locales, default) == chosen


@pytest.mark.parametrize(
    ("minor", "currency", "locale", "shown"),
    [
        (4900, "usd", "en-US", "$49.00"),
        (123456, "eur", "de-DE", "1.234,56\xa0€"),
        (123456, "eur", "fr-FR", "1\u202f234,56\xa0€"),
        (123456, "eur", "es-ES", "1.234,56\xa0€"),
        (123456, "mxn", "es-MX", "$1,234.56"),
        (4900, "jpy", "en-US", "¥4,900"),
        (1234, "kwd", "en-US", "KWD1.234"),
        (2900, "kwd", "en", "KWD2.900"),
        (5, "usd", "", "$0.05"),
        (100, "isk", "en-US", "ISK1"),
        (4900, "usd", "xx-nowhere", "$49.00"),
        (199900, "rsd", "en", "RSD1,999"),
        (199950, "rsd", "de", "1.999,50\xa0RSD"),
        (199950, "huf", "en", "HUF1,999.50"),
        (150, "isk", "en", "ISK1.50"),
        (-500, "jpy", "en", "-¥500"),
    ],
)
def test_an_amount_has_the_decimals_of_its_currency_and_the_notation_of_the_customer(minor, currency, locale, shown):
    """B50."""
    assert amount(minor, currency, locale) == shown


def test_a_month_is_written_as_its_language_writes_it():
    assert [month("2027-03", language) for language in LANGUAGES] == ["March 2027", "März 2027", "mars 2027", "marzo de 2027"]
    assert month("", "de") == ""


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_text_is_translated_with_the_same_names_to_fill_in(language):
    with catalogue.path_of(language).open("rb") as file:
        messages = {message.id: message for message in read_po(file) if message.id}
    assert list(messages) == TEXTS
    for text, message in messages.items():
        assert message.string, text
        assert not message.fuzzy, text
        assert _names(message.string) == _names(text), text
        assert translated(text, language) == message.string


def _names(text):
    return sorted(name for _, name, _, _ in Formatter().parse(text) if name)


@pytest.mark.parametrize("language", ["", *TRANSLATED])
def test_the_files_for_translators_are_in_step_with_the_program(language):
    """`make catalogue` would change nothing."""
    texts = catalogue.template()
    fresh = catalogue.updated(language, texts) if language else texts
    assert catalogue.path_of(language).read_bytes() == catalogue.written(fresh)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("case", CASES)
def test_a_subject_fits_on_a_line_and_a_preview_tells_something_else(case, language):
    mail = render(letter(case, language))
    assert 15 <= len(mail.subject) <= 75
    preview = re.search(r'<div class="preview"[^>]*>(.*?)</div>', mail.html).group(1)
    assert 25 <= len(preview) <= 110
    assert preview != mail.subject


@pytest.mark.parametrize(
    ("language", "wrong"),
    [
        ("de", r"\b(du|dich|dir|dein\w*)\b|\s[?!:;]"),
        ("fr", r"\b(tu|toi|te|ton|ta|tes)\b|[^\u00a0][?!;:]"),
        ("es", r"\b(tú|tu|tus|ti|te)\b|\s[?!:;]"),
    ],
)
def test_payers_are_addressed_politely_and_marks_stand_as_the_language_sets_them(language, wrong):
    texts = [translated(text, language) for text in TEXTS]
    assert [text for text in texts if re.search(wrong, text, re.IGNORECASE)] == []
    assert language != "es" or all(text.count("¿") == text.count("?") for text in texts)


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("de", r"betrug|gestohlen|verloren|gesperrt|mahnung|guthaben|deckung|schuld"),
        ("fr", r"fraude|volée|perdue|bloquée|solde|provision|dette|impayé"),
        ("es", r"fraude|robada|perdida|bloqueada|saldo|fondos|deuda|impag"),
    ],
)
def test_no_translation_accuses_or_speaks_of_a_balance(language, words):
    """B51."""
    assert [text for text in (translated(text, language) for text in TEXTS) if re.search(words, text, re.IGNORECASE)] == []


def digits(text: str) -> str:
    return "".join(letter for letter in text if letter.isdigit())


@pytest.mark.parametrize("locale", ["en", "de-DE", "fr-FR", "es-MX", "ja-JP", ""])
@pytest.mark.parametrize("currency", sorted(code.lower() for code in babel.Locale("en").currencies))
def test_every_currency_is_written_with_the_amount_that_stripe_means(currency, locale):
    """B50: the notation's own data knows other decimals for two dozen currencies; the amount itself is never rounded."""
    assert digits(amount(123450, currency, locale)) == "123450"
    assert digits(amount(123451, currency, locale)) == "123451"
    whole = digits(amount(2 * 10 ** decimals(currency), currency, locale))
    assert whole in {"2", "2" + "0" * decimals(currency)}


@pytest.mark.parametrize("currency", ["rsd", "irr", "iqd", "lbp", "mmk", "jpy", "kwd", "eur", "inr"])
def test_a_text_writes_the_same_amount_as_a_mail(currency):
    """Where the currency's sign does not fit into a text, its code stands in its place."""
    assert digits(str(noted(parse_pattern("#,##0.00 ¤¤"), 123451, currency, "en"))) == "123451"

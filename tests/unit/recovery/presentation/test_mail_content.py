"""The mails, word for word, against golden copies beside this file; DUNLIN_WRITE_GOLDEN=1 writes them anew."""

import os
import re
from html import unescape
from pathlib import Path

import msgspec
import pytest

from recovery.contracts.effects import FurtherOwed
from recovery.presentation.brand import LANGUAGES, Brand
from recovery.presentation.messages.languages import translated
from recovery.presentation.messages.mail_content import Also, render
from recovery.presentation.messages.mail_texts import NOTICES, situation, texts_of
from tests.support.mail_fixtures import BRANDS, CASES, letter

GOLDEN = Path(__file__).parent / "golden"
SKELETON = re.compile(
    r"<style>.*?</style>| (?:style|class|bgcolor|align|width|cellpadding|cellspacing|border)=(?:\"[^\"]*\"|'[^']*')", re.DOTALL
)
"""What the copies leave out: the style is the same in all of them, and shown once for each brand."""


def agrees(path, seen):
    """Whether a golden copy says the same."""
    if os.environ.get("DUNLIN_WRITE_GOLDEN") == "1":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(seen)
    return seen == path.read_text()


@pytest.mark.parametrize("brand", BRANDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_mail_reads_like_its_golden_copy_in_every_language_and_brand(language, brand):
    mails = {case: render(letter(case, language, brand)) for case in CASES}
    texts = [f"======== {case}\nSubject: {mail.subject}\n\n{mail.text}" for case, mail in mails.items()]
    pages = [f"<!-- {case} -->\n{SKELETON.sub('', mail.html)}" for case, mail in mails.items()]
    assert agrees(GOLDEN / language / f"{brand}.txt", "\n".join(texts))
    assert agrees(GOLDEN / language / f"{brand}.html", "\n".join(pages))


@pytest.mark.parametrize("brand", BRANDS)
def test_the_whole_page_with_its_style_is_like_its_golden_copy(brand):
    assert agrees(GOLDEN / f"{brand}.html", render(letter("2-several", "en", brand)).html)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("case", CASES)
def test_both_parts_of_a_mail_say_the_same(case, language):
    mail = render(letter(case, language))
    page = " ".join(unescape(re.sub(r"<[^>]+>", " ", mail.html)).split())
    spoken = [line for line in mail.text.splitlines() if line and not line.startswith("https://")]
    closing = translated("Kind regards", language)
    assert [line for line in spoken if line != closing and not all(word.strip(":") in page for word in line.split())] == []


def test_an_inlined_page_says_the_language_for_programs_that_read_aloud():
    assert '<html lang="es">' in render(letter(language="es")).html


@pytest.mark.parametrize("language", LANGUAGES)
def test_sums_across_several_invoices_have_their_own_decimals_and_currencies_are_never_added(language):
    """B15, B50, product decision 11."""
    also = (Also(900, "kwd", "https://pay.example/i/def"), Also(1980, "jpy", "https://pay.example/i/ghi"))
    mail = render(letter("2-several", language, amount_minor=2900, currency="kwd", also=also))
    for part in (mail.text, unescape(mail.html)):
        assert re.search(r"3[.,]800", part)
        assert re.search(r"0[.,]900", part)
        assert re.search(r"1\D?980", part)
        assert all(one.link in part for one in also)


@pytest.mark.parametrize("language", LANGUAGES)
def test_invoices_that_are_not_named_are_counted_and_summed(language):
    """B15: in words of the language, by currency, and in the sum of all."""
    also, further = (Also(10000, "eur", "https://pay.example/i/def"),), (FurtherOwed(189, 98700, "eur"), FurtherOwed(2, 700, "jpy"))
    mail = render(letter("2-several", language, amount_minor=10000, currency="eur", also=also, further=further))
    for part in (mail.text, unescape(mail.html)):
        assert "(189)" in part
        assert "(2)" in part
        assert re.search(r"987[.,]00", part)
        assert re.search(r"1\D?187[.,]00", part)


@pytest.mark.parametrize("reason", ["lost_card", "stolen_card", "fraudulent", "merchant_blacklist", "pickup_card", "do_not_honor", ""])
@pytest.mark.parametrize("step", [1, 2, 3])
def test_lost_stolen_and_fraud_read_like_any_decline(reason, step):
    assert texts_of(step, situation("hard", reason)) == texts_of(step, "generic")
    assert texts_of(step, situation("fraud", "insufficient_funds")) == texts_of(step, "generic")


@pytest.mark.parametrize("step", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("why", ["generic", "expired", "funds", "authentication"])
def test_no_subject_speaks_of_a_balance_and_no_sentence_accuses_or_shows_a_code(step, why):
    """B51."""
    said = texts_of(step, why)
    assert not re.search(r"fund|balance|insufficient|declin|amount", said.subject + said.preview, re.IGNORECASE)
    everything = " ".join(getattr(said, name) for name in said.__struct_fields__)
    assert not re.search(r"fraud|stolen|\blost\b|suspicious|\w+_\w+", everything, re.IGNORECASE)


@pytest.mark.parametrize("template", NOTICES)
def test_no_notice_accuses_or_shows_a_code(template):
    said = NOTICES[template]
    everything = " ".join(getattr(said, name) for name in said.__struct_fields__)
    assert not re.search(r"fraud|stolen|declin|balance|\w+_\w+", everything, re.IGNORECASE)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_three_steps_grow_more_urgent_and_each_has_the_link(language):
    """Product decisions 33 and 40."""
    mails = [render(letter(f"{step}-generic", language)) for step in (1, 2, 3)]
    assert len({mail.subject for mail in mails}) == 3
    limited = {"en": "affected", "de": "eingeschränkt", "fr": "limité", "es": "afectado"}[language]
    ending = {"en": "may be cancelled", "de": "beendet werden kann", "fr": "possible résiliation", "es": "pueda cancelarse"}[language]
    assert (limited in mails[0].text, limited in mails[1].text) == (False, True)
    assert (ending in mails[1].text, ending in mails[2].text) == (False, True)
    assert all("https://pay.example/i/abc?a=1&b=2" in mail.text for mail in mails)
    assert all('href="https://pay.example/i/abc?a=1&amp;b=2"' in mail.html for mail in mails)


@pytest.mark.parametrize("step", [1, 2, 3])
@pytest.mark.parametrize("language", LANGUAGES)
def test_who_owes_for_an_order_is_not_told_about_a_subscription(step, language):
    text = render(letter(f"{step}-order", language)).text.lower()
    assert not re.search("subscription|abonnement|suscripción", text)
    assert re.search("order|bestellung|commande|pedido", text)


def test_what_strangers_chose_cannot_become_markup():
    mail = render(letter(customer_name="<script>x</script>", merchant='A "B" & <C>\r\nX: y {amount}', link='https://x.example/"onload="x'))
    assert "<script>" not in mail.html
    assert '"onload=' not in mail.html
    assert "\n" not in mail.subject
    assert "{amount}" in mail.subject


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("case", CASES)
def test_with_a_white_label_our_name_is_nowhere(case, language):
    """Product decision 32."""
    mail = render(letter(case, language, "white-label"))
    assert "dunlin" not in f"{mail.subject}{mail.text}{mail.html}".lower()


def test_logo_and_colour_belong_to_the_white_label_and_the_mention_to_all_others():
    """Product decision 32."""
    chosen = Brand(logo_url="https://cdn.heron.example/logo.png", colour="#f2c14e")
    own = render(msgspec.structs.replace(letter(), brand=chosen))
    white = render(letter(brand="white-label"))
    assert "Sent by Dunlin on behalf of Northwind Coffee" in own.text
    assert ("<img" in own.html, "#f2c14e" in own.html) == (False, False)
    assert "#f2c14e" in white.html
    assert 'src="https://cdn.heron.example/logo.png" width="160" alt="Heron Yards"' in white.html


def test_a_tracked_link_and_the_pixel_stand_in_the_page_only():
    mail = render(letter(web_link="https://go.example/c/t0ken", pixel="https://go.example/o/t0ken"))
    assert 'href="https://go.example/c/t0ken"' in mail.html
    assert 'src="https://go.example/o/t0ken"' in mail.html
    assert "go.example" not in mail.text
    assert "https://pay.example/i/abc" in mail.text

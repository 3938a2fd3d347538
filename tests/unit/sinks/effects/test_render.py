"""The mails, word for word, against golden copies beside this file; DUNLIN_WRITE_GOLDEN=1 writes them anew."""

import os
import re
from pathlib import Path

import pytest

from sinks.effects.render import Also, Letter, amount, render
from sinks.effects.wording import NOTICES, situation, words

GOLDEN = Path(__file__).parent / "golden"
CASES = {
    "1-generic": {"step": 1, "decline_reason": "do_not_honor", "decline_kind": "hard"},
    "1-expired": {"step": 1, "decline_reason": "expired_card", "decline_kind": "hard"},
    "1-authentication": {"step": 1, "decline_kind": "needs_auth"},
    "2-funds": {"step": 2, "decline_reason": "insufficient_funds", "decline_kind": "soft", "locale": "de-DE"},
    "3-generic": {"step": 3, "decline_reason": "lost_card", "decline_kind": "hard", "locale": "fr", "customer_name": ""},
    "2-several": {
        "step": 2,
        "decline_reason": "insufficient_funds",
        "decline_kind": "soft",
        "also": (Also(1900, "eur", "https://pay.example/i/def"), Also(1500, "usd", "https://pay.example/i/ghi")),
    },
    "recovered": {"step": 0, "template": "payment_recovered"},
    "cancelled": {"step": 0, "template": "cancelled_for_non_payment"},
    "card-expiring": {"step": 0, "template": "card_expiring", "card": "2027-03", "link": ""},
    "3-one-off": {"step": 3, "subscription": False, "support_email": "", "currency": "jpy", "locale": "ja"},
}


def letter(**more):
    fields = {
        "merchant": "Northwind Coffee",
        "support_email": "help@northwind.example",
        "customer_name": "Ana Müller",
        "locale": "en-US",
        "amount_minor": 4900,
        "currency": "eur",
        "link": "https://pay.example/i/abc?a=1&b=2",
        "step": 1,
    }
    return Letter(**{**fields, **more})


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("kind", ["text", "html"])
def test_a_mail_reads_like_its_golden_copy(name, kind):
    mail = render(letter(**CASES[name]))
    seen = f"Subject: {mail.subject}\n\n{mail.text}" if kind == "text" else mail.html
    path = GOLDEN / f"{name}.{'txt' if kind == 'text' else 'html'}"
    if os.environ.get("DUNLIN_WRITE_GOLDEN") == "1":
        path.parent.mkdir(exist_ok=True)
        path.write_text(seen)
    assert seen == path.read_text()


@pytest.mark.parametrize(
    ("minor", "currency", "locale", "shown"),
    [
        (4900, "usd", "en-US", "$49.00"),
        (123456, "eur", "de-DE", "1.234,56\xa0€"),
        (4900, "jpy", "en-US", "¥4,900"),
        (1234, "kwd", "en-US", "KWD1.234"),
        (2900, "kwd", "en", "KWD2.900"),
        (5, "usd", "", "$0.05"),
        (100, "isk", "en-US", "ISK1"),
        (4900, "usd", "xx-nowhere", "$49.00"),
    ],
)
def test_an_amount_has_the_decimals_of_its_currency_and_the_notation_of_the_customer(minor, currency, locale, shown):
    assert amount(minor, currency, locale) == shown


def test_a_mail_about_several_invoices_in_dinars_and_yen_writes_each_and_their_sums_with_their_own_decimals() -> None:
    """B50."""
    also = (Also(900, "kwd", "https://pay.example/i/def"), Also(1980, "jpy", "https://pay.example/i/ghi"))
    mail = render(letter(amount_minor=2900, currency="kwd", also=also))
    for shown in ("KWD2.900", "KWD0.900", "KWD3.800 + ¥1,980"):
        assert shown in mail.text
        assert shown in mail.html


@pytest.mark.parametrize("reason", ["lost_card", "stolen_card", "fraudulent", "merchant_blacklist", "pickup_card", "do_not_honor", ""])
@pytest.mark.parametrize("step", [1, 2, 3])
def test_lost_stolen_and_fraud_read_like_any_decline(reason, step):
    assert words(step, situation("hard", reason)) == words(step, "generic")
    assert words(step, situation("fraud", "insufficient_funds")) == words(step, "generic")


@pytest.mark.parametrize("step", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("why", ["generic", "expired", "funds", "authentication"])
def test_no_subject_speaks_of_a_balance_and_no_sentence_accuses_or_shows_a_code(step, why):
    said = words(step, why)
    assert not re.search(r"fund|balance|insufficient|declin|amount", said.subject + said.preview, re.IGNORECASE)
    everything = " ".join(getattr(said, name) for name in said.__struct_fields__)
    assert not re.search(r"fraud|stolen|\blost\b|suspicious|\w+_\w+", everything, re.IGNORECASE)


@pytest.mark.parametrize("template", NOTICES)
def test_no_notice_accuses_or_shows_a_code(template):
    said = NOTICES[template]
    everything = " ".join(getattr(said, name) for name in said.__struct_fields__)
    assert not re.search(r"fraud|stolen|declin|balance|\w+_\w+", everything, re.IGNORECASE)


def test_a_mail_about_several_invoices_links_each_and_sums_within_a_currency_only():
    """B15, product decision 11."""
    mail = render(letter(**CASES["2-several"]))
    assert all(link in mail.text and link in mail.html for link in ("https://pay.example/i/def", "https://pay.example/i/ghi"))
    assert "Open in all: €68.00 + $15.00" in mail.text


def test_the_three_steps_grow_more_urgent_and_each_has_the_link():
    mails = [render(letter(step=step)) for step in (1, 2, 3)]
    assert len({mail.subject for mail in mails}) == 3
    assert "access may be affected" in mails[1].text
    assert "may be cancelled" in mails[2].text
    assert all("https://pay.example/i/abc?a=1&b=2" in mail.text for mail in mails)
    assert all('href="https://pay.example/i/abc?a=1&amp;b=2"' in mail.html for mail in mails)


def test_what_strangers_chose_cannot_become_markup():
    mail = render(letter(customer_name="<script>x</script>", merchant='A "B" & <C>\r\nX: y', link='https://x.example/"onload="x'))
    assert "<script>" not in mail.html
    assert '"onload=' not in mail.html
    assert "\n" not in mail.subject

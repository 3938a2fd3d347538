"""Every mail in a real browser: on a telephone and a desk, in light and in dark, nothing cut off, all of it readable.

DUNLIN_SHOW_MAILS=folder keeps a picture of each.
"""

import os
import struct
import zlib
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest

from recovery.presentation.brand import LANGUAGES
from recovery.presentation.messages.mail_content import render
from recovery.signed_links import LinkSigner, Sending
from sinks.effects.mail.tracking import tracked
from tests.support.alerts import mails
from tests.support.mail_fixtures import BRANDS, CASES, letter
from tests.support.services.browser import launched

pytestmark = [pytest.mark.browser]
CHECKS = (Path(__file__).parent / "mail_checks.js").read_text()
WIDTHS, SCHEMES = (360, 800), ("light", "dark")
LINKS = LinkSigner(["k" * 32], "https://go.example")
SENDING = Sending("acct_1", "cus_1", "in_1", "acct_1.in_1.message.1", 1)
PAYABLE = {"https://pay.example/i/abc?a=1&b=2", "https://pay.example/i/def", "https://pay.example/i/ghi"}
LONG = {
    "merchant": "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbau GmbH",
    "customer_name": "Wolfeschlegelsteinhausenbergerdorffwelchevoralternwaren Gustav",
    "support_email": "a-very-long-address-that-has-no-place-to-break@support.northwind-coffee.example",
    "amount_minor": 123456789012,
    "currency": "kwd",
}
MONOSPACE = "font-family: 'DejaVu Sans Mono' !important;"
FONTS = ("", "font-family: 'DejaVu Serif' !important;", MONOSPACE, f"{MONOSPACE} letter-spacing: 0.2em !important;")
"""A mail is read in fonts that the reader's mail program chooses: the page's own choice here, and wider ones, one wider than any in use."""


def png(width=400, height=120):
    """A logo larger than it may be shown."""
    rows = b"".join(b"\0" + b"\x0b\x6e\x4f" * width for _ in range(height))
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )


@pytest.fixture(scope="module")
def page(chromium):
    with launched(chromium) as browser:
        page = browser.new_page()
        page.route("**/*.png", lambda route: route.fulfill(body=png(), content_type="image/png"))
        page.route("https://go.example/**", lambda route: route.fulfill(body=png(1, 1), content_type="image/png"))
        yield page


def looked_at(page, mail, name, font=""):
    """What is wrong with a mail at any width in any scheme, in its own or another font, and its links."""
    page.set_content(mail.html)
    if font:
        page.add_style_tag(content=f"* {{ {font} }}")
    wrong, links = [], set()
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            seen = page.evaluate(CHECKS)
            assert seen["language"] == mail.language
            wrong += [f"{width} {scheme}: {problem}" for problem in seen["found"]]
            links |= set(seen["links"])
            if folder := os.environ.get("DUNLIN_SHOW_MAILS"):
                page.screenshot(path=Path(folder) / f"{name}-{width}-{scheme}.png", full_page=True)
    return wrong, links


@pytest.mark.parametrize("brand", BRANDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_mail_can_be_read_on_every_screen_and_leads_only_where_it_should(page, language, brand):
    for case in CASES:
        plain = letter(case, language, brand)
        mail = render(tracked(plain, LINKS, SENDING))
        wrong, links = looked_at(page, mail, f"{language}-{brand}-{case}")
        assert wrong == [], case
        support = {f"mailto:{plain.support_email}"} if plain.support_email else set()
        clicked = {LINKS.read("click", urlsplit(link).path.removeprefix("/c/")) for link in links - support}
        assert {link.target for link in clicked} == {link for link in (plain.link, *(one.link for one in plain.also)) if link}
        assert {link.target for link in clicked} <= PAYABLE


@pytest.mark.parametrize("font", FONTS, ids=["its-own", "serif", "monospace", "wide"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_long_names_and_sums_break_and_are_not_cut_off(page, language, font):
    for case in ("1-generic", "2-several"):
        wrong, _ = looked_at(page, render(letter(case, language, **LONG)), f"{language}-long-{case}", font)
        assert wrong == [], case


@pytest.mark.parametrize("colour", ["#ffffff", "#000000", "#ffff00", "#777777", "#1b212d", "#f6f8fb", "#ff0000", "#00ff88"])
def test_whatever_colour_the_merchant_picks_can_be_read(page, colour):
    brand = msgspec.structs.replace(BRANDS["white-label"], colour=colour)
    wrong, _ = looked_at(
        page, render(msgspec.structs.replace(letter("2-several", "en", "white-label"), brand=brand)), f"colour-{colour[1:]}"
    )
    assert wrong == []


@pytest.mark.parametrize(("name", "mail"), list(mails()), ids=lambda value: value if isinstance(value, str) else "")
def test_every_alert_mail_can_be_read_on_every_screen(page, name, mail):
    wrong, links = looked_at(page, mail, f"alert-{name}")
    assert wrong == []
    assert {urlsplit(link).hostname for link in links} <= {"dunlin.heron.example", "dashboard.stripe.com"}

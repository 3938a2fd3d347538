"""Every renderer of amounts agrees on the value, in every currency that Stripe settles or presents (B50)."""

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard import amounts as dashboard
from recovery.presentation.amounts import decimals, major, with_code
from recovery.presentation.brand import LANGUAGES
from recovery.presentation.messages import languages as messages
from sandbox.pages import rendering as sandbox

WITHOUT_DECIMALS = re.findall(r"\w+", "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf")
WITH_THREE = re.findall(r"\w+", "bhd jod kwd omr tnd")
WITH_TWO = re.findall(
    r"\w+",
    """
    aed afn all amd ang aoa ars aud awg azn bam bbd bdt bmd bnd bob brl bsd bwp byn bzd cad cdf chf cny cop crc cve czk dkk dop dzd
    egp etb eur fjd fkp gbp gel gip gmd gtq gyd hkd hnl htg huf idr ils inr isk jmd kes kgs khr kyd kzt lak lbp lkr lrd lsl mad mdl
    mkd mmk mnt mop mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd pab pen pgk php pkr pln qar ron rsd rub sar sbd scr sek sgd shp
    sle sos srd std szl thb tjs top try ttd twd tzs uah ugx usd uyu uzs wst xcd xcg yer zar zmw
    """,
)
LOCALES = (*LANGUAGES, "en-GB", "de-CH", "fr-CA", "es-MX", "sr-RS", "is-IS", "xx")


def values(text: str, currency: str) -> set[Decimal]:
    """What the digits of a text may mean: a last group as long as the currency's decimals is the fraction, or belongs to the whole."""
    groups = re.findall(r"\d+", text)
    whole, places = Decimal("".join(groups)), decimals(currency)
    return {whole, whole.scaleb(-places)} if len(groups) > 1 and len(groups[-1]) == places else {whole}


def same_value(text: str, minor: int, currency: str) -> bool:
    """Whether the text shows the exact amount, with all decimals or, where they are all zero, without them."""
    return major(minor, currency) in values(text, currency)


@pytest.mark.parametrize(
    ("currencies", "number"), [(WITHOUT_DECIMALS, 0), (WITH_TWO, 2), (WITH_THREE, 3)], ids=["no decimals", "two decimals", "three decimals"]
)
def test_the_table_of_decimals_is_stripes_b50(currencies: list[str], number: int) -> None:
    assert {code: decimals(code) for code in currencies} == dict.fromkeys(currencies, number)


@given(currency=st.sampled_from([*WITHOUT_DECIMALS, *WITH_TWO, *WITH_THREE]), minor=st.integers(min_value=1, max_value=10**12))
def test_all_renderers_show_the_same_amount(currency: str, minor: int) -> None:
    shown = {
        "code": with_code(minor, currency),
        "dashboard": dashboard.money(minor, currency),
        "sandbox": sandbox.money(minor, currency),
        **{f"mail in {locale}": messages.amount(minor, currency, locale) for locale in LOCALES},
    }
    assert {where: text for where, text in shown.items() if not same_value(text, minor, currency)} == {}


def test_a_wrong_number_of_decimals_is_noticed() -> None:
    assert same_value("RSD 4,900.00", 490000, "rsd")
    assert not same_value("RSD 490,000", 490000, "rsd")
    assert major(490000, "rsd") == Decimal(4900)

"""Amounts are written with the decimals that Stripe uses for the currency."""

from decimal import Decimal

import pytest

from dashboard.amounts import money, short
from recovery.presentation.amounts import decimals, major, with_code


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (123450, "eur", "€1,234.50"),
        (123450, "jpy", "¥123,450"),
        (123450, "kwd", "KWD 123.450"),
        (2900, "kwd", "KWD 2.900"),
        (-300, "usd", "-$3.00"),
        (0, "gbp", "£0.00"),
        (500, "isk", "ISK 5.00"),
        (1999, "xyz", "XYZ 19.99"),
        (2**62, "eur", "€46,116,860,184,273,879.04"),
    ],
)
def test_money_reads_as_people_write_it(minor, currency, text):
    assert money(minor, currency) == text


def test_large_figures_drop_the_decimals_and_small_ones_keep_them():
    assert (short(1_234_567, "eur"), short(123_456, "eur"), short(-5_000_000, "kwd")) == ("€12,346", "€1,234.56", "-KWD 5,000.000")


def test_the_main_unit_is_exact():
    assert major(10**17 + 1, "usd") == Decimal("1000000000000000.01")


def test_upper_case_codes_are_known_too():
    assert decimals("JPY") == 0


def test_an_amount_with_its_code_needs_no_sign() -> None:
    """B50."""
    assert [with_code(4900, "eur"), with_code(1200, "jpy"), with_code(1234, "kwd")] == ["49.00 EUR", "1,200 JPY", "1.234 KWD"]

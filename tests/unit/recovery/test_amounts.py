"""One table of decimals: whoever writes an amount writes the same one."""

import pytest

from dashboard.amounts import money
from recovery.presentation.amounts import decimals, with_code
from recovery.presentation.messages.languages import amount
from sandbox.pages.rendering import money as on_a_page


def digits(text: str) -> str:
    return "".join(letter for letter in text if letter.isdigit())


@pytest.mark.parametrize(
    ("currency", "count"),
    [
        ("usd", 2),
        ("jpy", 0),
        ("krw", 0),
        ("clp", 0),
        ("ugx", 2),
        ("isk", 2),
        ("huf", 2),
        ("twd", 2),
        ("rsd", 2),
        ("lbp", 2),
        ("kwd", 3),
        ("bhd", 3),
    ],
)
def test_mail_dashboard_explanation_and_sandbox_agree(currency: str, count: int) -> None:
    """B50; https://docs.stripe.com/currencies."""
    assert decimals(currency) == count
    for shown in (amount(123451, currency, "en"), money(123451, currency), with_code(123451, currency), on_a_page(123451, currency)):
        assert digits(shown) == "123451"
        assert len(shown.rpartition(".")[2].rstrip(" ABCDEFGHIJKLMNOPQRSTUVWXYZ")) == count or count == 0

"""A brand in the tenants file: what it may say, and what is wrong in words (product decision 32)."""

import pytest

from recovery.presentation.brand import Brand, problems

GOOD = {"white_label": True, "sender": "billing@heron.example"}


@pytest.mark.parametrize(
    "brand",
    [
        Brand(),
        Brand(name="Heron Yards", language="fr"),
        Brand(
            **GOOD, colour="#0B6E4F", logo_url="https://cdn.heron.example/l.PNG?v=2", logo_width=200, links_url="https://go.heron.example"
        ),
        Brand(colour="#0b6e4f", logo_url="https://cdn.heron.example/l.jpeg"),
    ],
)
def test_a_good_brand_has_no_problems(brand):
    assert problems(brand) == []


@pytest.mark.parametrize(
    ("brand", "said"),
    [
        (Brand(name="x" * 61), "at most 60"),
        (Brand(name="Heron\nBcc: x"), "printable"),
        (Brand(language="it"), "choose en, de, fr, es"),
        (Brand(colour="0b6e4f"), "#RRGGBB"),
        (Brand(colour="#0b6e4f;x"), "#RRGGBB"),
        (Brand(logo_url="http://cdn.heron.example/l.png"), "https"),
        (Brand(logo_url="https://cdn.heron.example/l.svg"), ".png or .jpg"),
        (Brand(logo_url='https://cdn.heron.example/"l.png'), "https"),
        (Brand(logo_width=201), "16 to 200"),
        (Brand(links_url="http://go.heron.example"), "https"),
        (Brand(links_url="https://go.heron.example/?x=1"), "without a query"),
        (Brand(links_url="https://[bad"), "https"),
        (Brand(white_label=True), "needs brand.sender"),
        (Brand(white_label=True, sender="billing@Heron Yards"), "e-mail address"),
        (Brand(white_label=True, sender="billing@heron.example\r\nBcc: x@y.example"), "e-mail address"),
    ],
)
def test_what_is_wrong_is_said(brand, said):
    (problem,) = problems(brand)
    assert said in problem

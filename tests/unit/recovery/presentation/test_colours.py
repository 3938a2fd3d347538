"""Whatever colour a merchant picks, what stands in it or on it can be read (WCAG 2.2: 4.5 for text, 3 for shapes)."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

import recovery.presentation.messages.colours
from recovery.presentation.messages.colours import PAPERS, contrast, palette, text_on

HEX = some.integers(0, 0xFFFFFF).map("#{:06x}".format)


@pytest.mark.parametrize(("one", "other", "ratio"), [("#000000", "#ffffff", 21), ("#ffffff", "#ffffff", 1), ("#777777", "#ffffff", 4.48)])
def test_contrast_is_as_the_guidelines_define_it(one, other, ratio):
    assert contrast(one, other) == pytest.approx(ratio, abs=0.005)
    assert contrast(other, one) == contrast(one, other)


@given(HEX)
def test_every_colour_gives_readable_buttons_links_and_edges(colour):
    made = palette(colour)
    assert made.button == colour
    assert contrast(made.on_button, made.button) >= 4.5
    for name, edge, link in (("light", made.edge, made.link), ("dark", made.dark_edge, made.dark_link)):
        assert all(contrast(link, paper) >= 4.5 for paper in PAPERS[name])
        assert all(contrast(edge, paper) >= 3 for paper in PAPERS[name])


def test_a_colour_that_can_be_read_stays_as_it_is():
    assert (palette("#0B6E4F").link, palette("#0B6E4F").edge) == ("#0b6e4f", "#0b6e4f")
    assert palette("#f2c14e").link != "#f2c14e"
    assert (text_on("#f2c14e"), text_on("#0b6e4f")) == ("#000000", "#ffffff")


def test_the_papers_are_those_of_the_style_sheet():
    style = (Path(recovery.presentation.messages.colours.__file__).parent / "templates" / "mail.css").read_text()
    light, dark = style.split("@media (prefers-color-scheme: dark)")
    for part, papers in ((light, PAPERS["light"]), (dark, PAPERS["dark"])):
        assert papers == tuple(re.search(rf"\.{name} {{[^}}]*background-color: (#\w+)", part).group(1) for name in ("card", "due"))

"""Makes a merchant's colour readable: the text colour on it, and its shades on light and dark paper (WCAG 2.2, 1.4.3 and 1.4.11). Pure."""

import msgspec

OWN = "#2452d6"
"""The accent of our own design."""
TEXT_RATIO, SHAPE_RATIO = 4.5, 3.0
"""The least contrast of text, and of a shape that must be seen, such as a button."""
PAPERS = {"light": ("#ffffff", "#f6f8fb"), "dark": ("#1b212d", "#242c3a")}
"""The backgrounds that an accent may stand on; templates/mail.css has the same."""


class Palette(msgspec.Struct, frozen=True):
    """The accent colours of a page: the button and the text on it; its edge and links, each for light and dark paper."""

    button: str
    on_button: str
    edge: str
    dark_edge: str
    link: str
    dark_link: str


def palette(colour: str = "") -> Palette:
    """The accents for a merchant's `#RRGGBB`, our own when empty. The button has that very colour; its edge and links have the nearest
    to it that can be seen."""
    wanted = (colour or OWN).lower()
    edge, dark_edge = (_seen(wanted, paper, SHAPE_RATIO) for paper in PAPERS.values())
    link, dark_link = (_seen(wanted, paper, TEXT_RATIO) for paper in PAPERS.values())
    return Palette(wanted, text_on(wanted), edge, dark_edge, link, dark_link)


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, from 1 to 21, as WCAG 2.2 defines it."""
    lower, upper = sorted((_luminance(one), _luminance(other)))
    return (upper + 0.05) / (lower + 0.05)


def text_on(background: str) -> str:
    """White where white can be read on it, else black: one of the two always can."""
    return "#ffffff" if contrast("#ffffff", background) >= TEXT_RATIO else "#000000"


def _seen(colour: str, papers: tuple[str, ...], ratio: float) -> str:
    """The colour, or the first step from it towards black (on light paper) or white (on dark paper) with enough contrast."""
    towards = 0 if _luminance(papers[0]) > 0.5 else 255
    for step in range(101):
        mixed = _mixed(colour, towards, step / 100)
        if all(contrast(mixed, paper) >= ratio for paper in papers):
            return mixed
    raise AssertionError("black and white stand out from every paper")


def _mixed(colour: str, towards: int, share: float) -> str:
    return "#" + "".join(f"{round(part + (towards - part) * share):02x}" for part in _parts(colour))


def _luminance(colour: str) -> float:
    red, green, blue = (
        (value / 12.92) if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in (part / 255 for part in _parts(colour))
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _parts(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)

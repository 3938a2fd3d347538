"""How long a text is as an SMS: the letters of GSM 03.38 take 7 bits, a single other one makes the whole text take 16. Pure."""

import unicodedata

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_TWO_PLACES = frozenset("^{}\\[~]|€\f")
"""Letters that are written with an escape before them."""
ONE, OF_SEVERAL = 160, 153
"""Places in a text of one segment, and in each segment of a longer one, in which a header takes some."""
ONE_WIDE, OF_SEVERAL_WIDE = 70, 67
"""The same in UTF-16 units, for a text with any other letter."""


def fits(text: str) -> bool:
    """Whether the text has only letters that take 7 bits."""
    return all(letter in _BASIC or letter in _TWO_PLACES for letter in text)


def segments(text: str) -> int:
    """The number of segments of a text; each segment is paid for. A character of two septets is never split between segments."""
    if not fits(text):
        units = len(text.encode("utf-16-be")) // 2
        return 1 if units <= ONE_WIDE else -(-units // OF_SEVERAL_WIDE)
    places = [2 if letter in _TWO_PLACES else 1 for letter in text]
    if sum(places) <= ONE:
        return 1
    used, number = 0, 1
    for width in places:
        if used + width > OF_SEVERAL:
            used, number = 0, number + 1
        used += width
    return number


def plain(name: str) -> str:
    """The name without those accents that do not fit, if it fits then; otherwise unchanged, for a wrong name is worse than a long text."""
    bare = "".join(letter if fits(letter) else _bare(letter) for letter in unicodedata.normalize("NFC", name))
    return bare if fits(bare) else name


def _bare(letter: str) -> str:
    marks_off = "".join(part for part in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(part))
    return _QUOTES.get(letter, marks_off)


_QUOTES = {"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "..."}

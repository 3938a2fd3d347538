"""The signed addresses that a mail carries: behind its links, in its invisible image, and for a wish to get no more (B53). Pure.

A merchant with a white label is shown at their own domain or not at all: our address would tell who we are (product decision 32).
"""

import msgspec

from control.brand import Brand
from recovery.links import Links, Sending
from sinks.effects.render import Letter


def links_of(links: Links | None, brand: Brand) -> Links | None:
    """The links that mails of a brand may carry; None when they carry none."""
    if links is None:
        return None
    ours = links.at(brand.links_url) if brand.white_label and brand.links_url else links
    return ours if ours.base and not (brand.white_label and not brand.links_url) else None


def tracked(letter: Letter, links: Links | None, sending: Sending) -> Letter:
    """The letter whose page tells of an opening and of clicks; as it was without links. The text part keeps the direct ones."""
    if links is None:
        return letter
    also = tuple(msgspec.structs.replace(one, web_link=_click(links, sending, one.link)) for one in letter.also)
    web_link = _click(links, sending, letter.link) if letter.link else ""
    return msgspec.structs.replace(letter, web_link=web_link, also=also, pixel=links.open(sending))


def unsubscribe(links: Links | None, sending: Sending) -> str:
    """The address for List-Unsubscribe with one click, empty when there is none: it must be https (RFC 8058)."""
    return links.unsubscribe(sending) if links is not None and links.base.startswith("https://") else ""


def _click(links: Links, sending: Sending, target: str) -> str:
    try:
        return links.click(sending, target)
    except ValueError:  # an address that no redirect can name; it is linked directly
        return target

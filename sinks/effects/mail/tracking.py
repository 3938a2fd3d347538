"""The signed addresses in a mail: behind its links, in its invisible image, and for the unsubscribe (B53). Pure.

A merchant with a white label is shown at their own domain or not at all: our address would reveal us.
"""

import msgspec

from recovery.presentation.brand import Brand
from recovery.presentation.messages.mail_content import MailContent
from recovery.signed_links import LinkSigner, Sending


def links_of(links: LinkSigner | None, brand: Brand) -> LinkSigner | None:
    """The links that mails of a brand may carry; None when they carry none."""
    if links is None:
        return None
    ours = links.at(brand.links_url) if brand.white_label and brand.links_url else links
    return ours if ours.base and not (brand.white_label and not brand.links_url) else None


def tracked(letter: MailContent, links: LinkSigner | None, sending: Sending) -> MailContent:
    """The mail whose page records an opening and clicks; unchanged without links. The text part keeps the direct links."""
    if links is None:
        return letter
    also = tuple(msgspec.structs.replace(one, web_link=_click(links, sending, one.link)) for one in letter.also)
    web_link = _click(links, sending, letter.link) if letter.link else ""
    return msgspec.structs.replace(letter, web_link=web_link, also=also, pixel=links.open(sending))


def unsubscribe(links: LinkSigner | None, sending: Sending) -> str:
    """The address for List-Unsubscribe with one click, empty when there is none: it must be https (RFC 8058)."""
    return links.unsubscribe(sending) if links is not None and links.base.startswith("https://") else ""


def _click(links: LinkSigner, sending: Sending, target: str) -> str:
    try:
        return links.click(sending, target)
    except ValueError:  # an address that no redirect can name; it is linked directly
        return target

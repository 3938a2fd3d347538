"""A merchant's brand as customers see it: `[tenant.brand]` of the tenants file, and the errors that it may have. Pure."""

import re
from urllib.parse import urlsplit

import msgspec

from recovery.email_addresses import is_address

LANGUAGES = ("en", "de", "fr", "es")
"""The languages that payers are written to in."""
WIDEST_LOGO = 200
"""Pixels of a page's width."""
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_PLAIN = re.compile(r"https://[!#-&(-;=?-~]+")
_LOGO = (".png", ".jpg", ".jpeg")


class Brand(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`name` as customers know the merchant; the tenant's own when empty. `language` for customers whose locale we do not support.

    The rest applies with `white_label` only: `logo_url` of a PNG or JPG, shown `logo_width` pixels wide; `colour` of buttons and links;
    `sender`, the address that mails come from; `links_url`, the merchant's own domain for the gateway.
    """

    name: str = ""
    language: str = ""
    white_label: bool = False
    logo_url: str = ""
    logo_width: int = 160
    colour: str = ""
    sender: str = ""
    links_url: str = ""


def problems(brand: Brand) -> list[str]:
    """What is wrong with a brand, in sentences for the person who wrote it; empty when all is well."""
    found = []
    if len(brand.name) > 60 or not brand.name.isprintable():
        found.append("brand.name has at most 60 characters, all of them printable.")
    if brand.language and brand.language not in LANGUAGES:
        found.append(f"brand.language is {brand.language!r}; choose {', '.join(LANGUAGES)}.")
    if brand.colour and not _COLOUR.fullmatch(brand.colour):
        found.append(f"brand.colour is {brand.colour!r}; write it as #RRGGBB, for instance #0B6E4F.")
    if brand.logo_url and not _is_logo(brand.logo_url):
        found.append("brand.logo_url must be an https address that ends with .png or .jpg; mail programs show neither SVG nor WebP.")
    if not 16 <= brand.logo_width <= WIDEST_LOGO:
        found.append(f"brand.logo_width is {brand.logo_width}; it takes 16 to {WIDEST_LOGO} pixels.")
    if brand.links_url and not _is_https(brand.links_url):
        found.append("brand.links_url must be an https address without a query, such as https://pay.heron.example.")
    return found + _sender_problems(brand)


def _sender_problems(brand: Brand) -> list[str]:
    if brand.sender and not is_address(brand.sender):
        return [f"brand.sender is {brand.sender!r}; it takes an e-mail address."]
    if brand.white_label and not brand.sender:
        return ["white_label needs brand.sender, an address of your own domain: with ours as the sender, payers would see us."]
    return []


def _is_https(url: str) -> bool:
    if not _PLAIN.fullmatch(url):
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return bool(parts.hostname) and not (parts.query or parts.fragment or parts.username)


def _is_logo(url: str) -> bool:
    bare = url.partition("?")[0]
    return _PLAIN.fullmatch(url) is not None and _is_https(bare) and bare.lower().endswith(_LOGO)

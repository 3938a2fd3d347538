"""The page of a mail as its reader sees it: the images and the link in it; pure."""

from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import urlsplit

_HERE = frozenset({"127.0.0.1", "localhost"})


@dataclass(frozen=True, slots=True)
class Seen:
    """The addresses in a mail's page that lie on this machine: its images, and the first link; empty when it has none."""

    images: tuple[str, ...] = ()
    link: str = ""


def seen(html: str) -> Seen:
    """What a mail's page would load and where its first link leads. Addresses elsewhere are left out: nothing here goes out."""
    page = _Page()
    page.feed(html)
    images = tuple(address for address in page.images if is_here(address))
    return Seen(images, next((address for address in page.links if is_here(address)), ""))


def is_here(address: str) -> bool:
    """Whether an address is plain HTTP on this machine."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme == "http" and parts.hostname in _HERE


class _Page(HTMLParser):
    """Collects the addresses of images and links, in their order."""

    def __init__(self) -> None:
        super().__init__()
        self.images: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag == "img" and attributes.get("src"):
            self.images.append(str(attributes["src"]))
        if tag == "a" and attributes.get("href"):
            self.links.append(str(attributes["href"]))

"""Signed links: they tie an opening, a click, an unsubscribe or a delivery report to a message, and only we can make them.

A token holds ids, the time of sending, and a click's target; no name and no address. A token with a changed byte is invalid, so that a
click leads only to the target that we signed (no open redirect). Links do not expire: an unsubscribe is valid years later, too.
"""

import binascii
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Literal

import msgspec

from recovery.ids import invoice_of

Kind = Literal["open", "click", "unsubscribe", "status"]
SHORTEST_KEY = 32
"""Characters that a key must have."""
LONGEST_TOKEN = 2048
"""Characters; longer tokens are rejected unread."""
_PATHS: dict[Kind, str] = {"open": "/o/", "click": "/c/", "unsubscribe": "/u/"}
_TAG_BYTES = 16
_VERSION, _MAIL_VERSION = b"dunlin link 1\0", b"dunlin mail 1\0"
_MAIL_TAG_BYTES = 10


class Sending(msgspec.Struct, frozen=True):
    """The message that holds a link: its customer, its invoice, its effect, and when it was sent (`at`, Unix seconds of business time).

    `contact` names one of several billing contacts, as in MessageBounced; empty for the customer's own address.
    """

    account: str
    customer: str
    invoice: str
    effect: str
    at: int
    contact: str = ""


class Link(msgspec.Struct, frozen=True):
    """What a good token says; `target` is where a click leads, empty for other kinds."""

    sending: Sending
    target: str = ""


class _Content(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """A token's content, short: the effect without its account; the invoice only where the effect's id does not hold it."""

    kind: Kind
    account: str
    customer: str
    effect: str
    at: int
    contact: str = ""
    target: str = ""
    invoice: str | None = None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Content).decode


class LinkSigner:
    """Signs with the first of `keys` and verifies with all of them, so that keys can be rotated without breaking sent links.

    `base` is the address at which customers reach the gateway, `https://pay.heron.example`; without it there are no links.

    Raises:
        ValueError: there is no key, or one is too short to be secret.
    """

    def __init__(self, keys: Sequence[str], base: str = "") -> None:
        if not keys or any(len(key) < SHORTEST_KEY for key in keys):
            raise ValueError(f"Links need a key, and each key at least {SHORTEST_KEY} characters.")
        self._keys = tuple(key.encode("utf-8", "surrogateescape") for key in keys)
        self.base = base.rstrip("/")

    def at(self, base: str) -> "LinkSigner":
        """The same links under another address of the gateway, such as the merchant's own; these, when it is empty."""
        return LinkSigner([key.decode("utf-8", "surrogateescape") for key in self._keys], base) if base else self

    def open(self, sending: Sending) -> str:
        """The address of the invisible image that records an opening."""
        return self._address("open", sending)

    def click(self, sending: Sending, target: str) -> str:
        """The address that redirects to `target`; `target` itself when the link would be too long.

        Raises:
            ValueError: the target is not an absolute http or https address in ASCII.
        """
        if not target.startswith(("https://", "http://")) or _unprintable(target):
            raise ValueError("A click leads to an http or https address.")
        token = self._token("click", sending, target)
        return f"{self.base}{_PATHS['click']}{token}" if len(token) <= LONGEST_TOKEN else target

    def unsubscribe(self, sending: Sending) -> str:
        """The address for List-Unsubscribe: a POST to it unsubscribes (RFC 8058), a GET shows a page with a button."""
        return self._address("unsubscribe", sending)

    def sms_status(self, sending: Sending) -> str:
        """The address to which Twilio reports the status of an SMS. The token is in the query, which Twilio's signature covers."""
        return f"{self.base}/api/twilio/status/{sending.account}?m={self._token('status', sending)}"

    def read(self, kind: Kind, token: str) -> Link | None:
        """What a token of this kind says, or None when it is not one of ours; never raises, whatever the token is."""
        if len(token) > LONGEST_TOKEN or not token.isascii():
            return None
        try:
            raw = urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except (binascii.Error, ValueError):
            return None
        content, tag = raw[:-_TAG_BYTES], raw[-_TAG_BYTES:]
        if _text(raw) != token or not self._signed(content, tag):
            return None
        try:
            decoded = _decode(content)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        return _link(decoded) if decoded.kind == kind else None

    def mail_tag(self, effect: str, customer: str) -> str:
        """What shows, in the Message-ID of a mail to a customer, that the mail was ours and theirs: twenty letters and digits."""
        return _mail_tag(self._keys[0], effect, customer)

    def is_mail_tag(self, tag: str, effect: str, customer: str) -> bool:
        """Whether the tag is that of a mail to this customer."""
        found = False
        for key in self._keys:
            found |= hmac.compare_digest(_mail_tag(key, effect, customer).encode(), tag.lower().encode("utf-8", "surrogateescape"))
        return found

    def _address(self, kind: Kind, sending: Sending) -> str:
        return f"{self.base}{_PATHS[kind]}{self._token(kind, sending)}"

    def _token(self, kind: Kind, sending: Sending, target: str = "") -> str:
        account, effect = sending.account, sending.effect
        short = effect.removeprefix(f"{account}.")
        invoice = None if invoice_of(account, effect) == sending.invoice else sending.invoice
        content = _encode(_Content(kind, account, sending.customer, short, sending.at, sending.contact, target, invoice))
        return _text(content + _tag(self._keys[0], content))

    def _signed(self, content: bytes, tag: bytes) -> bool:
        """Whether any key made this tag. All keys are compared, so that the time taken reveals nothing."""
        found = False
        for key in self._keys:
            found |= hmac.compare_digest(_tag(key, content), tag)
        return found


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _tag(key: bytes, content: bytes) -> bytes:
    return hmac.digest(key, _VERSION + content, "sha256")[:_TAG_BYTES]


def _mail_tag(key: bytes, effect: str, customer: str) -> str:
    signed = f"{effect}\0{customer}".encode("utf-8", "surrogateescape")
    return hmac.digest(key, _MAIL_VERSION + signed, "sha256")[:_MAIL_TAG_BYTES].hex()


def _link(content: _Content) -> Link:
    effect = f"{content.account}.{content.effect}"
    invoice = invoice_of(content.account, effect) if content.invoice is None else content.invoice
    return Link(Sending(content.account, content.customer, invoice, effect, content.at, content.contact), content.target)


def _unprintable(text: str) -> bool:
    return any(not " " < letter < "\x7f" for letter in text)

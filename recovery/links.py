"""Signed links: what a message carries so that an opening, a click, a wish for silence or a delivery can be tied to it, by us alone.

A token holds ids and the time of sending, and a click's target; no name and no address. Whoever changes a byte has no link any more, so a
click leads only where we said it would (no open redirect). Links do not expire: a wish for silence is good in years, too.
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
"""Characters; longer ones are not even looked at."""
_PATHS: dict[Kind, str] = {"open": "/o/", "click": "/c/", "unsubscribe": "/u/"}
_TAG_BYTES = 16
_VERSION, _MAIL_VERSION = b"dunlin link 1\0", b"dunlin mail 1\0"
_MAIL_TAG_BYTES = 10


class Sending(msgspec.Struct, frozen=True):
    """The message that a link stands in: whose, about which invoice, by which effect, and when it left (`at`, unix seconds, business time).

    `contact` names one of several billing contacts, as MessageBounced does; empty for the customer's own address.
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
    """A token's content, short: the effect without its account; the invoice only where the effect's id does not tell it."""

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


class Links:
    """Signs with the first of `keys` and believes all of them, so that keys can be changed without breaking what was sent.

    `base` is the address under which payers reach the gateway, `https://pay.heron.example`; where it is empty there are no links.

    Raises:
        ValueError: there is no key, or one is too short to be secret.

    """

    def __init__(self, keys: Sequence[str], base: str = "") -> None:
        if not keys or any(len(key) < SHORTEST_KEY for key in keys):
            raise ValueError(f"Links need a key, and each key at least {SHORTEST_KEY} characters.")
        self._keys = tuple(key.encode("utf-8", "surrogateescape") for key in keys)
        self.base = base.rstrip("/")

    def at(self, base: str) -> "Links":
        """The same links under another address of the gateway, such as the merchant's own; these, when it is empty."""
        return Links([key.decode("utf-8", "surrogateescape") for key in self._keys], base) if base else self

    def open(self, sending: Sending) -> str:
        """The address of the invisible image that tells of an opening."""
        return self._address("open", sending)

    def click(self, sending: Sending, target: str) -> str:
        """The address that leads to `target`; `target` itself when the link would become too long to be read.

        Raises:
            ValueError: the target is no absolute http or https address in ASCII.

        """
        if not target.startswith(("https://", "http://")) or _unprintable(target):
            raise ValueError("A click leads to an http or https address.")
        token = self._token("click", sending, target)
        return f"{self.base}{_PATHS['click']}{token}" if len(token) <= LONGEST_TOKEN else target

    def unsubscribe(self, sending: Sending) -> str:
        """The address for List-Unsubscribe: POST to it is the wish (RFC 8058), GET shows a page with a button."""
        return self._address("unsubscribe", sending)

    def sms_status(self, sending: Sending) -> str:
        """The address that Twilio tells what became of an SMS; the token travels in the query, which Twilio's signature covers."""
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
            said = _decode(content)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        return _link(said) if said.kind == kind else None

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
        """Whether any key made this tag; all are compared, so that time tells nothing."""
        found = False
        for key in self._keys:
            found |= hmac.compare_digest(_tag(key, content), tag)
        return found


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _tag(key: bytes, content: bytes) -> bytes:
    return hmac.digest(key, _VERSION + content, "sha256")[:_TAG_BYTES]


def _mail_tag(key: bytes, effect: str, customer: str) -> str:
    said = f"{effect}\0{customer}".encode("utf-8", "surrogateescape")
    return hmac.digest(key, _MAIL_VERSION + said, "sha256")[:_MAIL_TAG_BYTES].hex()


def _link(said: _Content) -> Link:
    effect = f"{said.account}.{said.effect}"
    invoice = invoice_of(said.account, effect) if said.invoice is None else said.invoice
    return Link(Sending(said.account, said.customer, invoice, effect, said.at, said.contact), said.target)


def _unprintable(text: str) -> bool:
    return any(not " " < letter < "\x7f" for letter in text)

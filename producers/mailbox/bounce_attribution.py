"""A bounce or complaint as facts: whose mail it was, found by our own signed link in it, else by our signed Message-ID (B53, B56).

Anybody can write such a report. It counts only for a mail that was really sent, and only against the customer whom that mail was for: both
signatures name the customer. The reason is kept without addresses (B94).
"""

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, Protocol
from urllib.parse import unquote

import msgspec

from recovery.contracts.facts import Fact, MessageBounced, MessageComplained
from recovery.ids import MESSAGE_KINDS, invoice_of, kind_of
from recovery.signed_links import LinkSigner, Sending

_WORD = re.compile(r"[^\s<>;:,\"']++")
_TOKEN = re.compile(r"/u/([A-Za-z0-9_-]{20,2048})")
_MESSAGE_ID = re.compile(r"<?([^<>@\s]{1,900})@[^<>@\s]+>?")
LONGEST_WHY = 200
READ_OF_WHY = 2_000
"""Characters of a server's reply that are searched: it is cut before the search."""
READ_OF_HEADER = 8_192
"""Characters of a mail's List-Unsubscribe that are read; ours has some hundreds."""
LONGEST_NAME = 64
"""Characters before an address's @ (RFC 5321)."""


class DeliveryReport(msgspec.Struct, frozen=True, kw_only=True):
    """The report of a mail server or provider about one recipient of a mail. `hard`: the address does not exist. `unsubscribe` is the
    mail's List-Unsubscribe header, which holds our signed link."""

    kind: Literal["bounced", "complained"]
    hard: bool = False
    why: str = ""
    message_id: str = ""
    recipient: str = ""
    unsubscribe: str = ""


class BounceStore(Protocol):
    """The store of undeliverable addresses (control.contacts)."""

    @property
    def contact(self) -> str:
        """Which of several billing contacts; empty for the customer's own."""

    @property
    def remaining(self) -> int:
        """How many of the customer's contacts can still be written to."""


class KnownAddresses(Protocol):
    """Whose address it is (control.contacts)."""

    def customers_with_email(self, account: str, email: str) -> tuple[str, ...]:
        """The account's customers with this address."""

    def bounced(self, account: str, customer: str, email: str, at: datetime) -> BounceStore:
        """Remember that the address is undeliverable, and return what that means for the customer."""


class BounceResolver:
    """Finds the customer of a delivery report, and makes the fact of it."""

    def __init__(self, links: LinkSigner, addresses: KnownAddresses) -> None:
        self._links, self._addresses = links, addresses

    def facts(self, notice: DeliveryReport, accounts: Sequence[str], occurred_at: datetime, received_at: datetime) -> list[Fact]:
        """The report as one fact for each customer of `accounts` whom it concerns; the same report gives the same facts. Empty when the
        customer cannot be found.

        An undeliverable address is remembered first, so that no mail goes to it again even if the fact is late. An address with characters
        that no address can have is ignored: a database may refuse them, and one report must not block all others.
        """
        if not notice.recipient.isprintable():
            notice = msgspec.structs.replace(notice, recipient="")
        return [self._fact(notice, sending, occurred_at, received_at) for sending in self._sendings(notice, accounts)]

    def _fact(self, notice: DeliveryReport, sending: Sending, occurred_at: datetime, received_at: datetime) -> Fact:
        header = _header(notice, sending) | {"occurred_at": occurred_at, "received_at": received_at}
        if notice.kind == "complained":
            return MessageComplained(**header)
        contact, remaining = sending.contact, -1
        if notice.hard and notice.recipient:
            known = self._addresses.bounced(sending.account, sending.customer, notice.recipient, received_at)
            contact, remaining = known.contact, known.remaining
        return MessageBounced(
            **header, hard=notice.hard, contact=contact, why=without_addresses(notice.why, notice.recipient), remaining=remaining
        )

    def _sendings(self, notice: DeliveryReport, accounts: Sequence[str]) -> list[Sending]:
        for token in _TOKEN.findall(notice.unsubscribe[:READ_OF_HEADER]):
            link = self._links.read("unsubscribe", token)
            if link is not None and link.sending.account in accounts:
                return [link.sending]
        effect, tag = effect_of(notice.message_id), _tag_of(notice.message_id)
        account = next((known for known in accounts if effect.startswith(f"{known}.")), "")
        address = notice.recipient.strip().lower()
        if not account or not address or not tag:  # a mail that was not ours says nothing of ours
            return []
        everyone = self._addresses.customers_with_email(account, address)
        customers = [customer for customer in everyone if self._links.is_mail_tag(tag, effect, customer)]
        return [Sending(account, customer, invoice_of(account, effect), effect, 0) for customer in customers]


def effect_of(message_id: str) -> str:
    """The effect in one of our Message-IDs (ids.message_id); empty for another program's."""
    effect = unquote(_local_part(message_id).partition("+")[0])
    return effect if effect.count(".") >= 3 and kind_of(effect) in MESSAGE_KINDS else ""


def _tag_of(message_id: str) -> str:
    return _local_part(message_id).partition("+")[2]


def _local_part(message_id: str) -> str:
    match = _MESSAGE_ID.fullmatch(message_id.strip())
    return match[1] if match else ""


def _header(notice: DeliveryReport, sending: Sending) -> dict[str, Any]:
    what = "complained" if notice.kind == "complained" else "bounced" if notice.hard else "soft_bounced"
    # One message may go to several addresses of a customer: each that bounces is a fact of its own.
    which = hashlib.sha256(notice.recipient.strip().lower().encode("utf-8", "surrogateescape")).hexdigest()[:16]
    id = f"{what}:{sending.account}:{sending.customer}:{sending.effect}:{which}"
    return {
        "id": id,
        "account": sending.account,
        "customer": sending.customer,
        "invoice": sending.invoice,
        "cause": sending.effect,
        "trace": id,
        "medium": "email",
        "message": notice.message_id[:400] if effect_of(notice.message_id) else "",
    }


def without_addresses(text: str, recipient: str = "") -> str:
    """The text on one line, short, without e-mail addresses; the recipient's local part is also removed where it appears alone, as servers
    write it: `user jo.doe unknown`."""
    cut = " ".join(text[:READ_OF_WHY].split())
    if len(text) > READ_OF_WHY:
        cut = cut.rpartition(" ")[0]  # the last word may be the beginning of an address
    plain, name = _WORD.sub(_without_address, cut), recipient.strip().partition("@")[0]
    if name and len(name) <= LONGEST_NAME:
        plain = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "(address)", plain, flags=re.IGNORECASE)
    return plain[:LONGEST_WHY]


def _without_address(word: re.Match[str]) -> str:
    return "(address)" if "@" in word[0][1:-1] else word[0]

"""Facts of Twilio's requests: replies of recipients, and the status of texts. Pure; numbers and texts are not stored (B53, B94)."""

import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec
import phonenumbers

from recovery.contracts.facts import (
    ConsentGiven,
    ConsentWithdrawn,
    Fact,
    MessageBounced,
    MessageDelivered,
    MessageReceived,
    MessageUndelivered,
)
from recovery.signed_links import Sending

Word = Literal["stop", "start", "help", "other"]
_WORDS: dict[str, Word] = {
    **dict.fromkeys(("STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"), "stop"),
    **dict.fromkeys(("STOPP", "ABMELDEN", "ARRET", "ARRETER", "ALTO", "BAJA", "PARAR", "CANCELAR"), "stop"),
    **dict.fromkeys(("START", "UNSTOP"), "start"),
    **dict.fromkeys(("HELP", "INFO", "HILFE", "AIDE", "AYUDA"), "help"),
}
"""What a text of one word means: Twilio's own words (without YES, which may answer anything) and those of our languages."""
_STOP_FIRST = frozenset({"STOP", "STOPP", "STOPALL", "UNSUBSCRIBE", "ARRET", "ABMELDEN", "BAJA"})
"""Words that mean STOP at the beginning of a longer text, too: better one unsubscribe too many than one too few."""
_ARRIVED = frozenset({"delivered", "read"})
_LOST = frozenset({"undelivered", "failed", "canceled"})
_NO_PHONE = frozenset({"30005", "30006"})
"""Unknown number, and a line that takes no texts (twilio.com/docs/api/errors)."""
_OPTED_OUT = "21610"


class Text(msgspec.Struct, frozen=True):
    """A text that we received: Twilio's id, the sender's number (E.164), its meaning, and the time."""

    message: str
    number: str
    word: Word
    occurred_at: datetime
    received_at: datetime


def word_of(params: Mapping[str, str]) -> Word:
    """What the sender of a text wants; Twilio's own reading of it, where it gives one, goes first."""
    kind = params.get("OptOutType", "").lower()
    if kind in {"stop", "start", "help"}:
        return kind  # type: ignore[return-value]  # narrowed by the set just before, which mypy does not follow
    plain = unicodedata.normalize("NFKD", params.get("Body", "")[:200]).encode("ascii", "ignore").decode().upper()
    words = "".join(letter if letter.isalpha() else " " for letter in plain).split()
    if len(words) == 1:
        return _WORDS.get(words[0], "other")
    return "stop" if words and words[0] in _STOP_FIRST else "other"


def text_facts(text: Text, customers: Sequence[tuple[str, str]], account: str) -> list[Fact]:
    """The meaning of a text for each (account, customer) with its number; for an unknown number, that it arrived (for `account`).

    A STOP counts everywhere. A START counts only where its merchant is certain: consent is given to one merchant, so a START that could
    mean several gives none.
    """
    if not customers:
        return [MessageReceived(**_header(text, account, ""), message=text.message, word=text.word)]
    unclear = text.word == "start" and len({account for account, _ in customers}) > 1
    return [_received(text, *owner) if unclear else _text_fact(text, *owner) for owner in customers]


def _received(text: Text, account: str, customer: str) -> Fact:
    return MessageReceived(**_header(text, account, customer), message=text.message, word=text.word)


def _text_fact(text: Text, account: str, customer: str) -> Fact:
    header = _header(text, account, customer)
    if text.word == "stop":
        return ConsentWithdrawn(**header, medium="sms", why="stop")
    if text.word == "start":
        return ConsentGiven(**header, medium="sms", proof=f"SMS START, Twilio message {text.message}", country=_country(text.number))
    return _received(text, account, customer)


def status_facts(sending: Sending, params: Mapping[str, str], occurred_at: datetime, received_at: datetime) -> list[Fact]:
    """What became of a text that we sent; nothing for the steps in between. A number that takes no texts is a hard bounce."""
    message, status, code = params.get("MessageSid", "")[:64], params.get("MessageStatus", ""), params.get("ErrorCode", "")[:8]
    if status not in _ARRIVED | _LOST:
        return []
    end = "delivered" if status in _ARRIVED else "undelivered"
    id = f"sms:{sending.account}:{message}:{end}"
    about: dict[str, Any] = {
        "account": sending.account,
        "customer": sending.customer,
        "occurred_at": occurred_at,
        "received_at": received_at,
        "cause": sending.effect,
        "trace": id,
    }
    fields: dict[str, Any] = {**about, "id": id, "invoice": sending.invoice, "effect": sending.effect, "medium": "sms", "message": message}
    if end == "delivered":
        return [MessageDelivered(**fields)]
    facts: list[Fact] = [MessageUndelivered(**fields, why=f"twilio_{code}" if code.isdigit() else status)]
    if code in _NO_PHONE:
        facts.append(MessageBounced(**about, id=f"{id}:bounced", medium="sms", message=message, hard=True, why=f"Twilio error {code}"))
    if code == _OPTED_OUT:
        facts.append(ConsentWithdrawn(**about, id=f"{id}:withdrawn", medium="sms", why="stop_at_twilio"))
    return facts


def _header(text: Text, account: str, customer: str) -> dict[str, Any]:
    id = f"sms:{account}:{text.message}:{customer}:{text.word}"
    return {
        "id": id,
        "account": account,
        "customer": customer,
        "occurred_at": text.occurred_at,
        "received_at": text.received_at,
        "cause": text.message,
        "trace": id,
    }


def _country(number: str) -> str:
    try:
        return phonenumbers.region_code_for_number(phonenumbers.parse(number)) or ""
    except phonenumbers.NumberParseException:
        return ""

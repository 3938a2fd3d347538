"""Ids, each derived from its cause: the same cause gives the same id, so a repeat is recognised and never acts twice."""

import re
from hashlib import blake2b, sha256
from urllib.parse import quote

KEY_PREFIX = "dunlin-"
"""The prefix of every idempotency key that we send to Stripe. In webhooks it distinguishes our attempts from those of others."""

LONGEST_KEY = 255
"""Characters of an idempotency key that Stripe takes."""
_HASHED = "~"
"""The prefix of the replacement for an effect id that is too long; no account id begins with it."""
MESSAGE_KINDS: frozenset[str] = frozenset({"message", "sms", "notice"})
"""Kinds of effects that send a message: reminders by mail, reminders by SMS, and transactional mails."""

_TRACEPARENT = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def stream_key(account: str, customer: str) -> bytes:
    """The Kafka key of everything about one customer: `account/customer` (B5)."""
    return f"{account}/{customer}".encode()


def stub_key(account: str, object_id: str) -> bytes:
    """The key of an object whose customer is unknown: `account/~object`."""
    return f"{account}/~{object_id}".encode()


def webhook_fact_id(account: str, event_id: str) -> str:
    """The id of a fact that a provider's event became (never a hash of the payload)."""
    return f"{account}:{event_id}"


def outcome_fact_id(effect_id: str) -> str:
    """The id of the fact that reports an effect's outcome. It is derived from the effect, so that a second report is the same fact."""
    return f"{effect_id}:outcome"


def fingerprint(fact_id: str) -> int:
    """A fact's id in eight bytes, for remembering that it was seen; of 64 remembered, one in 10^17 others has the same mark."""
    return int.from_bytes(blake2b(fact_id.encode(), digest_size=8).digest())


def effect_id(account: str, invoice: str, kind: str, number: int) -> str:
    """The id of a request: account, invoice, kind and the request's number within them; every request spends a number (B32)."""
    return f"{account}.{invoice}.{kind}.{number}"


def kind_of(effect: str) -> str:
    """The kind within an effect id: read, charge, message, sms, notice, end, alert, slack, webhook-NAME or withdrawal."""
    return effect.rsplit(".", 2)[-2]


def invoice_of(account: str, effect: str) -> str:
    """The invoice within an effect id; empty where the effect is about something else, which `~` marks."""
    about = effect.removeprefix(f"{account}.").rpartition(".")[0].rpartition(".")[0]
    return "" if about.startswith("~") else about


def number_of(account: str, invoice: str, effect: str) -> int | None:
    """The request's number within an effect id; None when the effect is not one of this invoice."""
    kind, _, number = effect.removeprefix(f"{account}.{invoice}.").rpartition(".")
    ours = bool(kind) and "." not in kind and number.isascii() and number.isdigit() and len(number) < 10
    return int(number) if ours and effect == effect_id(account, invoice, kind, int(number)) else None


def idempotency_key(effect: str) -> str:
    """The key sent to Stripe for an effect: at most 255 characters, the same for the same effect, never for another one (B32, B33)."""
    key = f"{KEY_PREFIX}{quote(effect, safe='._-')}"
    return key if len(key) <= LONGEST_KEY else f"{KEY_PREFIX}{_HASHED}{sha256(effect.encode()).hexdigest()}"


def is_ours(request_key: str) -> bool:
    """Whether an idempotency key echoed by Stripe is one of ours."""
    return request_key.startswith(KEY_PREFIX)


def effect_of_key(request_key: str) -> str:
    """The effect id in one of our idempotency keys; empty for a key of another program, or of an effect whose id is too long."""
    effect = request_key[len(KEY_PREFIX) :] if is_ours(request_key) else ""
    return "" if effect.startswith(_HASHED) else effect


def event_id(partition: int, offset: int, index: int) -> str:
    """The id of an event: the place in `facts` of what caused it and its number there; a replay of `facts` gives the same id."""
    return f"{partition}-{offset}-{index}"


def message_id(effect: str, domain: str, tag: str = "") -> str:
    """The Message-ID of a mail: the same whenever the same effect is performed again. `tag` shows that it is ours."""
    return f"<{quote(effect, safe='._-')}{'+' if tag else ''}{tag}@{domain}>"


def without_tag(message: str) -> str:
    """A Message-ID as it is without its tag."""
    before, plus, behind = message.partition("+")
    return f"{before}@{behind.partition('@')[2]}" if plus else message


def trace_of(traceparent: bytes, fallback: str) -> str:
    """The trace of a request: its header `traceparent` when that is one of W3C's Trace Context, else the fallback."""
    return traceparent.decode() if _TRACEPARENT.fullmatch(traceparent) else fallback

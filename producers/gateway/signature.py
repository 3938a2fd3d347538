"""Whether a webhook's bytes come from Stripe: total, constant time, and never an exception whatever the bytes are."""

import hmac
from collections.abc import Sequence

import msgspec

TOLERANCE_SECONDS = 300
"""How far the signed time may lie from ours, in both directions; the SDK lets the future pass, we do not."""

LONGEST_BODY = 512 << 10
"""Bytes. What Stripe sends fits many times over: its other way of delivery, Amazon EventBridge, takes 256 KB."""
_LONGEST_HEADER = 8192
_LARGE = 16 << 10
"""Bytes from which `hmac.new` is used: it releases the interpreter's lock, and costs a little more than `hmac.digest`."""
_MOST_SIGNATURES = 32


class Accepted(msgspec.Struct, frozen=True):
    """The bytes were signed with one of the secrets at `at` (unix seconds)."""

    at: int


class Rejected(msgspec.Struct, frozen=True):
    """The bytes must not be believed. `reason` is one of: no_signature, malformed, stale, future, too_large, forged."""

    reason: str


class Signature(msgspec.Struct, frozen=True):
    """A parsed signature header: the signed time as written, and the signatures."""

    at: bytes
    given: list[bytes]


def verify(header: bytes | None, body: bytes, secrets: Sequence[str], now: float) -> Accepted | Rejected:
    """Whether `body` was signed with one of `secrets` within 300 s of `now` (unix seconds, wall time).

    `header` is the value of Stripe-Signature as received. The first `t` counts; every `v1` may match; other schemes mean nothing.
    What is refused for its header or its size is not hashed.
    """
    signature = read_header(header, now)
    if isinstance(signature, Rejected):
        return signature
    if len(body) > LONGEST_BODY:
        return Rejected("too_large")
    return Accepted(int(signature.at)) if signed(signature, body, secrets) else Rejected("forged")


def read_header(header: bytes | None, now: float) -> Signature | Rejected:
    """The signature in a header when it can be read and its time is within 300 s of `now`, else why not. Nothing is hashed for it."""
    if not header:
        return Rejected("no_signature")
    at, given = _parts(header)
    if at is None or not given:
        return Rejected("malformed")
    age = now - int(at)
    if age > TOLERANCE_SECONDS:
        return Rejected("stale")
    return Rejected("future") if age < -TOLERANCE_SECONDS else Signature(at, given)


def signed(signature: Signature, body: bytes, secrets: Sequence[str]) -> bool:
    """Whether any signature matches any secret. All are compared, so that the time taken reveals nothing. Large bodies are hashed without
    the interpreter's lock."""
    content, found = signature.at + b"." + body, False
    for secret in secrets:
        key = secret.encode("utf-8", "surrogateescape")
        large = len(content) > _LARGE
        expected = (hmac.new(key, content, "sha256").hexdigest() if large else hmac.digest(key, content, "sha256").hex()).encode()
        for given in signature.given:
            found |= hmac.compare_digest(expected, given)
    return found


def _parts(header: bytes) -> tuple[bytes | None, list[bytes]]:
    at: bytes | None = None
    given: list[bytes] = []
    for item in header.split(b",") if len(header) <= _LONGEST_HEADER else ():
        name, _, value = item.strip().partition(b"=")
        if name == b"t" and at is None:
            at = value
        elif name == b"v1":
            given.append(value)
    whole = at is not None and at.isdigit() and len(at) <= 12
    return (at if whole else None), given[:_MOST_SIGNATURES]

"""Whether a webhook's bytes come from Stripe: total, constant time, and never an exception whatever the bytes are (stripe.md 3.5)."""

import hmac
from collections.abc import Sequence

import msgspec

TOLERANCE_SECONDS = 300
"""How far the signed time may lie from ours, in both directions; the SDK lets the future pass (stripe.md 0.11), we do not."""

_LONGEST_HEADER = 8192
_MOST_SIGNATURES = 32


class Accepted(msgspec.Struct, frozen=True):
    """The bytes were signed with one of the secrets at `at` (unix seconds)."""

    at: int


class Rejected(msgspec.Struct, frozen=True):
    """The bytes must not be believed. `reason` is one of: no_signature, malformed, forged, stale, future."""

    reason: str


def verify(header: bytes | None, body: bytes, secrets: Sequence[str], now: float) -> Accepted | Rejected:
    """Whether `body` was signed with one of `secrets` within 300 s of `now` (unix seconds, wall time).

    `header` is the value of Stripe-Signature as received. The first `t` counts; every `v1` may match; other schemes mean nothing.
    """
    if not header:
        return Rejected("no_signature")
    at, given = _parts(header)
    if at is None or not given:
        return Rejected("malformed")
    if not _signed(at + b"." + body, given, secrets):
        return Rejected("forged")
    age = now - int(at)
    if age > TOLERANCE_SECONDS:
        return Rejected("stale")
    return Rejected("future") if age < -TOLERANCE_SECONDS else Accepted(int(at))


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


def _signed(content: bytes, given: list[bytes], secrets: Sequence[str]) -> bool:
    """Whether any signature matches any secret; all are compared, so that time tells nothing."""
    found = False
    for secret in secrets:
        expected = hmac.digest(secret.encode("utf-8", "surrogateescape"), content, "sha256").hex().encode()
        for signature in given:
            found |= hmac.compare_digest(expected, signature)
    return found

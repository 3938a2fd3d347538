"""The strength of a signing secret: long and random enough that it cannot be guessed. A guessed one signs a payment or a cancellation.

Stripe's own secrets have 32 characters or more behind the prefix; Standard Webhooks requires 24 random bytes, which are 32 characters.
"""

import re
from collections.abc import Mapping

PREFIX = "whsec_"
SHORTEST = 24
"""Characters behind the prefix."""
FEWEST_DISTINCT = 6
"""Different characters behind the prefix; 24 random ones of 16 (hexadecimal) have 12 or more in all but one case of a thousand."""
_PLACEHOLDER = re.compile(r"\.\.|…|\*\*|[<>{}\[\]$]|your[_-]|[_-]here|example|placeholder|change_?me|replace_?me", re.IGNORECASE)
_SECRET = re.compile(r"[A-Za-z0-9+/=_-]+")


def weakness(secret: str) -> str:
    """Why a secret must not be used, as a clause; empty when it may. The clause never holds the secret."""
    if not secret.startswith(PREFIX):
        return f"a secret begins with {PREFIX}"
    key = secret[len(PREFIX) :]
    if not key:
        return "the secret is the prefix alone"
    if _PLACEHOLDER.search(key):
        return "the secret is a placeholder"
    if len(key) < SHORTEST:
        return f"the secret is too short: {SHORTEST} characters behind {PREFIX} at the least"
    if not _SECRET.fullmatch(key):
        return "the secret holds characters that no secret has"
    return "the secret repeats a few characters and can be guessed" if len(set(key)) < FEWEST_DISTINCT else ""


def shared(secrets: Mapping[str, tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Groups of accounts that have a secret in common, each in the order given, none twice."""
    holders: dict[str, list[str]] = {}
    for account, each in secrets.items():
        for secret in dict.fromkeys(each):
            holders.setdefault(secret, []).append(account)
    return list(dict.fromkeys(tuple(accounts) for accounts in holders.values() if len(accounts) > 1))

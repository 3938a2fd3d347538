"""Which accounts may have sent a body: the one in the address, or those whose secret signed it, at a price that no sender decides.

At the platform's endpoint the body may name its account, whose secrets are tried first. A body that names none, or one whose secret did not
sign it, is tried with the others' secrets up to a bound of bytes hashed, however many accounts there are.
"""

import secrets as random
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from producers.gateway.signature import Signature, signed

MOST_HASHED_BYTES = 2 << 20
"""Bytes hashed for one request at the most: about 2 ms of one core."""
MOST_SECRETS = 512
"""Secrets tried for one request at the most."""
_DECOY = f"whsec_{random.token_hex(16)}"
"""Verified for an unknown account, so that the time of a refusal does not reveal which accounts exist. It authenticates no account."""
_REFRESH_SECONDS = 1.0
_FEW = 2
"""Secrets that are tried without looking for a name in the body, which costs as much as hashing it twice."""


class Secrets(Protocol):
    """The accounts and their endpoint secrets."""

    def accounts(self) -> list[str]:
        """All account ids."""

    def secrets(self, account: str) -> tuple[str, ...]:
        """The account's endpoint secrets; none when it is unknown."""


class Candidates(NamedTuple):
    """Secrets to try, each with the accounts that hold it: `first`, and `rest` only when none of those signed the body."""

    first: Sequence[tuple[str, Sequence[str]]]
    rest: Sequence[tuple[str, Sequence[str]]]

    def work(self, size: int) -> int:
        """How many bytes are hashed at the most for a body of this size."""
        return (len(self.first) + len(self.rest)) * size


class _Named(msgspec.Struct, frozen=True):
    account: Any = None


_named = msgspec.json.Decoder(_Named).decode


class Signers:
    """Finds whom a request may be from. The holders of each secret are listed once a second, not once a request."""

    def __init__(self, accounts: Secrets) -> None:
        self._accounts = accounts
        self._holders: dict[str, list[str]] = {}
        self._until = float("-inf")

    def candidates(self, path: str, body: bytes, seconds: float) -> Candidates:
        """The secrets to try for a body that came to the account in `path`, or to the platform's endpoint.

        `seconds` is a steady clock's.
        """
        if path:
            return Candidates(self._of(path) or [(_DECOY, ())], ())
        if seconds >= self._until:
            self._holders, self._until = _holders(self._accounts), seconds + _REFRESH_SECONDS
        if len(self._holders) <= _FEW:
            return Candidates(list(self._holders.items()), ())
        named = account_in(body)
        first = self._of(named) if named else []
        tried = {secret for secret, _ in first}
        most = max(1, min(MOST_SECRETS, MOST_HASHED_BYTES // (len(body) + 1)))
        rest: list[tuple[str, Sequence[str]]] = []
        for secret, holders in self._holders.items():
            if len(rest) + len(first) >= most:
                break
            if secret not in tried:
                rest.append((secret, holders))
        return Candidates(first, rest)

    def _of(self, account: str) -> list[tuple[str, Sequence[str]]]:
        return [(secret, (account,)) for secret in self._accounts.secrets(account)]


def signers(signature: Signature, body: bytes, candidates: Candidates) -> list[str]:
    """The accounts one of whose secrets signed the body, each once; none when it is forged."""
    return _matching(signature, body, candidates.first) or _matching(signature, body, candidates.rest)


def account_in(body: bytes) -> str:
    """The account that a body names; empty when it names none or cannot be read."""
    if b'"account"' not in body and b"\\u" not in body:
        return ""
    try:
        named = _named(body).account
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    return named if isinstance(named, str) else ""


def _matching(signature: Signature, body: bytes, secrets: Sequence[tuple[str, Sequence[str]]]) -> list[str]:
    found: dict[str, None] = {}
    for secret, holders in secrets:
        if signed(signature, body, (secret,)):
            found.update(dict.fromkeys(holders))
    return list(found)


def _holders(accounts: Secrets) -> dict[str, list[str]]:
    holders: dict[str, list[str]] = {}
    for account in accounts.accounts():
        for secret in dict.fromkeys(accounts.secrets(account)):
            holders.setdefault(secret, []).append(account)
    return holders

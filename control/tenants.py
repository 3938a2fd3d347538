"""Read-only access to accounts: their endpoint secrets, their API keys, their policies; and to customers' contacts.

Accounts are in tenants.toml, secrets in files beside it, never in the file itself. All are read again when they change.
"""

import logging
import os
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, Self

import msgspec

from control.contacts import ContactStore, StoredContact
from control.secret_strength import weakness
from recovery.notification_policy import AlertPolicy
from recovery.policy import OBSERVE, Policy
from recovery.policy import problems as policy_problems
from recovery.presentation import brand
from recovery.presentation.brand import Brand

__all__ = ["ContactStore", "Endpoint", "StoredContact", "Tenant", "TenantDirectory", "UnknownAccount", "problems"]

log = logging.getLogger(__name__)
RELOAD_SECONDS = 1.0
"""How long a change of the files may go unnoticed."""


class UnknownAccount(LookupError):
    """The account is not in the tenants file. The text says where to add it."""


class Endpoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[tenant.endpoints.NAME]`: where the merchant's system receives events, and which; an empty list means the usual ones.

    The secrets file has one Standard Webhooks secret per line. All of them sign, so that a rotation may overlap.
    """

    url: str
    secrets_file: str
    events: tuple[str, ...] = ()


class Tenant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[tenant]]` of the file. Paths are relative to it. A live key acts only with `mode = "act"` and `act_on_live`.

    `stripe_mails`: whether Stripe itself mails this merchant's customers about failed payments, as the merchant says (B49).
    """

    account: str
    name: str
    api_key_file: str
    webhook_secrets_file: str
    livemode: bool = False
    support_email: str = ""
    act_on_live: bool = False
    policy: Policy = OBSERVE
    alert_email: str = ""
    slack_webhook_file: str = ""
    mail_events_secrets_file: str = ""
    endpoints: dict[str, Endpoint] = {}
    brand: Brand = Brand()
    stripe_mails: Literal["unknown", "on", "off"] = "unknown"


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    tenant: list[Tenant] = []


class _Loaded(msgspec.Struct, frozen=True):
    tenants: dict[str, Tenant]
    secrets: dict[str, tuple[str, ...]]
    keys: dict[str, str]
    slack: dict[str, str]
    mail_events: dict[str, tuple[str, ...]]
    endpoint_secrets: dict[tuple[str, str], tuple[str, ...]]
    seen: dict[Path, tuple[int, int, int]]


class TenantDirectory:
    """The accounts of a tenants file, always as the files are now (within a second). A broken edit is logged and the last good one kept."""

    def __init__(self, path: Path, seconds: Callable[[], float] = time.monotonic) -> None:
        self._path, self._seconds = path, seconds
        self._now = _load(path)
        self._loaded_at = seconds()

    @classmethod
    def load(cls, path: Path) -> Self:
        """The accounts in a file. Raises ValueError naming all its problems."""
        return cls(path)

    def accounts(self) -> list[str]:
        """All account ids, in the order of the file."""
        return list(self._current().tenants)

    def find(self, account: str) -> Tenant | None:
        """The account's entry, or None when it is not in the file."""
        return self._current().tenants.get(account)

    def tenant(self, account: str) -> Tenant:
        """The account's entry. Raises UnknownAccount."""
        if (found := self.find(account)) is None:
            raise UnknownAccount(f"Account {account} is not in {self._path.name}; add a [[tenant]] with its files there.")
        return found

    def name(self, account: str) -> str:
        """The merchant's name as payers know it. Raises UnknownAccount."""
        tenant = self.tenant(account)
        return tenant.brand.name or tenant.name

    def livemode(self, account: str) -> bool:
        """Whether the account is connected in Stripe's live mode. Raises UnknownAccount."""
        return self.tenant(account).livemode

    def secrets(self, account: str) -> tuple[str, ...]:
        """The account's endpoint secrets, several during a rotation; none when the account is unknown."""
        return self._current().secrets.get(account, ())

    def api_key(self, account: str) -> str:
        """The account's Stripe key. Raises UnknownAccount."""
        self.tenant(account)
        return self._current().keys[account]

    def slack_webhook(self, account: str) -> str:
        """Where the account's Slack alerts go; empty when nowhere. It is a secret. Raises UnknownAccount."""
        self.tenant(account)
        return self._current().slack.get(account, "")

    def mail_events_secrets(self, account: str) -> tuple[str, ...]:
        """The secrets with which the account's mail provider signs bounces and complaints; none when it sends none."""
        return self._current().mail_events.get(account, ())

    def endpoint_secrets(self, account: str, endpoint: str) -> tuple[str, ...]:
        """The secrets of one of the account's endpoints; none when there is no such endpoint."""
        return self._current().endpoint_secrets.get((account, endpoint), ())

    def policy(self, account: str) -> Policy:
        """The file's policy, as far as the account's entry permits it. Raises UnknownAccount."""
        return self.permitted(account, self.tenant(account).policy)

    def permitted(self, account: str, document: Policy) -> Policy:
        """A document as it may be published: with the entry's mode of Stripe and addresses, observing on a live key without `act_on_live`.

        Raises UnknownAccount.
        """
        tenant = self.tenant(account)
        policy = msgspec.structs.replace(_with_addresses(tenant, document), livemode=tenant.livemode)
        return msgspec.structs.replace(policy, mode="observe") if tenant.livemode and not tenant.act_on_live else policy

    def _current(self) -> _Loaded:
        now = self._seconds()
        if now - self._loaded_at >= RELOAD_SECONDS:
            self._loaded_at = now
            if any(_mark(path) != mark for path, mark in self._now.seen.items()):
                self._reload()
        return self._now

    def _reload(self) -> None:
        try:
            self._now = _load(self._path)
        except ValueError as error:
            log.error("the accounts stay as they were: %s", error)
            seen = {path: _mark(path) for path in self._now.seen}
            self._now = msgspec.structs.replace(self._now, seen=seen)
        else:
            log.info("read %s again: %d accounts", self._path.name, len(self._now.tenants))


def _with_addresses(tenant: Tenant, document: Policy) -> Policy:
    """A document with alerts on where there is an address for them, and the endpoints' names with the events of each."""
    alerts = document.alerts
    email = msgspec.structs.replace(alerts.email, enabled=bool(tenant.alert_email))
    slack = msgspec.structs.replace(alerts.slack, enabled=bool(tenant.slack_webhook_file))
    endpoints = {name: endpoint.events for name, endpoint in tenant.endpoints.items()}
    return msgspec.structs.replace(document, alerts=AlertPolicy(email, slack), webhooks=endpoints)


def problems(path: Path) -> list[str]:
    """What is wrong with a tenants file and the files it names, in sentences for the person who wrote it; empty when all is well."""
    try:
        file = _parsed(path)
    except ValueError as error:
        return [str(error)]
    accounts = [tenant.account for tenant in file.tenant]
    found = [f"Account {account} is there twice." for account in sorted({a for a in accounts if accounts.count(a) > 1})]
    for tenant in file.tenant:
        found += [f"{tenant.account or 'A tenant'}: {problem}" for problem in _tenant_problems(path.parent, tenant)]
    return found


def _tenant_problems(folder: Path, tenant: Tenant) -> list[str]:
    found = [] if tenant.account and "/" not in tenant.account else ["account must be an id such as acct_1234."]
    found += policy_problems(_with_addresses(tenant, tenant.policy)) + brand.problems(tenant.brand)
    key_path, secrets_path = folder / tenant.api_key_file, folder / tenant.webhook_secrets_file
    mode = "live" if tenant.livemode else "test"
    found += _file_problems("api_key_file", key_path) or [
        f"api_key_file holds no {mode} key; with livemode = {str(tenant.livemode).lower()} it begins with sk_{mode}_ or rk_{mode}_."
        for key in [_lines(key_path)[0]]
        if not key.startswith((f"sk_{mode}_", f"rk_{mode}_"))
    ]
    found += _secrets_problems("webhook_secrets_file", secrets_path)
    if tenant.slack_webhook_file:
        found += _file_problems("slack_webhook_file", folder / tenant.slack_webhook_file)
    if tenant.mail_events_secrets_file:
        found += _secrets_problems("mail_events_secrets_file", folder / tenant.mail_events_secrets_file)
    for name, endpoint in tenant.endpoints.items():
        found += _endpoint_problems(folder, name, endpoint)
    return found


def _endpoint_problems(folder: Path, name: str, endpoint: Endpoint) -> list[str]:
    found = [] if endpoint.url.startswith(("https://", "http://")) else [f"endpoints.{name}: url must begin with https://."]
    return found + [f"endpoints.{name}: {problem}" for problem in _secrets_problems("secrets_file", folder / endpoint.secrets_file)]


def _secrets_problems(setting: str, path: Path) -> list[str]:
    return _file_problems(setting, path) or [
        f"{setting}, line {number}: {why}. Copy the one that the sender signs with (whsec_ and 32 characters or more)."
        for number, secret in enumerate(_lines(path), 1)
        if (why := weakness(secret))
    ]


def _file_problems(setting: str, path: Path) -> list[str]:
    try:
        lines = _lines(path)
        mode = path.stat().st_mode
    except (OSError, UnicodeDecodeError) as error:
        return [f"{setting} {path.name} cannot be read: {error.__class__.__name__}."]
    if mode & 0o077:
        return [f"{setting} {path.name} can be read by other users; chmod 600 it."]
    return [] if lines else [f"{setting} {path.name} is empty."]


def _lines(path: Path) -> list[str]:
    return [line.strip() for line in path.read_text().splitlines() if line.strip()]


def _parsed(path: Path) -> _File:
    try:
        data: dict[str, Any] = tomllib.loads(path.read_text())
        return msgspec.convert(data, type=_File)
    except OSError as error:
        raise ValueError(f"{path.name} cannot be read: {error.strerror}. DUNLIN_TENANTS_FILE says where it is.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise ValueError(f"{path.name} is wrong: {error}. Compare it with docs/policy.md.") from error


def _load(path: Path) -> _Loaded:
    if found := problems(path):
        raise ValueError(f"{path.name} cannot be used:\n" + "\n".join(f"- {problem}" for problem in found))
    try:
        return _read(path)
    except (OSError, UnicodeDecodeError, IndexError) as error:
        raise ValueError(f"The files of {path.name} changed while they were read: {error}. Try again.") from error


def _read(path: Path) -> _Loaded:
    first = _mark(path)  # marks before contents, so that a change in between is seen later
    tenants = {tenant.account: tenant for tenant in _parsed(path).tenant}
    key_paths = {account: path.parent / tenant.api_key_file for account, tenant in tenants.items()}
    secret_paths = {account: path.parent / tenant.webhook_secrets_file for account, tenant in tenants.items()}
    slack_paths = {account: path.parent / tenant.slack_webhook_file for account, tenant in tenants.items() if tenant.slack_webhook_file}
    endpoint_paths = {
        (account, name): path.parent / endpoint.secrets_file
        for account, tenant in tenants.items()
        for name, endpoint in tenant.endpoints.items()
    }
    mail_paths = {
        account: path.parent / tenant.mail_events_secrets_file for account, tenant in tenants.items() if tenant.mail_events_secrets_file
    }
    every = (*key_paths.values(), *secret_paths.values(), *slack_paths.values(), *mail_paths.values(), *endpoint_paths.values())
    seen = {path: first} | {each: _mark(each) for each in every}
    return _Loaded(
        tenants=tenants,
        secrets={account: tuple(_lines(file)) for account, file in secret_paths.items()},
        keys={account: _lines(file)[0] for account, file in key_paths.items()},
        slack={account: _lines(file)[0] for account, file in slack_paths.items()},
        mail_events={account: tuple(_lines(file)) for account, file in mail_paths.items()},
        endpoint_secrets={which: tuple(_lines(file)) for which, file in endpoint_paths.items()},
        seen=seen,
    )


def _mark(path: Path) -> tuple[int, int, int]:
    try:
        stat = os.stat(path)
    except OSError:
        return (0, 0, 0)
    return (stat.st_mtime_ns, stat.st_ino, stat.st_size)

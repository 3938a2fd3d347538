"""A merchant's endpoint as the tenants file has it at this moment: where it is, and the secrets that sign for it."""

import hashlib

import msgspec

from control.tenants import TenantDirectory


class Where(msgspec.Struct, frozen=True):
    """An endpoint. `test`: its account is connected in Stripe's test mode."""

    url: str
    secrets: tuple[str, ...]
    test: bool

    @property
    def mark(self) -> str:
        """A fingerprint of the url and the secrets that reveals neither; another fingerprint is another endpoint."""
        return hashlib.sha256("\n".join((self.url, *self.secrets)).encode()).hexdigest()[:32]


class Endpoints:
    """The endpoints of all accounts, always as the files are now."""

    def __init__(self, tenants: TenantDirectory) -> None:
        self._tenants = tenants

    def find(self, account: str, name: str) -> Where | None:
        """The account's endpoint; None when there is none of this name."""
        tenant = self._tenants.find(account)
        endpoint = None if tenant is None else tenant.endpoints.get(name)
        secrets = self._tenants.endpoint_secrets(account, name)
        if tenant is None or endpoint is None or not secrets:
            return None
        return Where(endpoint.url, secrets, not tenant.livemode)

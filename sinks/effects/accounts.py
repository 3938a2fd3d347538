"""The effects sink's view of an account: its key, its name, whether it lets us charge."""

from control.tenants import TenantDirectory
from recovery.presentation.brand import Brand


class AccountView:
    """The tenants file as the performers see it, always as it is now."""

    def __init__(self, tenants: TenantDirectory) -> None:
        self._tenants = tenants

    def api_key(self, account: str) -> str:
        """The account's secret key. Raises LookupError when the account is unknown."""
        return self._tenants.api_key(account)

    def name(self, account: str) -> str:
        """The merchant's name. Raises LookupError when the account is unknown."""
        return self._tenants.name(account)

    def support_email(self, account: str) -> str:
        """Where payers may write to; empty when the merchant gave none. Raises LookupError when the account is unknown."""
        return self._tenants.tenant(account).support_email

    def alert_email(self, account: str) -> str:
        """Where alerts go by e-mail; empty for nowhere. Raises LookupError when the account is unknown."""
        return self._tenants.tenant(account).alert_email

    def slack_webhook(self, account: str) -> str:
        """Where Slack alerts go, which is a secret; empty for nowhere. Raises LookupError when the account is unknown."""
        return self._tenants.slack_webhook(account)

    def livemode(self, account: str) -> bool:
        """Whether the account is connected in Stripe's live mode. Raises LookupError when the account is unknown."""
        return self._tenants.livemode(account)

    def brand(self, account: str) -> Brand:
        """The merchant's brand as customers see it. Raises LookupError when the account is unknown."""
        return self._tenants.tenant(account).brand

    def language(self, account: str) -> str:
        """The language for payers who speak none of ours; empty for English. Raises LookupError when the account is unknown."""
        return self.brand(account).language

    def may_charge(self, account: str) -> bool:
        """Whether we may charge at all: never with a live key unless the account's entry permits it."""
        tenant = self._tenants.find(account)
        if tenant is None:
            return False
        live = tenant.livemode or "_live_" in self._tenants.api_key(account)[:10]
        return not live or tenant.act_on_live

"""Merchants whose customers would receive mails twice: Stripe can mail them about failed payments itself (B49).

No call of Stripe's API shows whether it does, so the merchant states it in the tenants file.
"""

from pathlib import Path

from control.tenants import Tenant, TenantDirectory

WHERE = "Stripe's Dashboard, Settings, Billing, Subscriptions and emails: 'Send emails when card payments fail'"
"""Where a merchant sees and changes it."""


def advice(tenant: Tenant) -> str:
    """Why customers may get two mails about one failure, and what to do; empty where we do not write or Stripe does not."""
    writes = tenant.policy.mode == "act" and tenant.policy.dunning.enabled
    if not writes or tenant.stripe_mails == "off":
        return ""
    if tenant.stripe_mails == "on":
        return (
            f"{tenant.account}: Stripe mails failed payments, too, so customers get both. Switch it off ({WHERE}), "
            'then set stripe_mails = "off"; or write none of ours with dunning.enabled = false.'
        )
    return (
        f"{tenant.account}: does Stripe mail failed payments, too? Its API does not show it; customers would get both. "
        f'Check it there ({WHERE}), switch it off and set stripe_mails = "off".'
    )


def warnings(path: Path) -> list[str]:
    """The advice for all accounts of a tenants file that can be read. Raises ValueError as `Tenants.load` does."""
    tenants = TenantDirectory.load(path)
    return [warning for account in tenants.accounts() if (warning := advice(tenants.tenant(account)))]

"""Who would be written to twice: Stripe can mail its merchants' customers about failed payments itself (B49).

No call of Stripe's API tells whether it does (stripe.md 8), so the merchant states it in the tenants file.
"""

from pathlib import Path

from control.lookup import Tenant, Tenants

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
        f"{tenant.account}: does Stripe mail failed payments, too? Its API does not tell; customers would get both. "
        f'Look there ({WHERE}), switch it off and set stripe_mails = "off".'
    )


def warnings(path: Path) -> list[str]:
    """The advice for all accounts of a tenants file that can be read. Raises ValueError as `Tenants.load` does."""
    tenants = Tenants.load(path)
    return [said for account in tenants.accounts() if (said := advice(tenants.tenant(account)))]

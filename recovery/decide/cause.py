"""Who brought the money back: exactly one cause for each recovery (F60, product decision 6)."""

from recovery.contracts.customer import Case
from recovery.contracts.facts import InvoiceFact, InvoiceRead, SeenAttempt
from recovery.ids import effect_id, idempotency_key
from recovery.vocabulary import RecoveryCause


def charge_of_key(account: str, case: Case, request_key: str) -> bool:
    """Whether the key of the call that paid is that of a charge of this case (stripe.md 3.1), known to the row or not."""
    prefix = idempotency_key(effect_id(account, case.invoice, "charge", 0))[:-1]
    return request_key.startswith(prefix)


def from_webhook(account: str, case: Case, fact: InvoiceFact) -> RecoveryCause:
    """The cause that a webhook of a paid invoice shows."""
    if charge_of_key(account, case, fact.request_key):
        return "our_retry"
    if fact.state.paid_out_of_band:
        return "external"
    if fact.request_key or fact.request_id:
        return "customer"
    return "account_updater" if case.method == "automatically_updated" else "stripe_retry"


def success(read: InvoiceRead) -> SeenAttempt | None:
    """The attempt that paid the invoice, if Stripe lists one."""
    return next((attempt for attempt in reversed(read.attempts) if attempt.succeeded), None)


def from_read(case: Case, read: InvoiceRead) -> RecoveryCause:
    """The cause that a look at the paid invoice shows; a look does not tell who made an attempt that is not ours."""
    if read.state.paid_out_of_band:
        return "external"
    paid = success(read)
    return "our_retry" if paid is not None and paid.charge in case.charges.values() else "unknown"

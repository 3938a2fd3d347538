"""Who brought the money back: exactly one cause for each unit of it, with its evidence."""

from typing import NamedTuple

from recovery.contracts.customer import Case
from recovery.contracts.facts import Fact, InvoiceFact, InvoiceRead, SeenAttempt
from recovery.ids import effect_id, effect_of_key, idempotency_key
from recovery.vocabulary import RecoveryCause


class Credit(NamedTuple):
    """A cause and what shows it: `evidence` names the kind, the other entries the ids."""

    by: RecoveryCause
    evidence: dict[str, str]


def settlement(fact: Fact, charge: str) -> dict[str, str]:
    """Evidence of a recovery: the outcome of our own charge."""
    details = {"evidence": "settlement", "charge_effect": str(getattr(fact, "effect", "")), "charge": charge}
    return {name: value for name, value in details.items() if value}


def charge_of_key(account: str, case: Case, request_key: str) -> bool:
    """Whether the key of the call that paid is that of a charge of this case, known to the row or not."""
    prefix = idempotency_key(effect_id(account, case.invoice, "charge", 0))[:-1]
    return request_key.startswith(prefix) or any(request_key == idempotency_key(effect) for effect in case.charges)


EXTERNAL = Credit("external", {"evidence": "out_of_band"})
"""Money that came beside Stripe (B71)."""


def from_webhook(account: str, case: Case, fact: InvoiceFact) -> Credit:
    """The cause that a webhook of a paid or partly paid invoice shows; where it reports an amount outside Stripe, the cause of the rest."""
    if charge_of_key(account, case, fact.request_key):
        return Credit("our_retry", {"evidence": "idempotency_key", "charge_effect": effect_of_key(fact.request_key)})
    if fact.state.paid_out_of_band and not fact.state.paid_off_stripe:
        return EXTERNAL
    if fact.request_key or fact.request_id:
        return Credit("customer", _request(case, fact.request_id))
    if case.method == "automatically_updated":
        return Credit("account_updater", {"evidence": "updater_event"})
    return Credit("stripe_retry", {"evidence": "no_request"})


def _request(case: Case, request_id: str) -> dict[str, str]:
    """A person called Stripe, and not we: the customer on the payment page; after a mail of ours, by that mail."""
    details = {"evidence": "request"} | ({"request": request_id} if request_id else {})
    return details | {"evidence": "mail", "mail": case.last_mail} if case.last_mail else details


def success(read: InvoiceRead) -> SeenAttempt | None:
    """The attempt that paid the invoice, if Stripe lists one."""
    return next((attempt for attempt in reversed(read.attempts) if attempt.succeeded), None)


def from_read(case: Case, read: InvoiceRead) -> Credit:
    """The cause that a read of the paid invoice shows; a read does not show who made an attempt that is not ours."""
    if read.state.paid_out_of_band and not read.state.paid_off_stripe:
        return EXTERNAL
    paid = success(read)
    ours = next((effect for effect, charge in case.charges.items() if paid is not None and charge == paid.charge), "")
    if paid is not None and ours:
        return Credit("our_retry", {"evidence": "charge", "charge": paid.charge, "charge_effect": ours})
    return Credit("unknown", {"evidence": "read"} | ({"charge": paid.charge} if paid is not None else {}))

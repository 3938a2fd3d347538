"""Whom a mail about a customer goes to: their own address first, their further billing contacts from the second step on (B56). Pure."""

from collections.abc import Collection

import msgspec

from recovery.email_addresses import is_address
from recovery.presentation.messages.untrusted_text import one_line
from sinks.effects.stripe.client import Object

__all__ = ["Payer", "Recipients", "is_address", "payer", "recipients"]

BILLING_CONTACTS = "billing_contacts"
"""The key of a Stripe customer's metadata that names further addresses, separated by commas. Stripe itself knows one address."""
MOST = 5
"""Further contacts that are written to."""
LONGEST = 320
"""Characters of a name or an address that are stored: a longer one is invalid, but must fit a database all the same."""


class Payer(msgspec.Struct, frozen=True):
    """The customer as Stripe shows them at this moment: their own address, further billing contacts, locales in their order."""

    email: str
    name: str
    locales: tuple[str, ...]
    others: tuple[str, ...] = ()


class Recipients(msgspec.Struct, frozen=True):
    """Whom a mail goes to, and who gets a copy of it."""

    to: str
    copies: tuple[str, ...] = ()


def payer(invoice: Object) -> Payer:
    """Whom the invoice is for, as its expanded customer says; empty strings where Stripe knows nothing."""
    customer = invoice.get("customer")
    fields = customer if isinstance(customer, dict) else {}
    email = one_line(str(fields.get("email") or invoice.get("customer_email") or ""), LONGEST)
    locales = tuple(one_line(str(locale), LONGEST) for locale in fields.get("preferred_locales") or ())
    name = one_line(str(fields.get("name") or invoice.get("customer_name") or ""), LONGEST)
    return Payer(email, name, locales, _others(fields, email))


def recipients(who: Payer, everyone: bool, dead: Collection[str]) -> Recipients | None:
    """The recipients; None without any. Addresses of `dead` (lower case) are left out, unless no address would be left: then the first is
    tried, because the stream counts the addresses and would not have requested the mail otherwise."""
    written = [email for email in (who.email, *who.others) if email]
    alive = [email for email in written if is_address(email) and email.lower() not in dead] or written[:1]
    if not alive:
        return None
    return Recipients(alive[0], tuple(alive[1:]) if everyone else ())


def _others(customer: Object, own: str) -> tuple[str, ...]:
    metadata = customer.get("metadata") or {}
    named = [part.strip() for part in str(metadata.get(BILLING_CONTACTS) or "").split(",")]
    found = {email.lower(): email for email in reversed(named) if is_address(email) and email.lower() != own.lower()}
    return tuple(email for email in reversed(found.values()))[:MOST]

"""Which payment method an invoice would be charged on next, and what is known of it."""

from recovery.contracts.customer import Case, Customer
from recovery.contracts.facts import Card


def own_method(case: Case) -> str:
    """The method that is charged before the customer's default; empty where that default is charged."""
    return case.invoice_method or case.subscription_method


def charged_method(row: Customer, case: Case) -> str:
    """The method that the next attempt would be made on; empty where it is not known."""
    return own_method(case) or row.default_method


def known_card(row: Customer, method: str) -> Card:
    """The card of a payment method given by its id, as far as it is known."""
    return row.attached.get(method) or Card(method=method)

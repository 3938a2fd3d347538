"""What concerns a customer rather than one invoice: leaving, another default payment method, another address."""

from recovery.contracts.facts import CustomerChanged, CustomerDeleted
from recovery.decide.handlers.collection import payment_methods
from recovery.decide.handlers.collection.case_closing import close
from recovery.decide.handlers.collection.invoice_reads import read_instead
from recovery.decide.handlers.collection.subscriptions import close_for_good, open_cases
from recovery.decide.handlers.messages import card_expiry, suppression
from recovery.decide.rules.charged_method import known_card
from recovery.decide.rules.event_order import older
from recovery.decide.transition import Transition


def customer_deleted(turn: Transition, fact: CustomerDeleted) -> None:
    """The customer is gone: no more contact (B10)."""
    card_expiry.renewed(turn, "customer_deleted")
    for case in open_cases(turn):
        if older(fact.occurred_at, case.last_failed_at):
            read_instead(turn, case)
        else:
            close(turn, case, "customer_deleted")
    close_for_good(turn, "customer_deleted")


def customer_changed(turn: Transition, fact: CustomerChanged) -> None:
    """A new default method is worth a retry where it would be charged; the charge will show which card it is (B36)."""
    if fact.email_changed:
        suppression.address_changed(turn, fact)
    if not payment_methods.default_changed(turn, fact.default_method) or not (fact.default_method_changed and fact.default_method):
        return
    card_expiry.renewed(turn, "method_changed")
    for case in open_cases(turn):
        payment_methods.try_anew(turn, case, known_card(turn.row, fact.default_method), "attached")

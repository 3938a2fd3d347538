"""What concerns a customer rather than one invoice: leaving, another default payment method, another address."""

from recovery.contracts.facts import CustomerChanged, CustomerDeleted
from recovery.decide import expiry, methods, suppression
from recovery.decide.charged import known_card
from recovery.decide.endings import close
from recovery.decide.order import older
from recovery.decide.reading import read_instead
from recovery.decide.subscriptions import close_for_good, open_cases
from recovery.decide.turn import Turn


def customer_deleted(turn: Turn, fact: CustomerDeleted) -> None:
    """The customer is gone: no more contact (B10)."""
    expiry.renewed(turn, "customer_deleted")
    for case in open_cases(turn):
        if older(fact.occurred_at, case.last_failed_at):
            read_instead(turn, case)
        else:
            close(turn, case, "customer_deleted")
    close_for_good(turn, "customer_deleted")


def customer_changed(turn: Turn, fact: CustomerChanged) -> None:
    """A new default method is worth a try where it would be charged; which card it is, the charge will tell (B36)."""
    if fact.email_changed:
        suppression.address_changed(turn, fact)
    if not methods.default_told(turn, fact.default_method) or not (fact.default_method_changed and fact.default_method):
        return
    expiry.renewed(turn, "method_changed")
    for case in open_cases(turn):
        methods.try_anew(turn, case, known_card(turn.row, fact.default_method), "attached")

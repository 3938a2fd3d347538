"""Reads: what Stripe shows, or why it could not be read."""

import pytest

from recovery.contracts.effects import ReadRequested
from recovery.contracts.facts import ChargeRead, InvoiceRead, ReadFailed
from sinks.effects.engine.dispatcher import outgoing
from sinks.effects.performer import RetryLater, Settled
from sinks.effects.stripe.client import NotAllowed, ObjectGone, RateLimited, StripeUnreachable
from sinks.effects.stripe.reads import Reads
from tests.unit.sinks.effects.conftest import HEAD


def test_a_read_tells_the_invoice_its_decline_and_its_attempts(door, clocks, read, job):
    answer = Reads(door, clocks)(job(read))
    assert isinstance(answer.fact, InvoiceRead)
    assert (answer.fact.state.status, answer.fact.decline.decline_code, answer.fact.subscription_status) == (
        "open",
        "insufficient_funds",
        "past_due",
    )
    assert [attempt.charge for attempt in answer.fact.attempts] == ["ch_1"]
    assert (answer.fact.effect, answer.fact.cause) == (read.id, read.id)


@pytest.mark.parametrize(("trouble", "gone"), [(ObjectGone("no"), True), (NotAllowed("key"), False)])
def test_what_cannot_be_read_is_told(door, clocks, read, job, trouble, gone):
    door.invoices = [trouble]
    answer = Reads(door, clocks)(job(read))
    assert isinstance(answer, Settled)
    assert isinstance(answer.fact, ReadFailed)
    assert answer.fact.gone is gone


def a_charge_read():
    return ReadRequested(
        id="acct_1.~ch_1.read.1",
        what="charge",
        object="ch_1",
        disputed_minor=4900,
        dispute_reason="fraudulent",
        **(HEAD | {"customer": "~dp_1", "invoice": ""}),
    )


def a_charge(**more):
    return {"id": "ch_1", "amount": 4900, "amount_refunded": 100, "currency": "eur", "customer": "cus_9", "payment_intent": "pi_1", **more}


def test_a_charge_is_told_to_the_row_of_its_customer(door, clocks, job):
    """B72: the dispute names no customer, its charge does."""
    door.charge_read = a_charge()
    fact = Reads(door, clocks)(job(a_charge_read())).fact
    assert isinstance(fact, ChargeRead)
    assert (fact.customer, fact.invoice, fact.charge, fact.payment_intent) == ("cus_9", "in_1", "ch_1", "pi_1")
    assert (fact.amount_refunded, fact.disputed_minor, fact.dispute_reason) == (100, 4900, "fraudulent")
    assert outgoing(a_charge_read(), fact).key == b"acct_1/cus_9"


def test_a_charge_of_nobody_goes_back_to_the_row_that_asked(door, clocks, job):
    door.charge_read, door.charge_invoice = a_charge(customer=None), ""
    fact = Reads(door, clocks)(job(a_charge_read())).fact
    assert (fact.customer, outgoing(a_charge_read(), fact).key) == ("~dp_1", b"acct_1/~dp_1")


def test_a_charge_that_cannot_be_read_is_told_to_the_row_that_asked(door, clocks, job):
    door.charge_read = ObjectGone("no")
    fact = Reads(door, clocks)(job(a_charge_read())).fact
    assert isinstance(fact, ReadFailed)
    assert outgoing(a_charge_read(), fact).key == b"acct_1/~dp_1"


@pytest.mark.parametrize("trouble", [RateLimited("429"), StripeUnreachable("down")])
def test_a_passing_trouble_waits(door, clocks, read, job, trouble):
    door.invoices = [trouble]
    assert isinstance(Reads(door, clocks)(job(read)), RetryLater)

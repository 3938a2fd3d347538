"""Reads: what Stripe shows, or why it could not be read."""

import pytest

from recovery.contracts.facts import InvoiceRead, ReadFailed
from sinks.effects.answers import Later, Settled
from sinks.effects.reads import Reads
from sinks.effects.stripe import Busy, Gone, NotAllowed, Unreachable


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


@pytest.mark.parametrize(("trouble", "gone"), [(Gone("no"), True), (NotAllowed("key"), False)])
def test_what_cannot_be_read_is_told(door, clocks, read, job, trouble, gone):
    door.invoices = [trouble]
    answer = Reads(door, clocks)(job(read))
    assert isinstance(answer, Settled)
    assert isinstance(answer.fact, ReadFailed)
    assert answer.fact.gone is gone


@pytest.mark.parametrize("trouble", [Busy("429"), Unreachable("down")])
def test_a_passing_trouble_waits(door, clocks, read, job, trouble):
    door.invoices = [trouble]
    assert isinstance(Reads(door, clocks)(job(read)), Later)

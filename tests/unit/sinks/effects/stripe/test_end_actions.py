"""End actions: after a look, once, and only where we may act."""

import pytest

from recovery.contracts.effects import SubscriptionEndRequested
from recovery.ids import idempotency_key
from sinks.effects.performer import InDoubt, RetryLater, Settled, not_performed
from sinks.effects.stripe.client import NotAllowed, ObjectGone, RateLimited, RequestRefused, StripeUnreachable
from sinks.effects.stripe.end_actions import EndActions
from tests.unit.sinks.effects.conftest import HEAD, Accounts


def end(action="cancel"):
    return SubscriptionEndRequested(id="acct_1.in_1.end.9", action=action, subscription="sub_1", **HEAD)


@pytest.fixture
def performer(door, accounts, clocks):
    return EndActions(door, accounts, clocks)


def result(answer):
    assert isinstance(answer, Settled), answer
    return answer.fact.result, answer.fact.why


@pytest.mark.parametrize(
    ("action", "call"),
    [("cancel", ("cancel", "sub_1")), ("unpaid", ("pause_collection", "sub_1")), ("uncollectible", ("mark_uncollectible", "in_1"))],
)
def test_an_end_action_is_done_under_the_effects_own_key(performer, door, job, action, call):
    """B73."""
    assert result(performer(job(end(action)))) == ("done", "")
    assert door.ended == [(*call, idempotency_key("acct_1.in_1.end.9"))]


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"status": "paid"}, "already_paid"),
        ({"intent": "processing"}, "processing"),  # B74
        ({"parent": {"subscription_details": {"subscription": {"id": "sub_1", "status": "canceled"}}}}, "cancelled"),
        ({"customer": {"id": "cus_1", "deleted": True}}, "customer_deleted"),
    ],
)
def test_what_is_not_open_any_more_is_not_ended(performer, door, job, an_invoice, more, why):
    """B73, B74, B28."""
    door.invoices = [an_invoice(**more)]
    assert result(performer(job(end()))) == ("not_done", why)
    assert door.ended == []


def test_an_account_that_only_watches_ends_nothing(door, clocks, job):
    """Product decision 39."""
    assert result(EndActions(door, Accounts(may=False), clocks)(job(end()))) == ("not_done", "observe")
    assert door.ended == []


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [(RateLimited("429"), RetryLater), (StripeUnreachable("cut"), InDoubt), (RequestRefused("no"), Settled), (ObjectGone("no"), Settled)],
)
def test_the_ends_of_a_call_are_told_apart(performer, door, job, trouble, kind):
    door.end_trouble = trouble
    answer = performer(job(end()))
    assert isinstance(answer, kind)
    if isinstance(answer, Settled):
        assert answer.fact.result == "not_done"


@pytest.mark.parametrize(
    ("trouble", "kind"), [(RateLimited("429"), RetryLater), (StripeUnreachable("down"), RetryLater), (NotAllowed("key"), Settled)]
)
def test_nothing_is_done_without_a_look(performer, door, job, trouble, kind):
    door.invoices = [trouble]
    assert isinstance(performer(job(end())), kind)
    assert door.ended == []


def test_one_in_doubt_is_settled_by_what_the_look_shows(performer, door, job, an_invoice, now):
    door.invoices = [an_invoice(parent={"subscription_details": {"subscription": {"id": "sub_1", "status": "canceled"}}})]
    assert result(performer(job(end(), possibly_done_since=now, in_doubt_count=1))) == ("done", "read_back")
    door.invoices = [an_invoice()]
    assert result(performer(job(end(), possibly_done_since=now, in_doubt_count=1))) == ("done", "")
    assert len(door.ended) == 1


def test_one_that_was_withdrawn_is_not_begun(performer, door, job):
    assert result(performer(job(end(), withdrawn="account_paused"))) == ("not_done", "account_paused")
    assert (door.reads, door.ended) == (0, [])


def test_one_that_is_not_performed_has_an_outcome_too(clocks):
    fact = not_performed(end(), "expired", clocks)
    assert (fact.result, fact.why, fact.action) == ("not_done", "expired", "cancel")

"""Exactly one cause for each recovered unit of money, and what shows it."""

from typing import Any

import pytest

from recovery.contracts.facts import MethodChanged, RetryRequested
from recovery.decide.rules import attribution, attribution_audit
from recovery.ids import idempotency_key
from tests.support import builders as a
from tests.support.story import Story


def credit(story: Story) -> tuple[str, dict[str, str]]:
    assert attribution_audit.problems(story.events) == []
    event = story.last("payment_recovered")
    return event.recovered_by, event.details


def paid(story: Story, **fields: Any) -> Story:
    story.tell(a.a_payment("evt_p", max(story.now, a.at(hours=5)), **fields))
    return story


def test_our_key_comes_back_with_our_payment() -> None:
    """F60, stripe.md 3.1."""
    story = Story().opened()
    story.days(1)
    effect = story.charges()[0].id
    paid(story, request_key=idempotency_key(effect), request_id="req_1")
    assert credit(story) == ("our_retry", {"evidence": "idempotency_key", "charge_effect": effect})


def test_our_charges_outcome_may_come_first() -> None:
    story = Story().opened()
    story.days(1)
    effect = story.charges()[0].id
    story.charge_answered("succeeded", charge="ch_9")
    paid(story, request_key=idempotency_key(effect))
    assert credit(story) == ("our_retry", {"evidence": "settlement", "charge_effect": effect, "charge": "ch_9"})


@pytest.mark.parametrize("first", ["settlement", "webhook"])
def test_a_retry_that_somebody_asked_for_is_theirs(first: str) -> None:
    """F60, B93."""
    story = Story().opened()
    story.tell(RetryRequested(**a.header("cmd", a.at(hours=3)), who="dana"))
    effect = story.charges()[0].id
    if first == "settlement":
        story.charge_answered("succeeded", charge="ch_9")
    paid(story, request_key=idempotency_key(effect))
    by, evidence = credit(story)
    assert (by, evidence["charge_effect"]) == ("by_hand", effect)


def test_stripe_tries_without_a_request() -> None:
    """Product decision 6."""
    assert credit(paid(Story().opened())) == ("stripe_retry", {"evidence": "no_request"})


def test_a_card_that_its_network_renewed_and_stripe_tried() -> None:
    """B38."""
    story = Story().opened()
    story.tell(MethodChanged(**a.header("m", a.at(hours=1), ""), card=a.VISA, how="automatically_updated"))
    story.charge_answered("not_done", why="stripe_attempt_near")
    assert credit(paid(story)) == ("account_updater", {"evidence": "updater_event"})


def test_a_customer_without_a_mail_of_ours_came_by_themselves() -> None:
    assert credit(paid(Story().opened(), request_id="req_7")) == ("customer", {"evidence": "request", "request": "req_7"})


def test_a_customer_after_a_mail_of_ours_came_by_that_mail() -> None:
    """F60: the evidence is the last mail that was sent before."""
    story = Story().opened(a.HARD)
    story.mail_answered()
    mail = story.mails()[0].id
    assert credit(paid(story, request_id="req_7")) == ("customer", {"evidence": "mail", "request": "req_7", "mail": mail})


def test_money_beside_stripe_is_never_ours() -> None:
    """B71."""
    story = paid(Story().opened(), state=a.a_state("paid", paid_out_of_band=True, amount_paid=0), request_id="req_1")
    assert credit(story) == ("external", {"evidence": "out_of_band"})


def test_a_look_alone_does_not_tell_who_paid() -> None:
    story = Story().opened()
    attempts = (a.an_attempt("ch_1"), a.an_attempt("ch_2", a.at(hours=2), succeeded=True))
    story.tell(a.a_reading("x", a.at(hours=3), None, state=a.a_state("paid"), attempts=attempts))
    assert credit(story) == ("unknown", {"evidence": "read", "charge": "ch_2"})


def test_the_ledger_notices_what_is_wrong() -> None:
    story = paid(Story().opened(), request_id="req_7")
    good = story.last("payment_recovered")
    fields = {name: getattr(good, name) for name in good.__struct_fields__}
    event = type(good)
    assert attribution_audit.problems([event(**(fields | {"recovered_by": "somebody"}))]) != []
    assert attribution_audit.problems([event(**(fields | {"details": {}}))]) != []
    back = event(**(fields | {"event_type": "recovery_reversed", "recovered_minor": 5000}))
    assert attribution_audit.problems([good, back]) == [f"recovery_reversed in_1 ({good.sequence}) takes back more than customer brought."]


OUTSIDE: dict[str, Any] = {"paid_off_stripe": 1500, "paid_out_of_band": True}


def whose(story: Story) -> dict[str, int]:
    shown: dict[str, int] = {}
    for event in story.events:
        if event.recovered_minor:
            shown[event.recovered_by] = shown.get(event.recovered_by, 0) + event.recovered_minor
    return shown


def charged(story: Story) -> Story:
    story.days(1)
    return story


@pytest.mark.parametrize("first", ["webhook", "outcome"])
def test_what_came_beside_stripe_is_not_our_retrys(first: str) -> None:
    """B71: 15.00 of 49.00 were paid beside Stripe, our charge took the rest; whichever word of it comes first."""
    story = charged(Story().opened())
    state = a.a_state("paid", **OUTSIDE)
    paid = a.a_payment("evt_p", a.at(days=1), state=state, request_key=idempotency_key(story.charges()[-1].id))
    if first == "webhook":
        story.tell(paid)
    story.charge_answered("succeeded", state=state)
    story.tell(paid)
    assert whose(story) == {"external": 1500, "our_retry": 3400}


def test_what_came_beside_stripe_is_not_the_customers_and_not_unknown() -> None:
    """B71: told by the customer's payment, or by a read."""
    state = a.a_state("paid", **OUTSIDE)
    story = Story().opened()
    story.tell(a.a_payment("evt_p", a.at(days=1), state=state, request_id="req_page"))
    assert whose(story) == {"external": 1500, "customer": 3400}
    story = Story()
    story.tell(a.a_failure())
    attempts = (a.an_attempt("ch_in_1"), a.an_attempt("ch_2", a.at(hours=1), succeeded=True))
    story.tell(a.a_reading(story.reads()[-1].id, a.at(hours=1), None, state=state, attempts=attempts))
    assert whose(story) == {"external": 1500, "unknown": 3400}


def test_a_part_beside_stripe_that_was_told_is_told_once() -> None:
    """B71: and the customer's part after it is the customer's."""
    story = Story().opened()
    story.tell(a.a_change("evt_1", a.at(hours=1), state=a.a_state(paid=1500, **OUTSIDE)))
    story.tell(a.a_change("evt_2", a.at(hours=2), state=a.a_state(paid=2500, **OUTSIDE), request_id="req_page"))
    story.tell(a.a_payment("evt_p", a.at(hours=3), state=a.a_state("paid", **OUTSIDE), request_id="req_page"))
    assert whose(story) == {"external": 1500, "customer": 3400}


def test_what_was_paid_beside_stripe_before_the_failure_is_no_recovery() -> None:
    story = Story()
    before = a.a_state(paid=1500, **OUTSIDE)
    story.tell(a.a_failure(state=before))
    story.tell(a.a_reading(story.reads()[-1].id, a.at(hours=0.1), state=before))
    story.tell(a.a_payment("evt_p", a.at(hours=3), state=a.a_state("paid", **OUTSIDE), request_id="req_page"))
    assert whose(story) == {"customer": 3400}


def test_all_of_it_beside_stripe_is_one_recovery() -> None:
    story = Story().opened()
    state = a.a_state("paid", paid_off_stripe=4900, paid_out_of_band=True)
    story.tell(a.a_payment("evt_p", a.at(hours=3), state=state, request_id="req_merchant"))
    assert [event.event_type for event in story.events if event.recovered_minor] == ["payment_recovered"]
    assert whose(story) == {"external": 4900}


def test_a_look_at_a_payment_shows_who_made_it() -> None:
    """F60."""
    case = a.a_case(charges={"e.1": "ch_ours"})
    state = a.a_state("paid")
    for charge, credit in (
        ("ch_ours", attribution.Credit("our_retry", {"evidence": "charge", "charge": "ch_ours", "charge_effect": "e.1"})),
        ("ch_else", attribution.Credit("unknown", {"evidence": "read", "charge": "ch_else"})),
    ):
        seen = a.a_reading("e.read", a.START, None, state=state, attempts=(a.an_attempt(charge, succeeded=True),))
        assert attribution.from_read(case, seen) == credit
    assert attribution.from_read(case, a.a_reading("e.read", a.START, None, state=state, attempts=())) == attribution.Credit(
        "unknown", {"evidence": "read"}
    )
    outside = a.a_reading("e.read", a.START, None, state=a.a_state("paid", paid_out_of_band=True))
    assert attribution.from_read(case, outside) == attribution.Credit("external", {"evidence": "out_of_band"})

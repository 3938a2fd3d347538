"""A charge's failure told before the invoice's: joined when the case opens; needed only where the look fails."""

from typing import Any

import pytest

from recovery.contracts import facts
from recovery.contracts.facts import ChargeFailed, Decline, IntentFailed
from recovery.decide.handlers.collection import charges_and_refunds, unmatched_failures
from recovery.decide.handlers.collection.invoice_reads import REPEATS
from recovery.decide.transition import Transition
from tests.support import builders as a
from tests.support.story import Story
from tests.support.transcript import told


def a_charge(id: str = "evt_ch", hours: float = 1.99, decline: Decline = a.HARD, amount: int = 4900, invoice: str = "") -> ChargeFailed:
    told: dict[str, Any] = a.header(id, a.at(hours=hours), invoice)
    return ChargeFailed(**told, charge=f"ch_{id}", amount_minor=amount, currency="eur", decline=decline, card=a.VISA)


def blind(story: Story) -> None:
    """No look succeeds."""
    for _ in range(REPEATS + 1):
        story.tell(a.no_reading(story.reads()[-1].id, story.now, invoice="in_2"))
        story.days(0.1)


def known() -> Story:
    """A customer with a row: another invoice was recovered."""
    story = Story().opened()
    story.tell(a.a_payment(when=a.at(hours=1)))
    return story


def test_a_charge_told_before_its_invoice_names_the_decline_where_no_look_could_be_had() -> None:
    """B2, B25: decided on what is known."""
    story = known()
    story.tell(a_charge())
    story.tell(a.a_failure("evt_2", a.at(hours=2), "in_2"))
    blind(story)
    assert story.last("decline_classified").decline_code == "expired_card"
    assert story.case("in_2").card == a.VISA


def test_an_intent_serves_as_well_and_the_look_wins_over_both() -> None:
    story = known()
    told = IntentFailed(**a.header("evt_pi", a.at(hours=1.9), ""), payment_intent="pi_1", amount_minor=4900, currency="eur", decline=a.HARD)
    story.tell(told)
    story.tell(a.a_failure("evt_2", a.at(hours=2), "in_2"))
    assert story.case("in_2").decline == a.HARD
    story.tell(a.a_reading(story.reads()[-1].id, story.now, a.SOFT, "in_2"))
    assert story.last("decline_classified").decline_code == "insufficient_funds"


def test_another_amount_or_a_day_before_is_not_joined() -> None:
    for charge in (a_charge(amount=100), a_charge(invoice="in_9")):
        story = known()
        story.tell(charge)
        story.tell(a.a_failure("evt_2", a.at(hours=2), "in_2"))
        assert story.case("in_2").decline is None
    story = known()
    story.tell(a_charge())
    story.tell(a.a_failure("evt_2", a.at(hours=27), "in_2"))
    assert story.case("in_2").decline is None


def test_two_that_contradict_each_other_tell_nothing() -> None:
    story = known()
    story.tell(a_charge("a"))
    story.tell(a_charge("b", decline=a.SOFT))
    story.tell(a.a_failure("evt_2", a.at(hours=2), "in_2"))
    assert story.case("in_2").decline is None


def test_a_customer_without_a_row_gets_none_by_a_failed_charge() -> None:
    """Architecture 1: most failed charges belong to a checkout."""
    story = Story()
    assert story.tell(a_charge()).customer is None


def test_the_memory_is_bounded() -> None:
    story = known()
    for number in range(20):
        story.tell(a_charge(f"c{number}", 1 + number / 100, amount=number))
    assert story.customer is not None
    assert len(story.customer.unmatched_failures) == unmatched_failures.MOST
    story.days(10)
    story.tell(a.a_failure("evt_2", story.now, "in_2"))
    story.days(1)
    assert story.customer.unmatched_failures == []


def test_silence_is_ended_after_two_days() -> None:
    """Decided on what is known after the stated time when no look is ever answered."""
    story = Story()
    story.tell(a.a_failure(decline=a.HARD))
    story.days(2.2)
    assert story.last("decline_classified").decline_code == "expired_card"
    assert len(story.reads()) == 2


def test_a_charge_serves_one_invoice_only() -> None:
    story = known()
    story.tell(a_charge())
    story.tell(a.a_failure("evt_2", a.at(hours=2), "in_2"))
    story.tell(a.a_failure("evt_3", a.at(hours=2), "in_3"))
    assert (story.case("in_2").decline, story.case("in_3").decline) == (a.HARD, None)


def test_the_words_of_a_webhook_are_not_replaced() -> None:
    story = known()
    story.tell(a_charge())
    story.tell(a.a_failure("evt_2", a.at(hours=2), "in_2", decline=a.SOFT))
    assert story.case("in_2").decline == a.SOFT


def test_a_failure_told_days_late_is_not_joined_with_a_later_charge() -> None:
    """B3."""
    story = known()
    story.tell(a_charge(hours=50))
    story.tell(a.a_failure("evt_2", a.at(hours=2), "in_2"))
    assert story.case("in_2").decline is None


def test_time_alone_makes_them_forgotten() -> None:
    story = known()
    story.tell(a_charge())
    story.tell(a.a_tick(a.at(hours=25)))
    assert [hint.at for hint in (story.customer.unmatched_failures if story.customer else [])] == [a.at(hours=1.99)]
    story.tell(a.a_tick(a.at(hours=26)))
    assert story.customer is not None
    assert story.customer.unmatched_failures == []


def test_a_failed_intent_that_may_be_of_two_invoices_is_kept_for_none() -> None:
    """stripe.md 3.3."""
    row = a.a_customer(*(a.a_case(invoice=name) for name in ("in_1", "in_2")))
    fact = told(facts.IntentFailed, a.START, "", payment_intent="pi_1", amount_minor=4900, currency="eur", decline=a.HARD)
    charges_and_refunds.intent_failed(Transition(row, fact, a.START, a.an_account()), fact)
    assert (row.unmatched_failures, [case.decline for case in row.cases.values()]) == ([], [None, None])


@pytest.mark.parametrize("amount", [100, 4900])
def test_a_failed_charge_of_another_amount_tells_nothing_about_the_invoice(amount: int) -> None:
    """stripe.md 3.3."""
    story = Story()
    story.tell(a.a_failure())
    card = facts.Card(fingerprint="fp_9", brand="visa")
    story.tell(
        a.a_fact_of(facts.IntentFailed, 0.01, "", payment_intent="pi_1", amount_minor=amount, currency="eur", decline=a.HARD, card=card)
    )
    assert story.case().decline == (a.HARD if amount == 4900 else None)
    assert story.case().card == (card if amount == 4900 else None)


@pytest.mark.parametrize("hours", [-1, 0, 1])
def test_a_later_failed_charge_takes_the_place_of_what_was_told_before(hours: float) -> None:
    """B2, B19: before the look, the latest word counts."""
    story = Story()
    story.tell(a.a_failure(decline=a.SOFT))
    story.tell(a.a_fact_of(facts.ChargeFailed, hours, charge="ch_9", amount_minor=4900, currency="eur", decline=a.HARD, card=a.VISA))
    assert story.case().decline == (a.HARD if hours >= 0 else a.SOFT)

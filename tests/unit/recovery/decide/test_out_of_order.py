"""Webhooks come in any order: money that goes back before it came, and a change that shows a payment before the payment itself."""

from datetime import timedelta
from typing import Any

import pytest

from recovery.contracts.facts import ChargeRead, ChargeRefunded, InvoicePaymentSucceeded, MethodChanged, SubscriptionEnded
from recovery.decide.handlers.collection import charges_and_refunds
from recovery.decide.handlers.collection.invoice_reads import REPEATS
from recovery.decide.handlers.collection.invoices import PAYMENT_EVENT_DELAY
from recovery.decide.rules import attribution_audit
from recovery.ids import idempotency_key
from tests.support import builders as a
from tests.support.story import Story


def refund(hours: float, amount: int = 4900, invoice: str = "", id: str = "evt_r", charge: str = "ch_paid") -> ChargeRefunded:
    return ChargeRefunded(**a.header(id, a.at(hours=hours), invoice), charge=charge, amount_refunded=amount, currency="eur")


def payment(hours: float, **fields: Any) -> Any:
    return a.a_payment("evt_p", a.at(hours=hours), **({"request_id": "req_1"} | fields))


def shows_paid(hours: float, **fields: Any) -> Any:
    return a.a_change("evt_u", a.at(hours=hours), state=a.a_state("paid"), **fields)


def net(story: Story) -> dict[str, int]:
    assert attribution_audit.problems(story.events) == []
    return attribution_audit.totals(story.events)


@pytest.mark.parametrize("amount", [4900, 1900])
def test_a_refund_told_before_its_payment_is_found_again_when_the_payment_is_told(amount: int) -> None:
    """B3, F67: the charge is read from Stripe, as it would be in the right order."""
    story = Story().opened()
    story.tell(refund(5, amount))
    assert (story.case().active, story.events[-1].reason) == (True, "no_case")
    story.tell(payment(4))
    asked = story.reads()[-1]
    assert (asked.what, asked.object, asked.customer) == ("charge", "ch_paid", a.CUSTOMER)
    told = {"charge": "ch_paid", "amount_minor": 4900, "currency": "eur", "amount_refunded": amount}
    story.tell(ChargeRead(**a.header(f"{asked.id}:outcome", a.at(hours=5)), effect=asked.id, **told))
    assert net(story) == ({"eur": 4900 - amount} if amount < 4900 else {})
    assert story.customer is not None
    assert story.customer.early_refunds == []


def test_a_refund_told_before_the_answer_of_our_charge_is_taken_back_with_it() -> None:
    """B3, B72: the answer names the charge, so nobody has to be asked."""
    story = Story().opened()
    story.days(1)
    story.tell(refund(24.2))
    reads = len(story.reads())
    story.charge_answered("succeeded", charge="ch_paid")
    assert (story.case().status, story.last("recovery_reversed").recovered_by, net(story)) == ("recovered", "our_retry", {})
    assert len(story.reads()) == reads


def test_a_refund_that_names_the_invoice_stops_its_case_and_is_taken_back_when_the_payment_is_told() -> None:
    """B72: neither retry nor mail after it, and no unit counts that went back."""
    story = Story().opened()
    story.tell(refund(5, invoice=a.INVOICE))
    assert (story.case().status, story.case().reason) == ("closed", "refunded")
    story.tell(payment(4))
    assert (story.last("recovery_reversed").reason, net(story)) == ("refund", {})
    story.tell(refund(6, invoice=a.INVOICE, id="evt_again"))
    assert net(story) == {}, "no unit is taken back twice"
    assert story.notices() == []


def test_a_refund_of_another_charge_does_not_touch_the_payment() -> None:
    story = Story().opened()
    story.days(1)
    story.tell(refund(24.2, charge="ch_shop"))
    story.charge_answered("succeeded", charge="ch_paid")
    assert net(story) == {"eur": 4900}


def test_a_refund_is_kept_for_a_day_and_no_more_than_a_few() -> None:
    """A payment that is told a day later is one that came after it."""
    story = Story().opened(a.HARD)
    for number in range(20):
        story.tell(refund(1 + number / 100, id=f"evt_{number}", charge=f"ch_{number}"))
    assert story.customer is not None
    assert [early.charge for early in story.customer.early_refunds] == [
        f"ch_{number}" for number in range(20 - charges_and_refunds.MOST, 20)
    ]
    story.tell(a.a_tick(a.at(hours=1) + charges_and_refunds.EARLY))
    assert len(story.customer.early_refunds) == charges_and_refunds.MOST
    story.tell(a.a_tick(a.at(hours=2) + charges_and_refunds.EARLY))
    assert story.customer.early_refunds == []


def test_a_refund_of_a_customer_without_a_case_leaves_no_row() -> None:
    """Architecture 1: it is of a payment that never failed."""
    story = Story()
    story.tell(refund(1))
    assert story.row is None


def test_a_change_by_somebody_else_does_not_claim_the_payment() -> None:
    """F60: the merchant edits the invoice that Stripe's own attempt has just paid; the edit is told first."""
    story = Story().opened()
    story.tell(shows_paid(4.1, request_id="req_edit"))
    assert (story.events[-1].event_type, story.events[-1].reason) == ("fact_had_no_effect", "payment_awaited")
    story.tell(payment(4, request_id=""))
    assert (story.last("payment_recovered").recovered_by, net(story)) == ("stripe_retry", {"eur": 4900})


def test_a_change_that_shows_a_payment_is_looked_after_when_the_payment_is_not_told() -> None:
    """F60: then it cannot be known who paid; and nothing is charged or written on the way."""
    story = Story().opened()
    story.until(a.at(hours=23.5))
    story.tell(shows_paid(23.5, request_id="req_edit"))
    story.until(a.at(hours=23.5) + PAYMENT_EVENT_DELAY)
    attempts = (a.an_attempt("ch_1"), a.an_attempt("ch_2", a.at(hours=23), succeeded=True))
    story.tell(a.a_reading(story.reads()[-1].id, story.now, None, state=a.a_state("paid"), attempts=attempts))
    assert (story.last("payment_recovered").recovered_by, net(story)) == ("unknown", {"eur": 4900})
    assert (story.charges(), story.messages()) == ([], [])


def test_a_charge_under_way_is_taken_back_when_a_change_shows_a_payment() -> None:
    """B4, B28."""
    story = Story().opened()
    story.days(1)
    story.tell(shows_paid(24.5, request_id="req_edit"))
    assert story.withdrawals() == [story.charges()[-1].id]
    story.tell(payment(24.4))
    assert (story.last("payment_recovered").recovered_by, net(story)) == ("customer", {"eur": 4900})


def test_a_mail_waits_for_the_word_of_a_payment_that_was_seen() -> None:
    """B47."""
    story = Story().opened(a.HARD)
    story.mail_answered()
    at = story.case().dunning_at
    assert at is not None
    story.until(at - PAYMENT_EVENT_DELAY / 2)
    story.tell(a.a_change("evt_u", story.now, state=a.a_state("paid"), request_id="req_edit"))
    story.until(story.now + PAYMENT_EVENT_DELAY)
    assert (len(story.mails()), story.reads()[-1].occurred_at) == (1, story.now)


@pytest.mark.parametrize("told", ["our_key", "out_of_band"])
def test_a_change_that_shows_whose_payment_it_is_counts_at_once(told: str) -> None:
    """F60, B71."""
    story = Story().opened()
    story.days(1)
    if told == "our_key":
        story.tell(shows_paid(25, request_key=idempotency_key(story.charges()[-1].id)))
    else:
        story.tell(a.a_change("evt_u", a.at(hours=25), state=a.a_state("paid", paid_out_of_band=True), request_id="req_1"))
    assert story.last("payment_recovered").recovered_by == {"our_key": "our_retry", "out_of_band": "external"}[told]


def ended() -> Story:
    story = Story().opened(a.HARD)
    story.days(60)
    assert story.case().status == "abandoned"
    return story


def test_a_change_that_shows_a_payment_after_the_end_does_not_say_who_paid() -> None:
    """B73, F60: its request is that of somebody who edited the invoice; the payment's own webhook tells."""
    story = ended()
    seen = story.now
    story.tell(a.a_change("evt_u", seen, state=a.a_state("paid"), request_id="req_edit"))
    assert net(story) == {}
    story.tell(a.a_payment("evt_p", seen + timedelta(minutes=1)))
    assert story.last("payment_recovered").recovered_by == "stripe_retry"
    story.days(1)
    assert len(story.reads()) == 1, "the first look of the case, and no further one"


def test_a_payment_shown_after_the_end_of_which_nobody_tells_is_looked_after() -> None:
    """B73: a look that fails is had again."""
    story = ended()
    story.tell(a.a_change("evt_u", story.now, state=a.a_state("paid")))
    story.until(story.now + PAYMENT_EVENT_DELAY)
    story.tell(a.no_reading(story.reads()[-1].id, story.now))
    assert len(story.reads()) == 2
    story.until(story.now + timedelta(hours=1))
    paid = a.an_attempt("ch_p", story.now, succeeded=True)
    story.tell(a.a_reading(story.reads()[-1].id, story.now, None, state=a.a_state("paid"), attempts=(paid,)))
    assert net(story) == {"eur": 4900}
    assert story.case().status == "recovered"


def test_looks_after_the_end_that_fail_are_not_repeated_for_ever() -> None:
    story = ended()
    story.tell(a.a_change("evt_u", story.now, state=a.a_state("paid")))
    for _ in range(8):
        asked = len(story.reads())
        story.until(story.now + timedelta(hours=2))
        if len(story.reads()) > asked:
            story.tell(a.no_reading(story.reads()[-1].id, story.now))
    assert len(story.reads()) == 1 + 1 + REPEATS


def test_a_paused_account_does_not_look_after_the_end_either() -> None:
    """B45: it is looked when the pause is over."""
    story = ended()
    story.account = a.an_account(paused=True)
    story.tell(a.a_change("evt_u", story.now, state=a.a_state("paid")))
    story.days(1)
    assert len(story.reads()) == 1
    story.account = a.an_account()
    story.days(0.1)
    assert len(story.reads()) == 2


def test_a_refund_told_before_its_payment_counts_also_when_the_case_ended_meanwhile() -> None:
    """B72: the customer paid, cancelled and got the money back; the payment is told last."""
    story = Story().opened()
    story.tell(SubscriptionEnded(**a.header("evt_s", a.at(hours=1), ""), subscription=a.SUBSCRIPTION))
    story.tell(refund(2, invoice=a.INVOICE))
    assert net(story) == {}
    story.tell(payment(1.5))
    assert net(story) == {}
    assert story.last("recovery_reversed").recovered_minor == 4900


def test_another_ones_attempt_with_the_new_card_is_looked_at_when_ours_comes_to_nothing() -> None:
    """B35, B24: Stripe tried the new card as well and the bank called it fraud, while our charge was under way."""
    story = Story().opened()
    story.new_card("evt_m", a.at(hours=1), a.MASTERCARD)
    story.tell(a.a_failure("evt_2", a.at(hours=1.1)))
    story.charge_answered("not_done", why="refused: not today")
    attempts = (a.an_attempt("ch_2", a.at(hours=1.1), card=a.MASTERCARD),)
    story.tell(a.a_reading(story.reads()[-1].id, a.at(hours=1.2), a.FRAUD, card=a.MASTERCARD, attempts=attempts))
    assert story.case().status == "blocked"
    assert len(story.charges()) == 1


def test_a_failure_before_the_new_card_that_is_told_late_takes_nothing_from_it() -> None:
    """B3, B35: its payment is the renewed card's."""
    story = Story().opened()
    story.tell(MethodChanged(**a.header("evt_m", a.at(hours=3), ""), card=a.VISA, how="automatically_updated"))
    story.tell(a.a_failure("evt_2", a.at(hours=2)))
    story.tell(a.a_payment("evt_p", a.at(hours=4)))
    assert story.last("payment_recovered").recovered_by == "account_updater"


def test_a_part_that_is_told_after_a_later_failure_counts() -> None:
    """B3, B72: what was paid in part stays paid, whatever failed since."""
    story = Story().opened()
    shown = a.a_state(amount_paid=1900, amount_remaining=3000)
    story.tell(a.a_failure("evt_2", a.at(hours=3), state=shown))
    story.tell(InvoicePaymentSucceeded(**a.header("evt_p", a.at(hours=2)), state=shown, request_key="page-1", request_id="req_1"))
    assert (story.case().part_minor, story.case().recovered_minor) == (1900, 1900)

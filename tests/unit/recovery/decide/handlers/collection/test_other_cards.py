"""A decline is its card's: what somebody typed on Stripe's page says nothing about the saved card that a retry charges (B22)."""

from typing import Any

import msgspec

from recovery.contracts.facts import Decline, InvoiceRead, PaymentActionRequired
from tests.support import builders as a
from tests.support.story import Story

SAVED = msgspec.structs.replace(a.VISA, method="pm_saved")
TYPED = msgspec.structs.replace(a.MASTERCARD, method="pm_typed")
WRONG = Decline(code="incorrect_cvc", decline_code="incorrect_cvc", outcome_type="issuer_declined", method_type="card")
LOST = Decline(code="card_declined", decline_code="lost_card", outcome_type="issuer_declined", method_type="card")


def on_the_page(story: Story, decline: Decline, hours: float = 2, **fields: Any) -> None:
    """Somebody tries another card on Stripe's page, and the read that follows shows its decline."""
    story.tell(a.a_failure(f"evt_page_{hours}", a.at(hours=hours), state=a.a_state(attempt_count=2), request_id="req_page"))
    seen = (a.an_attempt("ch_in_1"), a.an_attempt(f"ch_page_{hours}", a.at(hours=hours), card=a.MASTERCARD))
    told: dict[str, Any] = {"card": a.MASTERCARD, "attempts": seen}
    story.tell(a.a_reading(story.reads()[-1].id, a.at(hours=hours + 0.01), decline, **(told | fields)))


def test_the_saved_cards_retry_stays_planned() -> None:
    story = Story().opened()
    on_the_page(story, WRONG)
    assert story.case().verdict is not None
    assert story.case().verdict.code == "insufficient_funds"
    assert story.last("case_updated").reason == "other_card_declined"
    story.until(a.at(days=1))
    assert [charge.because for charge in story.charges()] == ["ladder_1"]


def test_a_card_that_says_never_is_barred_all_the_same() -> None:
    story = Story().opened()
    on_the_page(story, LOST)
    assert story.customer is not None
    assert story.customer.barred == ["fp_mc"]
    story.until(a.at(days=1))
    assert len(story.charges()) == 1


def test_a_card_without_funds_on_the_page_does_not_bring_back_an_expired_one() -> None:
    story = Story().opened(a.HARD)
    story.mail_answered()
    story.tell(a.a_failure("evt_page", a.at(hours=2), state=a.a_state(attempt_count=2), request_id="req_page"))
    story.until(a.at(days=20))
    assert not story.charges()


def test_the_read_tells_by_the_method_which_card_a_retry_would_charge() -> None:
    """Where Stripe tells both methods, who asked for the attempt need not be known."""
    story = Story().opened(card=SAVED, customer_method="pm_saved")
    told: dict[str, Any] = {"card": TYPED, "customer_method": "pm_saved"}
    story.tell(a.a_failure("evt_2", a.at(hours=2)))
    read = a.a_reading(story.reads()[-1].id, a.at(hours=2.1), WRONG, **told)
    assert isinstance(read, InvoiceRead)
    story.tell(read)
    assert story.case().retry_at is not None
    assert story.case().card == SAVED


def test_the_card_that_is_charged_is_judged_whoever_asked() -> None:
    """It is the default now, so the decline is the next attempt's too."""
    story = Story().opened(card=SAVED, customer_method="pm_saved")
    on_the_page(story, WRONG, card=TYPED, customer_method="pm_typed")
    assert story.case().verdict is not None
    assert story.case().verdict.code == "incorrect_cvc"
    assert story.case().retry_at is None


def test_an_automatic_attempt_on_another_card_is_judged() -> None:
    """Stripe itself charges what a retry would charge."""
    story = Story().opened()
    story.tell(a.a_failure("evt_2", a.at(hours=2)))
    seen = (a.an_attempt("ch_in_1"), a.an_attempt("ch_2", a.at(hours=2), card=a.MASTERCARD))
    story.tell(a.a_reading(story.reads()[-1].id, a.at(hours=2.1), WRONG, card=a.MASTERCARD, attempts=seen))
    assert story.case().status == "dunning"


def test_a_customer_at_the_banks_question_on_the_page_does_not_end_the_retries() -> None:
    """B17: Stripe's page asks for authentication of the card that was typed there."""
    story = Story().opened()
    asked = PaymentActionRequired(**a.header("evt_3ds", a.at(hours=2)), state=a.a_state(), request_id="req_page")
    story.tell(asked)
    seen = (a.an_attempt("ch_in_1"), a.an_attempt("ch_3ds", a.at(hours=2), card=a.MASTERCARD))
    read = a.a_reading(story.reads()[-1].id, a.at(hours=2.1), a.AUTH, card=a.MASTERCARD, attempts=seen)
    story.tell(read)
    story.until(a.at(days=1))
    assert [charge.because for charge in story.charges()] == ["ladder_1"]

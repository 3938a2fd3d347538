"""A new or renewed card while a case is open."""

from recovery.contracts.facts import (
    Decline,
    MethodChanged,
)
from recovery.policy import RetryPolicy
from tests.support import builders as a
from tests.support.story import Story


def test_a_new_card_is_tried_also_after_the_window() -> None:
    """B35."""
    story = Story(a.an_account(a.a_policy(retry=RetryPolicy(window_days=2)))).opened()
    story.days(1)
    story.charge_answered()
    story.mail_answered()
    story.tell(MethodChanged(**a.header("evt_m", a.at(days=3.5), ""), card=a.MASTERCARD, how="attached"))
    assert [charge.because for charge in story.charges()] == ["ladder_1", "new_method"]


def test_a_renewed_card_is_no_longer_barred() -> None:
    """B22, B38."""
    story = Story().opened(Decline(decline_code="lost_card"))
    story.mail_answered()
    assert story.customer is not None
    assert story.customer.barred == ["fp_visa"]
    story.tell(MethodChanged(**a.header("evt_m", a.at(days=1), ""), card=a.VISA, how="attached"))
    assert not story.charges()  # the lost card itself, attached again
    story.tell(MethodChanged(**a.header("evt_m2", a.at(days=2), ""), card=a.VISA, how="automatically_updated"))
    assert len(story.charges()) == 1


def test_a_new_card_is_tried_before_the_case_is_given_up() -> None:
    """B35: Stripe is about to try, so ours waits, and the end with it."""
    story = Story().opened(a.HARD)
    for days in (0.01, 3, 7):
        story.until(a.at(days=days))
        story.mail_answered()
    story.tell(a.a_change("evt_c", a.at(days=13), state=a.a_state(next_payment_attempt=a.at(days=14))))
    story.tell(MethodChanged(**a.header("evt_m", a.at(days=13.9), ""), card=a.MASTERCARD, how="attached"))
    story.until(a.at(days=14.4))
    assert story.last("case_updated").reason == "retry_pending"
    story.until(a.at(days=14.5))
    assert [charge.occurred_at for charge in story.charges()] == [a.at(days=14.5)]


def test_a_renewed_card_that_stripe_charged_is_credited_to_the_updater() -> None:
    """B38; a failure after the renewal takes the credit away."""
    renewed = MethodChanged(**a.header("evt_m", a.at(hours=2), ""), card=a.VISA, how="automatically_updated")
    story = Story().opened()
    story.tell(renewed)
    story.tell(a.a_payment("evt_p", a.at(hours=3)))
    assert story.last("payment_recovered").recovered_by == "account_updater"
    story = Story().opened()
    story.tell(renewed)
    story.tell(a.a_failure("evt_2", a.at(hours=3)))
    story.tell(a.a_payment("evt_p", a.at(hours=4)))
    assert story.last("payment_recovered").recovered_by == "stripe_retry"


def test_a_new_card_is_tried_once_at_once() -> None:
    """B35, B22: the hard decline was the old card's."""
    story = Story().opened(a.HARD)
    story.mail_answered()
    card = MethodChanged(**a.header("evt_m", a.at(days=1), ""), card=a.MASTERCARD, how="attached")
    story.tell(card)
    assert [charge.because for charge in story.charges()] == ["new_method"]
    story.charge_answered("declined", decline=a.HARD, card=a.MASTERCARD)
    story.until(a.at(days=3))
    assert len(story.charges()) == 1
    assert [mail.step for mail in story.mails()] == [1, 2]


def test_a_card_older_than_the_failure_is_not_a_new_one() -> None:
    """B3: the webhook of a card attached before the failure comes late."""
    story = Story().opened(a.HARD)
    story.tell(MethodChanged(**a.header("evt_m", a.at(hours=-1), ""), card=a.MASTERCARD, how="attached"))
    assert not story.charges()
    assert story.events[-1].reason == "method_older_than_failure"


def test_a_planned_retry_gives_way_to_the_new_card() -> None:
    """B35: no double fire."""
    story = Story().opened()
    story.tell(MethodChanged(**a.header("evt_m", a.at(hours=20), ""), card=a.MASTERCARD, how="attached"))
    story.tell(MethodChanged(**a.header("evt_m2", a.at(hours=20.5), ""), card=a.MASTERCARD, how="attached"))
    story.until(a.at(hours=30))
    assert len(story.charges()) == 1


def test_a_spent_ladder_is_not_opened_again_by_a_new_card() -> None:
    story = Story().opened()
    for hours in (24, 72, 144):
        story.until(a.at(hours=hours))
        story.charge_answered()
    story.tell(MethodChanged(**a.header("evt_m", story.now, ""), card=a.MASTERCARD, how="attached"))
    assert len(story.charges()) == 3
    assert story.last("case_updated").reason == "method_changed"
    assert story.case().retry_at is None


def test_a_look_at_the_old_cards_decline_does_not_stop_the_new_card() -> None:
    """B35: the same failure, told with other words by another object of Stripe."""
    story = Story().opened(a.HARD)
    story.mail_answered("skipped", "disputed")
    story.tell(a.a_change("evt_c", a.at(hours=2), state=a.a_state(next_payment_attempt=a.at(hours=5))))
    story.tell(MethodChanged(**a.header("evt_m", a.at(hours=3), ""), card=a.MASTERCARD, how="attached"))
    told = Decline(code="expired_card", decline_code="expired_card", intent_status="requires_payment_method")
    story.tell(a.a_reading(story.reads()[-1].id, a.at(hours=4), told, state=a.a_state(next_payment_attempt=a.at(hours=5))))
    story.until(a.at(hours=17))
    assert [charge.because for charge in story.charges()] == ["new_method"]


def test_no_payment_method_at_all_is_written_about_and_then_tried() -> None:
    """stripe.md 1.2 step 1."""
    story = Story().opened(Decline(intent_status="requires_payment_method"), attempts=(), card=None)
    assert (story.case().status, story.last("decline_classified").reason) == ("dunning", "no_payment_method")
    story.mail_answered()
    story.tell(MethodChanged(**a.header("evt_m", a.at(days=1), ""), card=a.VISA, how="attached"))
    assert len(story.charges()) == 1

"""What comes late still counts: for the card when its case is over, for the invoice when its attempts are old."""

from datetime import timedelta

from recovery.contracts.customer import CardAttempt
from recovery.contracts.facts import Decline, ResumeRequested, StopRequested, SubscriptionEnded
from recovery.decide.rules import budgets
from tests.support import builders as a
from tests.support.story import Story

LOST = Decline(code="card_declined", decline_code="lost_card", outcome_type="issuer_declined", method_type="card")


def test_a_card_that_says_never_after_its_case_is_over_is_barred_for_the_others() -> None:
    """B22: the answer of a charge comes after the customer has paid another way."""
    story = Story().opened()
    story.days(1)
    story.tell(a.a_payment(when=a.at(days=1, hours=1)))
    story.charge_answered("declined", decline=LOST)
    assert story.customer is not None
    assert story.customer.barred == [a.VISA.fingerprint]


def test_a_case_that_was_stopped_by_hand_is_not_resumed_for_somebody_who_has_cancelled() -> None:
    """B60, B67."""
    story = Story().opened()
    story.tell(StopRequested(**a.header("cmd_1", a.at(hours=1)), who="ada"))
    story.tell(SubscriptionEnded(**a.header("evt_s", a.at(hours=2), ""), subscription=a.SUBSCRIPTION))
    story.tell(ResumeRequested(**a.header("cmd_2", a.at(hours=3)), who="ada"))
    story.days(30)
    assert (story.case().status, story.case().reason) == ("closed", "cancelled")
    assert (story.charges(), story.mails()) == ([], [])


def test_old_attempts_on_an_open_case_are_not_forgotten() -> None:
    """Product decision 10: the attempts on an invoice are limited for good, those on a card within days."""
    old, now = a.START, a.START + budgets.KEEP + timedelta(days=1)
    attempts = [CardAttempt("ch_1", old, "in_1", "fp_1", "visa", False), CardAttempt("ch_2", old, "in_2", "fp_1", "visa", False)]
    row = a.a_customer(a.a_case(), attempts=attempts)
    budgets.forget(row, now)
    assert [known.charge for known in row.attempts] == ["ch_1"]
    row.cases["in_1"].status = "abandoned"
    budgets.forget(row, now)
    assert row.attempts == []

"""When a card ends, and when the customer is warned of it."""

from datetime import UTC, datetime

import pytest

from recovery.contracts import facts
from recovery.contracts.facts import Card, CardExpiring
from recovery.decide.handlers.messages.card_expiry import NoWarning, last_moment, notice_at
from recovery.policy import PreventionPolicy
from tests.support import builders as a
from tests.support.story import Story


def test_two_cards_that_expire_are_both_written_about() -> None:
    """F68: the one that is refused does not hold back the other."""
    story = Story(a.an_account(a.a_policy(prevention=PreventionPolicy(enabled=True))))
    for number in (1, 2):
        card = facts.Card(fingerprint=f"fp_{number}", brand="visa", exp_month=3, exp_year=2026)
        charge = {"next_charge_at": a.at(days=40), "amount_minor": 4900, "currency": "eur"}
        story.tell(a.a_fact_of(facts.CardExpiring, number, "", card=card, subscription=f"sub_{number}", **charge))
    story.until(a.at(days=35))
    done = [
        (event.event_type, event.subscription)
        for event in story.events
        if event.event_type in {"transactional_mail_requested", "transactional_mail_skipped"}
    ]
    assert len({subscription for _, subscription in done}) == 2


@pytest.mark.parametrize(
    ("month", "year", "end"),
    [(1, 2026, datetime(2026, 2, 1, tzinfo=UTC)), (12, 2026, datetime(2027, 1, 1, tzinfo=UTC)), (13, 2026, None), (0, 2026, None)],
)
def test_a_card_is_good_to_the_last_day_of_its_month(month: int, year: int, end: datetime | None) -> None:
    """F68."""
    assert last_moment(Card(exp_month=month, exp_year=year)) == end


@pytest.mark.parametrize(
    ("charge", "now", "answer"),
    [
        (datetime(2026, 4, 1, tzinfo=UTC), a.START, datetime(2026, 3, 25, tzinfo=UTC)),  # the first moment after
        (datetime(2026, 3, 31, 23, tzinfo=UTC), a.START, NoWarning("card_still_good")),
        (
            datetime(2026, 4, 1, tzinfo=UTC),
            datetime(2026, 3, 30, tzinfo=UTC),
            datetime(2026, 3, 30, tzinfo=UTC),
        ),  # late is better than never
        (datetime(2026, 4, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC), NoWarning("charge_is_over")),
    ],
)
def test_the_warning_comes_a_week_before_the_charge_or_at_once(charge: datetime, now: datetime, answer: object) -> None:
    """F68."""
    card = Card(exp_month=3, exp_year=2026)
    fact = CardExpiring(**a.header("x", a.START, ""), card=card, subscription="s", next_charge_at=charge, amount_minor=1, currency="eur")
    assert notice_at(fact, 7, now) == answer

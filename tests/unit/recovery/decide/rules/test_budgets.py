from datetime import UTC, datetime, timedelta

import pytest

from recovery.contracts import facts
from recovery.contracts.customer import CardAttempt
from recovery.contracts.facts import Card
from recovery.decide.rules import budgets
from recovery.policy import Budgets, RetryPolicy
from recovery.vocabulary import Money
from tests.support import builders as a
from tests.support.story import Story
from tests.support.transcript import opened

LIMITS = Budgets()


def attempts(count: int, every_hours: float, brand: str = "visa", succeeded: frozenset[int] = frozenset()) -> list[CardAttempt]:
    return [CardAttempt(f"ch_{n}", a.at(hours=n * every_hours), a.INVOICE, "fp", brand, n in succeeded) for n in range(count)]


def test_fourteen_attempts_on_a_visa_card_leave_one_more() -> None:
    """B31, B40: the fifteenth is allowed, the sixteenth waits until the first is 30 days old."""
    now = a.at(days=15)
    assert budgets.free_at(attempts(14, 24), "fp", "visa", LIMITS, now) == now
    assert budgets.free_at(attempts(15, 24), "fp", "visa", LIMITS, now) == a.at(days=30)


def test_mastercard_counts_a_day_and_a_month() -> None:
    now = a.at(hours=11)
    assert budgets.free_at(attempts(9, 1, "mastercard"), "fp", "mastercard", LIMITS, now) == now
    assert budgets.free_at(attempts(10, 1, "mastercard"), "fp", "mastercard", LIMITS, now) == a.at(hours=24)
    assert budgets.free_at(attempts(35, 12, "mastercard"), "fp", "mastercard", LIMITS, a.at(days=18)) == a.at(days=30)


def test_a_success_starts_the_count_anew() -> None:
    now = a.at(days=17)
    assert budgets.free_at(attempts(16, 24, succeeded=frozenset({3})), "fp", "visa", LIMITS, now) == now


def test_another_card_has_its_own_budget() -> None:
    now = a.at(days=16)
    assert budgets.free_at(attempts(20, 12), "fp_other", "visa", LIMITS, now) == now
    assert budgets.free_at(attempts(20, 12), "", "visa", LIMITS, now) == now


def test_a_charge_counts_once_and_is_forgotten_after_five_weeks() -> None:
    """B2: the same attempt comes as charge.failed, in a reading and as our own outcome."""
    row = a.a_customer()
    assert budgets.remember(row, CardAttempt("ch_1", a.START, "", "fp", "visa", False), a.START)
    assert not budgets.remember(row, CardAttempt("ch_1", a.START, a.INVOICE, "fp", "visa", False), a.START)
    assert budgets.attempts_on_invoice(row.attempts, a.INVOICE) == 1
    later = a.START + budgets.KEEP + timedelta(seconds=1)
    budgets.remember(row, CardAttempt("ch_2", later, a.INVOICE, "fp", "visa", False), later)
    assert [attempt.charge for attempt in row.attempts] == ["ch_2"]


def test_what_is_left_is_told_for_each_limit_of_the_card() -> None:
    """F65."""
    card = a.MASTERCARD
    made = [CardAttempt(f"ch_{n}", a.at(hours=n), a.INVOICE, card.fingerprint, "mastercard", False) for n in range(10)]
    day, month = budgets.remaining(made, card, LIMITS, a.at(hours=10))
    assert (day.used, day.left, day.free_at) == (10, 0, a.at(hours=24))
    assert (month.used, month.left, month.free_at) == (10, 25, a.at(hours=10))
    assert budgets.remaining(made, Card(brand="mastercard"), LIMITS, a.at(hours=10)) == ()


@pytest.mark.parametrize(
    ("brand", "made", "further", "minor"),
    [
        ("visa", 15, 1, 0),  # ours is stricter than the network's 20 of today
        ("visa", 20, 0, 0),
        ("visa", 20, 1, 15),
        ("visa", 22, 1, 45),
        ("mastercard", 10, 1, 50),
        ("mastercard", 10, 0, 0),
    ],
)
def test_the_fees_at_stake_are_those_of_the_networks_own_limit(brand: str, made: int, further: int, minor: int) -> None:
    """F65, stripe.md 2.1 and 2.2, the fees of March 2026."""
    card = Card(fingerprint="fp", brand=brand)
    fees = budgets.exposure(attempts(made, 0.1, brand), card, a.at(hours=3), further)
    assert fees == Money(minor, "usd")


def test_fees_and_limits_are_those_of_their_day() -> None:
    """B31: limits with an effective date."""
    card = Card(fingerprint="fp", brand="visa")
    old, new = datetime(2024, 6, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
    for now, minor in ((old, 15), (new, 0)):
        made = [CardAttempt(f"ch_{n}", now - timedelta(hours=n), "", "fp", "visa", False) for n in range(16)]
        assert budgets.exposure(made, card, now) == Money(minor, "usd")
    assert budgets.exposure(attempts(40, 0.1), Card(fingerprint="fp", brand="visa"), a.at(days=90), 1) == Money(0, "usd")
    dear = [CardAttempt(f"ch_{n}", new - timedelta(hours=n), "", "fp", "visa", False) for n in range(21)]
    assert budgets.exposure(dear, card, new) == Money(25, "usd")


@pytest.mark.parametrize("card", [Card(fingerprint="fp", brand="amex"), Card(brand="visa")])
def test_no_fee_is_claimed_where_none_is_published_or_nothing_counted(card: Card) -> None:
    assert budgets.exposure(attempts(40, 0.1, card.brand), card, a.at(hours=5), 1) is None


@pytest.mark.parametrize(
    ("brand", "day", "limit", "fee"),
    [
        ("visa", (2021, 4, 16), None, None),
        ("visa", (2021, 4, 17), 15, 15),
        ("visa", (2025, 5, 24), 15, 15),
        ("visa", (2025, 5, 25), 20, 15),
        ("visa", (2026, 4, 24), 20, 15),
        ("visa", (2026, 4, 25), 20, 25),
        ("mastercard", (2022, 12, 31), 10, None),
        ("mastercard", (2023, 1, 1), 10, 15),
        ("mastercard", (2023, 12, 31), 10, 15),
        ("mastercard", (2024, 1, 1), 10, 30),
        ("mastercard", (2024, 12, 31), 10, 30),
        ("mastercard", (2025, 1, 1), 10, 50),
    ],
)
def test_each_limit_and_fee_begins_on_its_day(brand: str, day: tuple[int, int, int], limit: int | None, fee: int | None) -> None:
    """B31, F65: stripe.md 2.1 and 2.2, line by line."""
    now = datetime(*day, tzinfo=UTC)
    limits = budgets.network_windows(brand, now)
    assert (limits[0][0] if limits else None) == limit
    made = [CardAttempt(f"ch_{n}", now, "", "fp", brand, False) for n in range(40)]
    expected = Money((40 - limit) * fee, "usd") if limit is not None and fee is not None else None
    assert budgets.exposure(made, Card(fingerprint="fp", brand=brand), now) == expected


def test_an_attempt_leaves_the_count_when_the_window_has_passed() -> None:
    made = [CardAttempt("ch_1", a.START, a.INVOICE, "fp", "mastercard", False)]
    card = Card(fingerprint="fp", brand="mastercard")
    for seconds, used in ((-1, 1), (0, 0)):
        day = budgets.remaining(made, card, LIMITS, a.START + timedelta(days=1, seconds=seconds))[0]
        assert day.used == used


def test_a_card_learnt_later_is_taken_over_and_a_known_one_is_kept() -> None:
    """B2: the webhook of a charge may know less than the look, or more."""
    row = a.a_customer()
    budgets.remember(row, CardAttempt("ch_1", a.START, "", "", "visa", False), a.START)
    budgets.remember(row, CardAttempt("ch_1", a.START, a.INVOICE, "fp", "visa", False), a.START)
    budgets.remember(row, CardAttempt("ch_1", a.START, "in_2", "fp_2", "visa", False), a.START)
    assert [(known.invoice, known.fingerprint) for known in row.attempts] == [(a.INVOICE, "fp")]


def test_attempts_without_end_are_remembered_as_far_as_a_limit_counts_them() -> None:
    """Somebody tries out card numbers: the row stays small, the card's budget is used up all the same, and an open invoice's is exact."""
    row = a.a_customer(a.a_case())
    for number in range(5_000):
        at = a.at(hours=number / 100)
        invoice = a.INVOICE if number < 5 else ""
        budgets.remember(row, CardAttempt(f"ch_{number}", at, invoice, "fp", "mastercard", False), at)
    assert len(row.attempts) <= 256 + 64
    assert budgets.attempts_on_invoice(row.attempts, a.INVOICE) == 5
    assert budgets.free_at(row.attempts, "fp", "mastercard", LIMITS, a.at(hours=50)) > a.at(hours=50)
    for number in range(5_000):
        budgets.remember(row, CardAttempt(f"other_{number}", a.at(hours=51), "", f"fp_{number}", "visa", False), a.at(hours=51))
    assert len(row.attempts) <= 2_000 + 64


def test_each_attempt_counts_once():
    """B39, B40."""
    story = Story().opened()
    for number, days in enumerate((1, 2, 3), 1):
        story.days(days)
        story.charge_answered()
        assert story.last("retry_attempted").retry_count == number
    assert story.case().retry_count == 3


def test_an_attempt_of_which_no_card_is_known_counts_for_none() -> None:
    """B31."""
    story = opened(Story(), card=None)
    story.days(1)
    story.charge_answered(card=None)
    assert story.customer is not None
    assert (story.customer.attempts[-1].fingerprint, story.customer.attempts[-1].brand) == ("", "")


def test_of_two_limits_that_are_used_up_the_one_that_is_free_last_is_told() -> None:
    """F65."""
    limits = Budgets(mastercard_24_hours=1, mastercard_30_days=1)
    tried = [CardAttempt("ch_1", a.START, "in_1", "fp_mc", "mastercard", succeeded=False)]
    said = budgets.budget_details(tried, a.MASTERCARD, limits, a.at(hours=1))
    assert (said["window_hours"], said["free_at"], said["used"], said["limit"]) == ("720", a.at(days=30).isoformat(), "1", "1")


def test_a_full_card_budget_waits_until_it_is_free_within_the_window() -> None:
    """B31."""
    budgets = Budgets(visa_30_days=1, per_invoice=20)
    story = Story(a.an_account(a.a_policy(budgets=budgets, retry=RetryPolicy(window_days=40)))).opened()
    story.days(1)
    assert story.last("retry_skipped").reason == "card_budget"
    assert story.case().status == "retrying"
    story.until(a.at(days=30, hours=1))
    assert len(story.charges()) == 1


@pytest.mark.parametrize(("status", "counted"), [("not_sent_to_network", 0), ("declined_by_network", 1)])
def test_a_charge_that_never_reached_the_network_is_not_counted(status: str, counted: int) -> None:
    """B23."""
    story = Story()
    story.tell(a.a_failure())
    decline = facts.Decline(code="card_declined", network_status=status)
    story.tell(a.a_fact_of(facts.ChargeFailed, 0.01, charge="ch_9", amount_minor=1, currency="eur", decline=decline, card=a.VISA))
    row = story.customer
    assert row is not None
    assert len([one for one in row.attempts if one.charge == "ch_9"]) == counted


@pytest.mark.parametrize("card", [a.MASTERCARD, None])
def test_an_attempt_counts_on_the_card_that_was_charged_or_on_the_one_known(card: facts.Card | None) -> None:
    """B31."""
    story = Story().opened()
    story.days(1)
    story.charge_answered(card=card)
    assert story.customer is not None
    latest = story.customer.attempts[-1]
    assert (latest.fingerprint, latest.brand) == ((card or a.VISA).fingerprint, (card or a.VISA).brand)

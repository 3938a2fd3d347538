from datetime import timedelta

from recovery.contracts.customer import Attempt
from recovery.decide import budgets
from recovery.policy import Budgets
from tests.support import builders as a

LIMITS = Budgets()


def attempts(count: int, every_hours: float, brand: str = "visa", succeeded: frozenset[int] = frozenset()) -> list[Attempt]:
    return [Attempt(f"ch_{n}", a.at(hours=n * every_hours), a.INVOICE, "fp", brand, n in succeeded) for n in range(count)]


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
    assert budgets.remember(row, Attempt("ch_1", a.START, "", "fp", "visa", False), a.START)
    assert not budgets.remember(row, Attempt("ch_1", a.START, a.INVOICE, "fp", "visa", False), a.START)
    assert budgets.tried(row.attempts, a.INVOICE) == 1
    later = a.START + budgets.KEEP + timedelta(seconds=1)
    budgets.remember(row, Attempt("ch_2", later, a.INVOICE, "fp", "visa", False), later)
    assert [attempt.charge for attempt in row.attempts] == ["ch_2"]

"""Whatever comes and goes back, in whatever order it is told: each unit of money has one cause, and the parts sum to what really came."""

from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from recovery.contracts.facts import ChargeRead, ChargeRefunded, Fact
from recovery.decide.rules import attribution_audit
from tests.support import builders as a
from tests.support.story import Story

OWED = 4900
payment = st.tuples(st.integers(min_value=1, max_value=2000), st.sampled_from(("customer", "stripe", "beside")))
"""A part that is paid, and by whom; what is left at the end is paid too, or not."""
told_again = st.lists(st.integers(min_value=0, max_value=30), max_size=4)


def webhooks(payments: list[tuple[int, str]], last: str) -> tuple[list[Fact], int]:
    """The invoice after each payment as Stripe tells it, and what came in all."""
    paid, beside, found = 0, 0, list[Fact]()
    for number, (minor, who) in enumerate(payments):
        if paid + minor >= OWED:
            break
        paid, beside = paid + minor, beside + (minor if who == "beside" else 0)
        found.append(_fact(number, a.a_state(amount=OWED, paid=paid, paid_off_stripe=beside, paid_out_of_band=beside > 0), who))
    if last:
        state: Any = a.a_state("paid", amount=OWED, paid_off_stripe=beside, paid_out_of_band=beside > 0)
        found.append(_fact(len(payments), state, last))
        paid = OWED
    return found, paid


def _fact(number: int, state: Any, who: str) -> Fact:
    make = a.a_payment if state.status == "paid" else a.a_change
    return make(f"evt_{number}", a.START + timedelta(hours=number + 1), state=state, request_id="" if who == "stripe" else f"req_{number}")


@settings(max_examples=150, deadline=None)
@given(
    st.lists(payment, max_size=5),
    st.sampled_from(("", "customer", "stripe")),
    st.permutations(range(6)),
    told_again,
    st.lists(st.integers(min_value=1, max_value=6000), max_size=3),
)
def test_the_parts_sum_to_what_came_less_what_went_back(
    payments: list[tuple[int, str]], last: str, order: list[int], again: list[int], refunds: list[int]
) -> None:
    """F60, F67."""
    facts, came = webhooks(payments, last)
    shuffled = [facts[place] for place in order if place < len(facts)]
    shuffled += [facts[place % len(facts)] for place in again if facts]
    story = Story().opened(a.HARD)
    for fact in shuffled:
        story.tell(fact)
        assert attribution_audit.problems(story.events) == []
    assert attribution_audit.totals(story.events) == ({"eur": came} if came else {})
    if not last:
        return
    back = 0
    for number, amount in enumerate(refunds):  # the totals so far, told in any order
        story.tell(ChargeRefunded(**a.header(f"r_{number}", a.at(days=9), ""), charge="ch_x", amount_refunded=amount, currency="eur"))
        told: Any = a.header(f"c_{number}", a.at(days=9))
        story.tell(ChargeRead(**told, effect="x", charge="ch_x", amount_minor=OWED, amount_refunded=amount, currency="eur"))
        back = max(back, min(amount, OWED))
        assert attribution_audit.problems(story.events) == []
    assert attribution_audit.totals(story.events) == ({"eur": came - back} if came > back else {})

"""Between two ticks the order does not matter: any permutation and repetition of the same facts ends in the same outcome."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from recovery.contracts import effects, facts
from recovery.contracts.effects import Effect
from recovery.contracts.facts import Fact
from tests.support import builders as a
from tests.support.proof import happenings
from tests.support.proof.stripe import CARDS, Bill, Truth
from tests.support.story import Story

QUICK = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
WINDOW = timedelta(minutes=50)
HAPPENINGS = {
    "attempt": happenings.attempt,
    "pays": happenings.pays,
    "changes": happenings.changes,
    "void": happenings.void,
    "cancels": happenings.cancels,
    "new_card": happenings.new_card,
    "renamed": happenings.renamed,
    "part": happenings.part,
    "goes_back": happenings.goes_back,
    "goes": happenings.goes,
    "noise": happenings.noise,
}
VERBS = (*sorted(HAPPENINGS), "pays", "part", "goes_back")
"""What may happen; money more often, as it takes several happenings to move it to and fro."""
STRIPE = {"account_updater": "stripe_retry"}
"""Both are Stripe's own attempt; whether a renewed card made it possible is only known if that was told before the payment."""
Outcome = dict[str, tuple[object, ...]]


class Minutes:
    """An open case (or two) and a set of facts that all happen between two ticks; `told` tells them in an order and answers the outcome."""

    def __init__(self, verbs: list[tuple[str, int]], seed: int, invoices: int) -> None:
        self.truth = Truth(Random(seed), a.START)
        self.truth.card = CARDS[0]
        self.truth.bills = {f"in_{n}": Bill(f"in_{n}", f"sub_{n}", 4900, "eur", a.START) for n in range(invoices)}
        self.before = [fact for bill in self.truth.bills.values() for fact in self._opened(bill)]
        self.start = a.at(hours=1)
        self.facts: list[Fact] = []
        for place, (verb, number) in enumerate(verbs):
            bill, when = self.truth.bills[f"in_{number % invoices}"], self.start + timedelta(minutes=4 * (place + 1))
            self.facts += list(HAPPENINGS[verb](self.truth, bill, when, f"evt_{place}"))

    def _opened(self, bill: Bill) -> Iterator[Fact]:
        charge, _ = self.truth.try_card(bill, a.START, 0.0)
        bill.decline = a.SOFT
        yield facts.PaymentFailed(**a.header(f"evt_open_{charge}", a.START, bill.id), state=bill.state)

    def told(self, order: list[Fact]) -> Outcome:
        """The facts in this order while the time stands still; then the ticks go on, and every request is answered as Stripe now is."""
        story = Story(a.an_account())
        for fact in self.before:
            self._answer(story, story.tell(fact).effects, opening=True)
        story.tell(a.a_tick(self.start))
        waiting = []
        for fact in order:
            self._hold_time(story)
            waiting += story.tell(fact).effects
        story.now = self.start + WINDOW
        waiting += story.tell(a.a_tick(story.now)).effects
        self._answer(story, waiting)
        for _ in range(400):
            row = story.customer
            if row is None or row.next_due_at is None or all(not case.active for case in row.cases.values()):
                break
            self._answer(story, story.tell(a.a_tick(max(story.now, row.next_due_at))).effects)
        return self._outcome(story)

    def _hold_time(self, story: Story) -> None:
        story.now = self.start

    def _answer(self, story: Story, asked: list[Effect], *, opening: bool = False) -> None:
        withdrawn = {effect.effect for effect in asked if isinstance(effect, effects.EffectWithdrawn)}
        for effect in asked:
            bill = self.truth.bills.get(effect.invoice)
            if bill is None or isinstance(effect, effects.EffectWithdrawn):
                continue
            self._answer(story, story.tell(self._outcome_of(effect, bill, story.now, withdrawn, opening=opening)).effects, opening=opening)

    def _outcome_of(self, effect: Effect, bill: Bill, now: datetime, withdrawn: set[str], *, opening: bool) -> Fact:
        head = {**a.header(f"{effect.id}:outcome", now, effect.invoice), "effect": effect.id}
        why = "withdrawn" if effect.id in withdrawn else self.truth.why_not(bill)
        if opening:
            state = a.a_state(subscription=bill.subscription)
            return facts.InvoiceRead(**head, state=state, decline=a.SOFT, card=CARDS[0], attempts=tuple(bill.attempts[:1]))
        if isinstance(effect, effects.ReadRequested):
            return facts.InvoiceRead(**head, **self.truth.reading(bill))
        if isinstance(effect, effects.ChargeRequested):
            return facts.ChargeSettled(**head, result="not_done", why=why or "refused: not today", state=bill.state)
        assert isinstance(effect, effects.MessageRequested)
        return facts.MessageSettled(**head, medium=effect.medium, result="skipped" if why else "sent", why=why)

    def _outcome(self, story: Story) -> Outcome:
        """Of the budgets what the facts tell; an attempt that only a look shows is known when there was a look."""
        row, told_of = story.customer, {fact.charge for fact in self.facts if isinstance(fact, facts.ChargeFailed)}
        assert row is not None
        told: Outcome = {
            case.invoice: (
                case.status,
                STRIPE.get(case.recovered_by, case.recovered_by),
                case.recovered_minor,
                case.reversed_minor,
                case.paid,
            )
            for case in row.cases.values()
        }
        told["budgets"] = tuple(sorted((one.charge, one.fingerprint) for one in row.attempts if one.charge in told_of))
        return told


sets_of_facts = st.tuples(
    st.lists(st.tuples(st.sampled_from(VERBS), st.integers(min_value=0, max_value=1)), min_size=1, max_size=7),
    st.integers(min_value=0, max_value=2**32),
    st.sampled_from((1, 1, 2)),
)


@QUICK
@example(([("attempt", 0), ("renamed", 0), ("renamed", 0)], 15470907, 1), Random(4))
@example(([("attempt", 1), ("part", 1), ("renamed", 1), ("attempt", 0), ("cancels", 1)], 3071966969, 1), Random(13))
@given(sets_of_facts, st.randoms(use_true_random=False))
def test_any_order_and_repetition_between_two_ticks_ends_the_same(given_set: tuple[list[tuple[str, int]], int, int], luck: Random) -> None:
    """B2, B3, B4, B36, B72: status, cause, money (what came and what went back) and budgets of every invoice.

    Which part of it came by which cause is that of the order in which it was told (docs/decisions/).
    """
    minutes = Minutes(*given_set)
    order = minutes.facts + luck.sample(minutes.facts, k=len(minutes.facts) // 2)
    luck.shuffle(order)
    assert minutes.told(order) == minutes.told(minutes.facts), [fact.id for fact in order]

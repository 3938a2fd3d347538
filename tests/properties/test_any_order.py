"""Whatever order, delay and repetition the facts of a customer come in: the promises of the core hold."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recovery.contracts.facts import CustomerChanged, Fact, MethodChanged, PaymentActionRequired, SubscriptionChanged, SubscriptionEnded
from recovery.policy import Budgets, DunningPolicy, RetryPolicy
from tests.properties.simulated_world import World
from tests.support import builders as a
from tests.support.story import Story

INVOICES = ("in_1", "in_2")
QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def _plan(verb: str) -> Callable[..., Fact]:
    return lambda invoice, when, number: a.a_change(f"plan:{verb}:{number}", when, invoice)


HAPPENINGS: dict[str, Callable[..., Fact]] = {
    "fails": _plan("fails"),
    "pays": _plan("pays"),
    "switch": _plan("switch"),
    "changes": lambda invoice, when, number: a.a_change(
        f"evt_c_{number}", when, invoice, state=a.a_state(next_payment_attempt=when + timedelta(hours=6))
    ),
    "authenticate": lambda invoice, when, number: PaymentActionRequired(
        **a.header(f"evt_a_{number}", when, invoice), state=a.a_state(subscription=f"sub_{invoice}")
    ),
    "void": _plan("void"),
    "new_card": lambda invoice, when, number: MethodChanged(
        **a.header(f"evt_m_{number}", when, ""), card=a.MASTERCARD, how="automatically_updated" if number % 2 else "attached"
    ),
    "default": lambda invoice, when, number: CustomerChanged(
        **a.header(f"evt_d_{number}", when, ""), default_method_changed=True, default_method=f"pm_{number}"
    ),
    "pause": lambda invoice, when, number: SubscriptionChanged(
        **a.header(f"evt_h_{number}", when, ""), subscription=a.SUBSCRIPTION, status="past_due", paused=bool(number % 2)
    ),
    "cancel": lambda invoice, when, number: SubscriptionEnded(**a.header(f"evt_s_{number}", when, ""), subscription=a.SUBSCRIPTION),
}
RARE = ("void", "cancel")
happening = st.tuples(
    st.sampled_from([*(name for name in HAPPENINGS if name not in RARE), "fails", "fails", *RARE]),
    st.sampled_from(INVOICES),
    st.integers(min_value=0, max_value=24 * 20),
)
policies = st.builds(
    lambda mode, most, retry, mails, per_invoice: a.a_policy(
        mode,
        retry=RetryPolicy(enabled=retry, max_retries=most, ladder_hours=(24, 72, 144)[:most]),
        dunning=DunningPolicy(enabled=mails),
        budgets=Budgets(per_invoice=per_invoice),
    ),
    st.sampled_from(("act", "act", "act", "observe")),
    st.integers(min_value=1, max_value=3),
    st.sampled_from((True, True, True, False)),
    st.sampled_from((True, True, True, False)),
    st.sampled_from((2, 4, 8)),
)


def play(happenings: list[tuple[str, str, int]], seed: int, policy: object) -> World:
    story = Story(a.an_account(policy))  # type: ignore[arg-type] # built by the strategy above
    world = World(story, Random(seed))
    world.fails("in_1", a.START, 0)
    for number, (name, invoice, hours) in enumerate(happenings, 1):
        world.invoices.setdefault(invoice, world.invoices["in_1"].__class__())
        when = a.at(hours=hours)
        fact = HAPPENINGS[name](invoice, when, number)
        if fact.id.startswith("plan:"):
            world.put(when, fact)
        else:
            world.send(when, fact)
    resumed = SubscriptionChanged(**a.header("evt_resumed", a.at(days=23), ""), subscription=a.SUBSCRIPTION, status="past_due")
    world.put(resumed.occurred_at, resumed)
    world.put(resumed.occurred_at, a.a_change("plan:switch:0", resumed.occurred_at))
    world.run(a.at(days=120))
    return world


@QUICK
@given(st.lists(happening, max_size=8), st.integers(min_value=0, max_value=2**32), policies)
def test_the_promises_hold_in_any_order(happenings: list[tuple[str, str, int]], seed: int, policy: object) -> None:
    # as it goes the world asserts: one effect of a case at a time, none after its end or in a pause,
    # no charge beyond the budget, an event for every fact
    world = play(happenings, seed, policy)
    story = world.story
    assert len(world.ids) == len(set(world.ids)), "an effect id was used twice"
    recovered = Counter(event.invoice for event in story.events if event.event_type == "payment_recovered")
    assert all(times == 1 for times in recovered.values()), "a case was recovered twice"
    for invoice in INVOICES:
        sequence = [event.sequence for event in story.events if event.invoice == invoice and event.sequence]
        assert sequence == list(range(1, len(sequence) + 1)), f"{invoice} has gaps: {sequence}"
    row = story.customer
    assert row is not None or not any(event.event_type == "payment_failed" for event in story.events)
    for case in row.cases.values() if row is not None else ():
        assert not case.active, f"{case.invoice} never ended: {case}"
        assert case.ended_at is not None
        assert case.status == "recovered" or case.ended_at <= case.opened_at + timedelta(days=75)
        if case.invoice in world.told_paid:
            assert case.paid, "money came and nobody counted it"
        assert world.invoices[case.invoice].ours <= story.account.policy.retry.max_retries, "more attempts than the ladder has"
    assert all(truth.payments <= 1 for truth in world.invoices.values())


@QUICK
@given(st.lists(happening, max_size=6), st.integers(min_value=0, max_value=2**32), policies)
def test_a_replay_gives_the_same_effects_and_events(happenings: list[tuple[str, str, int]], seed: int, policy: object) -> None:
    first, second = play(happenings, seed, policy), play(happenings, seed, policy)
    assert first.story.events == second.story.events
    assert first.story.effects == second.story.effects
    assert first.story.row == second.story.row


@QUICK
@given(st.lists(happening, max_size=8), st.integers(min_value=0, max_value=2**32))
def test_no_customer_gets_two_mails_within_twenty_hours(happenings: list[tuple[str, str, int]], seed: int) -> None:
    world = play(happenings, seed, a.a_policy())
    asked = sorted(effect.occurred_at for effect in world.story.mails())
    skipped = {event.effect for event in world.story.events if event.event_type == "dunning_skipped"}
    sent = [effect for effect in world.story.mails() if effect.id not in skipped and effect.id not in world.withdrawn]
    times = sorted(effect.occurred_at for effect in sent)
    assert all(later - earlier >= timedelta(hours=20) for earlier, later in pairwise(times)), asked

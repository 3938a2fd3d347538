"""Commands, offers, experiments and drafts in any order, late and repeated: the promises of the core hold all the same."""

from datetime import timedelta
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recovery.contracts.customer import Account
from recovery.contracts.effects import ChargeRequested, Effect, MessageRequested, RetryTimesRequested
from recovery.contracts.facts import (
    CustomerChanged,
    ExcludeRequested,
    Fact,
    ResumeRequested,
    RetryRequested,
    RetryTimesOffered,
    Slot,
    SnoozeRequested,
    StopRequested,
)
from recovery.decide.handlers import commands
from recovery.policy import Experiment, Policy, RetryPolicy
from tests.properties.simulated_world import World
from tests.support import builders as a
from tests.support.story import Story

INVOICES = ("in_1", "in_2")
QUICK = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
WHO = {"who": "dana"}


class Office(World):
    """The world with people who ask and a model that offers."""

    def __init__(self, story: Story, luck: Random) -> None:
        super().__init__(story, luck)
        self.by_hand, self.before = 0, 0

    def _tell(self, fact: Fact) -> None:
        self.before, waited = len(self.story.events), dict(self.outstanding)
        super()._tell(fact)
        new = self.story.events[self.before :]
        for invoice in self._reopened():  # also where nothing is asked for yet, as somebody has snoozed it meanwhile
            self.ended.discard(invoice)
            if self.outstanding.get(invoice) == waited.get(invoice):
                self.outstanding.pop(invoice, None)
        self.by_hand += sum(event.event_type == "command_accepted" and event.reason == "retry_requested" for event in new)

    def _reopened(self) -> set[str]:
        new = self.story.events[self.before :]
        return {event.invoice for event in new if (event.event_type, event.reason) == ("case_updated", "resume_requested")}

    def _asked(self, effect: Effect) -> None:
        row = self.story.customer
        again = self._reopened()
        self.ended -= again
        for invoice in again:  # a look that was under way when the case was closed is not waited for
            self.outstanding.pop(invoice, None)
        if isinstance(effect, RetryTimesRequested):
            self.ids.append(effect.id)
            if self.luck.random() < 0.7:
                self.send(self.story.now, self._offer(effect))
            return
        if isinstance(effect, ChargeRequested | MessageRequested) and row is not None and getattr(effect, "step", 1):
            hold = commands.hold_of(row, effect.invoice, self.story.now)
            assert hold is None, f"{effect.id} was asked for though {hold}"
            assert row.arm != "holdout", f"{effect.id} was asked for a customer who is held out"
        super()._asked(effect)

    def _offer(self, effect: RetryTimesRequested) -> RetryTimesOffered:
        slots = tuple(Slot(at=effect.earliest + timedelta(hours=self.luck.choice((-5, 0, 1, 12, 30, 90, 400)))) for _ in range(3))
        told = a.header(f"{effect.id}:offer", self.story.now, effect.invoice)
        return RetryTimesOffered(**told, slots=slots, source="model", attempt=effect.attempt, request=effect.id)


def asked(kind: type[Any], number: int, hours: int, invoice: str, **fields: Any) -> Any:
    return kind(**a.header(f"evt_{kind.__name__}_{number}", a.at(hours=hours), invoice), **WHO, **fields)


def happen(world: World, name: str, invoice: str, hours: int, number: int) -> None:
    when = a.at(hours=hours)
    world.invoices.setdefault(invoice, type(world.invoices["in_1"])())
    some = invoice if number % 2 else ""
    made: dict[str, Any] = {
        "retry": lambda: asked(RetryRequested, number, hours, invoice),
        "stop": lambda: asked(StopRequested, number, hours, some),
        "snooze": lambda: asked(SnoozeRequested, number, hours, some, until=when + timedelta(hours=number * 17 % 300)),
        "exclude": lambda: asked(ExcludeRequested, number, hours, "", until=when + timedelta(days=number) if number % 3 else None),
        "resume": lambda: asked(ResumeRequested, number, hours, some),
        "offer": lambda: RetryTimesOffered(
            **a.header(f"evt_o_{number}", when, invoice),
            slots=(Slot(at=when + timedelta(hours=7)),),
            source="model",
            attempt=1 + number % 3,
        ),
        "card": lambda: CustomerChanged(
            **a.header(f"evt_m_{number}", when, ""), default_method_changed=True, default_method=f"pm_{number}"
        ),
    }
    if name in made:
        world.send(when, made[name]())
    else:
        world.put(when, a.a_change(f"plan:{name}:{number}", when, invoice))


happening = st.tuples(
    st.sampled_from(
        ("retry", "retry", "stop", "snooze", "snooze", "exclude", "resume", "resume", "offer", "card", "fails", "fails", "pays")
    ),
    st.sampled_from(INVOICES),
    st.integers(min_value=0, max_value=24 * 20),
)
policies = st.builds(
    lambda arm, ask: a.a_policy(experiment=arm, retry=RetryPolicy(use_models=ask)),
    st.sampled_from((Experiment(), Experiment(), Experiment(holdout_share=0.5, explore_share=0.5, salt="a"), Experiment(0.5, 0.5, "s1"))),
    st.booleans(),
)


def play(happenings: list[tuple[str, str, int]], seed: int, account: Account) -> Office:
    world = Office(Story(account), Random(seed))
    world.fails("in_1", a.START, 0)
    for number, (name, invoice, hours) in enumerate(happenings, 1):
        happen(world, name, invoice, hours, number)
    world.run(a.at(days=160))
    return world


@QUICK
@given(st.lists(happening, max_size=8), st.integers(min_value=0, max_value=2**32), policies)
def test_no_command_and_no_offer_breaks_a_promise(happenings: list[tuple[str, str, int]], seed: int, policy: Policy) -> None:
    """B39, B60, B77, B87; the world itself asserts: nothing is asked for under a hold, after the end, beyond a budget, or twice at once."""
    world = play(happenings, seed, a.an_account(policy))
    assert len(world.ids) == len(set(world.ids)), "an effect id was used twice"
    for invoice in INVOICES:
        sequence = [event.sequence for event in world.story.events if event.invoice == invoice and event.sequence]
        assert sequence == list(range(1, len(sequence) + 1)), f"{invoice} has gaps: {sequence}"
    row = world.story.customer
    for case in row.cases.values() if row is not None else ():
        assert not case.active, f"{case.invoice} never ended: {case}"
    ours = sum(truth.ours for truth in world.invoices.values())
    assert ours <= policy.retry.max_retries * len(INVOICES) + world.by_hand
    assert all(truth.payments <= 1 for truth in world.invoices.values())


@QUICK
@given(st.lists(happening, max_size=6), st.integers(min_value=0, max_value=2**32))
def test_a_draft_changes_nothing(happenings: list[tuple[str, str, int]], seed: int) -> None:
    """F66."""
    draft = a.a_policy("observe", retry=RetryPolicy(max_retries=2, ladder_hours=(5, 30)))
    plain = play(happenings, seed, a.an_account())
    shadowed = play(happenings, seed, Account(policy_version=1, policy=a.a_policy(), draft=draft))
    assert shadowed.story.effects == plain.story.effects
    assert [event.event_type for event in shadowed.story.events if event.event_type != "shadow_decision_differed"] == plain.story.types()

"""Bounces, complaints, wishes, consents, refunds and end actions in any order, late and repeated: nobody is written to who must not be."""

from collections import Counter
from datetime import timedelta
from itertools import pairwise
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recovery.contracts.effects import Effect, MessageRequested, ReadRequested, SubscriptionEndRequested
from recovery.contracts.facts import (
    ChargeRead,
    ChargeRefunded,
    ConsentGiven,
    ConsentWithdrawn,
    ContactAllowed,
    ContactSuppressed,
    CustomerChanged,
    Fact,
    MessageBounced,
    MessageComplained,
    SubscriptionEnded,
    SubscriptionEndSettled,
)
from recovery.decide.rules import attribution_audit, contactability
from recovery.policy import ContactPolicy, DunningPolicy, EndPolicy, Policy, SmsPolicy
from tests.properties.simulated_world import World
from tests.support import builders as a
from tests.support.story import Story

INVOICES = ("in_1", "in_2", "in_3")
MONTH = timedelta(days=30)
QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class Household(World):
    """The world of a customer with a mailbox, a telephone, a bank and a merchant who ends what stays unpaid."""

    def _asked(self, effect: Effect) -> None:
        row, story = self.story.customer, self.story
        if isinstance(effect, SubscriptionEndRequested) or (isinstance(effect, ReadRequested) and effect.what == "charge"):
            self.ids.append(effect.id)
            looks = isinstance(effect, ReadRequested)  # money that goes back is counted in a pause too
            assert looks or not story.account.paused, f"{effect.id} was asked for in a pause"
            self.put(story.now + timedelta(minutes=self.luck.choice((0, 30, 900))), effect)
            return
        if isinstance(effect, MessageRequested):
            assert row is not None
            why = contactability.suppressed(row.contact, effect.medium, story.account.policy)
            assert not why, f"{effect.id} was asked for though {why}"
            if effect.medium == "sms":
                assert contactability.sms(row.contact, story.now, story.account.policy, "US") == contactability.Allowed(), (
                    f"{effect.id} comes at night"
                )
        super()._asked(effect)

    def _perform(self, effect: Effect) -> None:
        now = self.story.now
        if isinstance(effect, SubscriptionEndRequested):
            truth = self.invoices[effect.invoice]
            told: dict[str, Any] = a.header(f"{effect.id}:outcome", now, effect.invoice) | {"effect": effect.id, "action": effect.action}
            done = truth.status == "open"
            self.send(now, SubscriptionEndSettled(**told, result="done" if done else "not_done", why="" if done else "already_paid"))
            if done and effect.action == "cancel":
                self.send(now, SubscriptionEnded(**a.header(f"{effect.id}:evt", now, ""), subscription=effect.subscription))
        elif isinstance(effect, ReadRequested) and effect.what == "charge":
            told = a.header(f"{effect.id}:outcome", now, self.luck.choice((*INVOICES, "")))
            charge = ChargeRead(**told, effect=effect.id, charge=effect.object, amount_minor=4900, amount_refunded=900, currency="eur")
            self.send(now, charge)
        else:
            super()._perform(effect)


def _fact(kind: Any, **fields: Any) -> Any:
    return lambda when, number: kind(**a.header(f"{kind.__name__}_{number}", when, ""), **fields)


TOLD: dict[str, Any] = {
    "bounced": _fact(MessageBounced, hard=True),
    "complained": _fact(MessageComplained),
    "unsubscribed": _fact(ContactSuppressed, medium="email", why="unsubscribed", who="customer"),
    "silent": _fact(ContactSuppressed, who="dana"),
    "allowed": _fact(ContactAllowed, who="dana"),
    "moved": _fact(CustomerChanged, email_changed=True),
    "agreed": _fact(ConsentGiven, proof="form", zone="America/Denver"),
    "agreed somewhere": _fact(ConsentGiven, proof="form"),
    "stop": _fact(ConsentWithdrawn),
    "refund": _fact(ChargeRefunded, charge="ch_paid_in_1", amount_refunded=900, currency="eur"),
}
happening = st.tuples(
    st.sampled_from((*TOLD, "fails", "fails", "fails", "fails", "pays", "void", "switch")),
    st.sampled_from(INVOICES),
    st.integers(min_value=0, max_value=24 * 20),
)
policies = st.builds(
    lambda action, texts, mails, gap, most, honour: a.a_policy(
        end=EndPolicy(action=action),
        sms=SmsPolicy(enabled=texts),
        dunning=DunningPolicy(enabled=mails),
        contact=ContactPolicy(min_hours_between=gap, max_per_30_days=most, honour_unsubscribe=honour),
    ),
    st.sampled_from(("none", "cancel", "unpaid", "uncollectible")),
    st.booleans(),
    st.sampled_from((True, True, True, False)),
    st.sampled_from((6, 20, 60)),
    st.sampled_from((1, 3, 8)),
    st.booleans(),
)


@QUICK
@given(st.lists(happening, max_size=10), st.integers(min_value=0, max_value=2**32), policies)
def test_who_must_not_be_written_to_is_not_and_every_case_ends(happenings: list[tuple[str, str, int]], seed: int, policy: Policy) -> None:
    """B15, B18, B40, B47, B48, B52 to B54, B60, B73; F60."""
    world = Household(Story(a.an_account(policy)), Random(seed))
    world.fails("in_1", a.START, 0)
    for number, (name, invoice, hours) in enumerate(happenings, 1):
        world.invoices.setdefault(invoice, world.invoices["in_1"].__class__())
        when = a.at(hours=hours)
        if name in TOLD:
            world.send(when, TOLD[name](when, number))
        else:
            world.put(when, a.a_change(f"plan:{name}:{number}", when, invoice))
    world.put(a.at(days=23), a.a_change("plan:switch:0", a.at(days=23)))
    world.run(a.at(days=150))
    _look_back(world)


def _look_back(world: World) -> None:
    story, policy = world.story, world.story.account.policy
    assert len(world.ids) == len(set(world.ids)), "an effect id was used twice"
    assert attribution_audit.problems(story.events) == []
    for case in story.customer.cases.values() if story.customer is not None else ():
        assert not case.active, f"{case.invoice} never ended: {case}"
    unsent = {event.effect for event in story.events if event.event_type == "dunning_skipped" and event.result in {"skipped", "failed"}}
    times = sorted(mail.occurred_at for mail in story.mails() if mail.id not in unsent and mail.id not in world.withdrawn)
    gap = timedelta(hours=policy.contact.min_hours_between)
    assert all(later - earlier >= gap for earlier, later in pairwise(times)), times
    most = policy.contact.max_per_30_days
    assert all(later - earlier >= MONTH for earlier, later in zip(times, times[most:], strict=False)), times
    ends = Counter((end.action, end.subscription) for end in story.effects if isinstance(end, SubscriptionEndRequested))
    assert all(number == 1 for (action, _), number in ends.items() if action != "uncollectible"), ends
    thanked = Counter(effect.invoice for effect in story.messages() if effect.template == "payment_recovered")
    assert all(number == 1 for number in thanked.values())


def test_facts_are_told_under_different_ids() -> None:
    assert all(isinstance(make(a.START, 1), Fact) for make in TOLD.values())

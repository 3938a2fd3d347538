"""Policies as merchants might write them, drawn by lot: strict and lax, with every part of the product switched on somewhere."""

from random import Random

from recovery.contracts.customer import Account
from recovery.policy import (
    Budgets,
    ContactPolicy,
    DunningPolicy,
    EndPolicy,
    Experiment,
    Policy,
    PreventionPolicy,
    RetryPolicy,
    SmsPolicy,
    problems,
)

LADDERS = ((24,), (24, 72), (24, 72, 144), (24, 72, 144, 216, 312), (1, 2, 3, 4, 5), (6, 30, 300), (2, 700))


def draw(luck: Random) -> Policy:
    """A policy that may be published."""
    ladder = luck.choice(LADDERS)
    policy = Policy(
        mode=luck.choice(("act",) * 9 + ("observe",)),
        one_off_invoices=luck.random() < 0.3,
        test_first_invoices=luck.random() < 0.3,
        retry=RetryPolicy(
            enabled=luck.random() < 0.92,
            max_retries=len(ladder),
            ladder_hours=ladder,
            window_days=luck.choice((1, 3, 14, 14, 60)),
            stripe_gap_hours=luck.choice((0, 1, 12, 12, 48)),
            mode=luck.choice(("predictive", "fixed")),
            use_models=luck.random() < 0.3,
        ),
        dunning=DunningPolicy(enabled=luck.random() < 0.9, abandon_after_days=luck.choice((1, 7, 30))),
        contact=ContactPolicy(
            min_hours_between=luck.choice((1, 20, 20, 72)),
            max_per_30_days=luck.choice((1, 3, 8)),
            sms_from_hour=luck.choice((8, 9)),
            sms_until_hour=luck.choice((20, 21)),
            honour_unsubscribe=luck.random() < 0.7,
            confirm_recovery=luck.random() < 0.7,
        ),
        sms=SmsPolicy(enabled=luck.random() < 0.3),
        prevention=PreventionPolicy(enabled=luck.random() < 0.6),
        end=EndPolicy(action=luck.choice(("none", "none", "cancel", "unpaid", "uncollectible"))),
        budgets=Budgets(
            per_invoice=luck.choice((1, 3, 6, 8, 8)),
            visa_30_days=luck.choice((3, 5, 15)),
            mastercard_24_hours=luck.choice((1, 2, 10)),
            mastercard_30_days=luck.choice((3, 6, 35)),
            other_30_days=luck.choice((2, 4, 15)),
        ),
        experiment=_experiment(luck),
        decline_overrides=luck.choice(({}, {}, {"generic_decline": "soft"}, {"insufficient_funds": "hard"})),
    )
    return policy if not problems(policy) else draw(luck)


def account(luck: Random, number: int, *, paused: bool = False) -> Account:
    """An account under such a policy, now and then with a draft beside it."""
    return Account(policy_version=number, policy=draw(luck), paused=paused, draft=draw(luck) if luck.random() < 0.1 else None)


def _experiment(luck: Random) -> Experiment:
    if luck.random() < 0.8:
        return Experiment()
    return Experiment(holdout_share=luck.choice((0.0, 0.2, 0.5)), explore_share=luck.choice((0.0, 0.3)), salt=f"salt-{luck.randrange(3)}")

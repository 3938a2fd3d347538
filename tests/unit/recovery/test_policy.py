"""A policy has safe defaults, is read whole or not at all, and its problems are told in words."""

import pytest

from recovery.policy import OBSERVE, Budgets, DunningPolicy, Experiment, Policy, RetryPolicy, from_toml, problems, to_toml
from recovery.policy_versions import Version, diff, rolled_back


def test_without_a_policy_nothing_is_done():
    assert OBSERVE.mode == "observe"
    assert not OBSERVE.livemode
    assert problems(OBSERVE) == []


def test_a_policy_survives_its_own_toml():
    policy = Policy(mode="act", retry=RetryPolicy(max_retries=2, ladder_hours=(1, 720)), decline_overrides={"do_not_honor": "soft"})
    assert from_toml(to_toml(policy)) == policy


@pytest.mark.parametrize(
    "text", ["mode = 'charge'", "modus = 'act'", "[retry]\nmax_retires = 3", "[retry]\nmax_retries = 'three'", "mode ="]
)
def test_an_unknown_or_wrong_setting_is_refused(text):
    with pytest.raises(ValueError, match=r"docs/policy\.md"):
        from_toml(text)


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (Policy(retry=RetryPolicy(max_retries=0, ladder_hours=())), "max_retries is 0"),
        (Policy(retry=RetryPolicy(max_retries=6, ladder_hours=(1, 2, 3, 4, 5, 6))), "max_retries is 6"),
        (Policy(retry=RetryPolicy(max_retries=2)), "names 3 times for 2"),
        (Policy(retry=RetryPolicy(ladder_hours=(0, 1, 2))), "between 1 and 720"),
        (Policy(retry=RetryPolicy(ladder_hours=(1, 2, 721))), "between 1 and 720"),
        (Policy(retry=RetryPolicy(ladder_hours=(2, 2, 3))), "rise strictly"),
        (Policy(retry=RetryPolicy(window_days=0)), "window_days"),
        (Policy(retry=RetryPolicy(window_days=61)), "window_days"),
        (Policy(retry=RetryPolicy(stripe_gap_hours=-1)), "stripe_gap_hours"),
        (Policy(dunning=DunningPolicy(abandon_after_days=0)), "abandon_after_days"),
        (Policy(budgets=Budgets(visa_30_days=0)), "budget"),
        (Policy(decline_overrides={"do_not_honor": "retry"}), "do_not_honor"),
        (Policy(retry=RetryPolicy(ladder_hours=(24, 72, 400))), "outside retry.window_days"),
        (Policy(retry=RetryPolicy(stripe_gap_hours=73)), "stripe_gap_hours"),
        (Policy(retry=RetryPolicy(mode="fixed", use_models=True)), "custom hours are fixed"),
        (Policy(retry=RetryPolicy(ladder_hours=(1, 2, 3), use_models=True)), "custom hours are fixed"),
        (Policy(budgets=Budgets(visa_30_days=21)), "allows 20"),
        (Policy(budgets=Budgets(mastercard_24_hours=11)), "allows 10"),
        (Policy(budgets=Budgets(mastercard_30_days=36)), "allows 35"),
        (Policy(experiment=Experiment(holdout_share=0.6, salt="a")), "holdout_share is 0.6"),
        (Policy(experiment=Experiment(explore_share=-0.1, salt="a")), "explore_share is -0.1"),
        (Policy(experiment=Experiment(holdout_share=0.1)), "salt is empty"),
    ],
)
def test_each_problem_is_told_in_words(policy, words):
    [problem] = problems(policy)
    assert words in problem


@pytest.mark.parametrize("retries", [1, 5])
def test_one_to_five_retries_are_allowed(retries):
    assert problems(Policy(retry=RetryPolicy(max_retries=retries, ladder_hours=tuple(range(1, retries + 1))))) == []


def test_custom_hours_are_fixed_hours():
    """Product decision 1."""
    assert RetryPolicy().predictive
    assert RetryPolicy(max_retries=5, ladder_hours=(24, 72, 144, 216, 312)).predictive
    assert not RetryPolicy(ladder_hours=(24, 72, 143)).predictive
    assert not RetryPolicy(mode="fixed").predictive


def test_a_difference_is_told_setting_by_setting():
    new = Policy(
        mode="act", retry=RetryPolicy(enabled=False, max_retries=1, ladder_hours=(24,)), decline_overrides={"do_not_honor": "soft"}
    )
    assert diff(OBSERVE, new) == [
        "mode: observe becomes act.",
        "retry.enabled: on becomes off.",
        "retry.max_retries: 3 becomes 1.",
        "retry.ladder_hours: 24, 72, 144 becomes 24.",
        "decline_overrides.do_not_honor: nothing becomes soft.",
    ]
    assert diff(new, new) == []


def test_a_roll_back_is_the_older_content_under_the_next_number():
    """F66: numbers only rise, so that a decision's number always names one content."""
    history = [Version(1, OBSERVE), Version(2, Policy(mode="act"))]
    assert rolled_back(history, 1, "ada") == Version(3, OBSERVE, "ada", "back to version 1")
    with pytest.raises(LookupError, match=r"no version 7.*1, 2"):
        rolled_back(history, 7, "ada")

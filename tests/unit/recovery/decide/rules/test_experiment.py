"""Who is left alone: drawn before anything is done, kept, told. They get no charge and no mail of ours, while all else goes on."""

from recovery.contracts.customer import Account
from recovery.decide.rules import experiment as holdout
from recovery.policy import Experiment, Policy
from tests.support import builders as a
from tests.support.story import Story


def experiment(arm: str, **shares: float) -> Experiment:
    """An experiment in which the customer of the stories falls into this arm."""
    tries = (Experiment(**({"holdout_share": 0.3, "explore_share": 0.3} | shares), salt=f"s{n}") for n in range(99))
    return next(one for one in tries if holdout.draw(one, a.ACCOUNT, a.CUSTOMER)[0] == arm)


def an_account(arm: str) -> Account:
    return a.an_account(a.a_policy(experiment=experiment(arm)))


def test_a_held_out_customer_gets_no_charge_and_no_mail_and_the_case_ends_like_any_other() -> None:
    """B77: reading and classification go on; every retry and mail not made is told (F61)."""
    story = Story(an_account("holdout")).opened()
    story.days(60)
    assert not story.charges() + story.mails()
    assert story.reads()
    assert story.last("decline_classified").decline_kind == "soft"
    skipped = [event for event in story.events if event.event_type == "retry_skipped"]
    assert [(event.reason, event.occurred_at, event.details["would"]) for event in skipped] == [
        ("holdout", a.at(hours=hours), f"ladder_{n}") for n, hours in enumerate((24, 72, 144), 1)
    ]
    assert [event.reason for event in story.events if event.event_type == "dunning_skipped"] == ["holdout"] * 3
    assert (story.case().status, story.case().retry_count) == ("abandoned", 0)


def test_what_stripe_and_the_customer_do_still_counts() -> None:
    """B77: the held out still get whatever the merchant had before."""
    story = Story(an_account("holdout")).opened()
    story.tell(a.a_payment(when=a.at(days=3)))
    assert story.last("payment_recovered").recovered_by == "stripe_retry"


def test_the_arm_and_its_propensity_are_told_before_anything_is_done() -> None:
    """B77, B85."""
    story = Story(an_account("holdout"))
    story.tell(a.a_failure())
    told = story.events[0]
    assert told.event_type == "payment_failed"
    assert (told.details["arm"], told.details["propensity"]) == ("holdout", "0.3")
    assert story.customer is not None
    assert (story.customer.arm, story.customer.propensity) == ("holdout", 0.3)


def test_the_treated_are_treated_and_marked() -> None:
    story = Story(an_account("treated")).opened()
    scheduled = story.last("retry_scheduled")
    assert (scheduled.details["arm"], scheduled.details["propensity"]) == ("treated", "0.4")
    story.days(1)
    assert story.charges()


def test_without_an_experiment_nobody_is_marked() -> None:
    story = Story().opened()
    assert all("arm" not in event.details for event in story.events)


def test_the_draw_keeps_its_shares_and_a_larger_share_keeps_everybody() -> None:
    """B77: salted hash, sticky."""
    small, large = Experiment(holdout_share=0.1, explore_share=0.05, salt="x"), Experiment(holdout_share=0.2, explore_share=0.1, salt="x")
    customers = [f"cus_{n}" for n in range(4000)]
    drawn = {arm: {name for name in customers if holdout.draw(small, "acct", name)[0] == arm} for arm in ("holdout", "explore")}
    assert 0.08 < len(drawn["holdout"]) / len(customers) < 0.12
    assert 0.035 < len(drawn["explore"]) / len(customers) < 0.065
    for arm, names in drawn.items():
        assert all(holdout.draw(large, "acct", name)[0] == arm for name in names)
    other = {name for name in customers if holdout.draw(Experiment(holdout_share=0.1, salt="y"), "acct", name)[0] == "holdout"}
    assert len(other & drawn["holdout"]) < 80


def test_the_propensities_of_the_arms_sum_to_one() -> None:
    shares = [holdout.draw(experiment(arm), a.ACCOUNT, a.CUSTOMER)[1] for arm in ("holdout", "explore", "treated")]
    assert abs(sum(shares) - 1) < 1e-9


def test_an_experiment_begun_in_the_middle_of_a_case_changes_nothing_for_it() -> None:
    """B77: decided before any action."""
    story = Story().opened()
    story.account = an_account("holdout")
    story.tell(a.a_failure("evt_2", a.at(hours=1), "in_2"))
    story.days(1.1)
    assert [charge.invoice for charge in story.charges()] == [a.INVOICE]


def test_the_arm_stays_for_the_customers_next_invoice_though_the_shares_change() -> None:
    story = Story(an_account("holdout")).opened()
    story.tell(a.a_payment(when=a.at(days=1)))
    changed = Policy(mode="act", experiment=Experiment(holdout_share=0.01, salt=story.account.policy.experiment.salt))
    story.account = a.an_account(changed)
    story.tell(a.a_failure("evt_2", a.at(days=2), "in_2"))
    assert story.last("payment_failed").details["arm"] == "holdout"


def test_the_end_of_the_experiment_ends_the_holding_out() -> None:
    story = Story(an_account("holdout")).opened()
    story.account = a.an_account()
    story.days(1)
    assert story.charges()


def test_a_required_notice_is_never_held_out() -> None:
    """B77: never hold out legally required notices."""
    row = a.a_customer(arm="holdout")
    policy = a.a_policy(experiment=Experiment(holdout_share=0.5, salt="s"))
    assert holdout.held_out(row, policy)
    assert not holdout.held_out(row, policy, "cancelled_for_non_payment")


def test_the_borders_of_the_arms_are_told_apart() -> None:
    """Everybody has exactly one arm: below the share is held out, from one minus the other share on explores."""
    place = holdout.unit(f"x/{a.ACCOUNT}/{a.CUSTOMER}")

    def arm(**shares: float) -> str:
        return holdout.draw(Experiment(**shares, salt="x"), a.ACCOUNT, a.CUSTOMER)[0]

    assert arm(holdout_share=place) == "treated"
    assert arm(holdout_share=place + 1e-9) == "holdout"
    assert arm(explore_share=1 - place) == "explore"
    assert arm(explore_share=1 - place - 1e-9) == "treated"


def test_another_salt_draws_again_when_no_case_is_open() -> None:
    story = Story(an_account("holdout")).opened()
    story.tell(a.a_payment(when=a.at(days=1)))
    other = next(
        one for one in (Experiment(0.3, 0.3, f"t{n}") for n in range(99)) if holdout.draw(one, a.ACCOUNT, a.CUSTOMER)[0] == "treated"
    )
    story.account = a.an_account(a.a_policy(experiment=other))
    story.tell(a.a_failure("evt_2", a.at(days=2), "in_2"))
    assert story.last("payment_failed").details["arm"] == "treated"
    assert story.last("payment_failed").details["experiment"] == other.salt


def test_the_end_of_the_exploring_brings_the_ladder_back() -> None:
    row = a.a_customer(arm="explore")
    assert holdout.explores(row, a.a_policy(experiment=Experiment(explore_share=0.1, salt="s")))
    assert not holdout.explores(row, a.a_policy(experiment=Experiment(holdout_share=0.1, salt="s")))
    assert not holdout.explores(a.a_customer(arm="treated"), a.a_policy(experiment=Experiment(explore_share=0.1, salt="s")))


def test_without_an_experiment_everybody_is_treated_for_certain():
    """B77."""
    assert holdout.draw(Experiment(), a.ACCOUNT, a.CUSTOMER) == ("treated", 1.0)
    arm, propensity = holdout.draw(Experiment(holdout_share=0.25, explore_share=0.25, salt="s"), a.ACCOUNT, a.CUSTOMER)
    assert propensity == (0.5 if arm == "treated" else 0.25)

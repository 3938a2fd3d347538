"""Who is left alone and who is tried at random times, drawn before anything is done, so that the difference can be measured (B77)."""

from hashlib import sha256
from typing import Literal

from recovery.contracts.customer import Customer
from recovery.policy import Experiment, Policy

Arm = Literal["treated", "holdout", "explore"]

REQUIRED: frozenset[str] = frozenset({"cancelled_for_non_payment"})
"""Templates that go out to everybody: the law or the contract demands the notice, so no experiment may hold it back."""


def unit(text: str) -> float:
    """A number from 0 up to 1 that only depends on the text, evenly spread over texts."""
    return int.from_bytes(sha256(text.encode()).digest()[:8], "big") / 2.0**64


def draw(experiment: Experiment, account: str, customer: str) -> tuple[Arm, float]:
    """The customer's arm and the probability with which it was drawn; a larger share keeps everybody who was in the smaller one."""
    held, tried = experiment.holdout_share, experiment.explore_share
    if not held and not tried:
        return "treated", 1.0
    place = unit(f"{experiment.salt}/{account}/{customer}")
    if place < held:
        return "holdout", held
    return ("explore", tried) if place >= 1 - tried else ("treated", 1 - held - tried)


def assign(row: Customer, policy: Policy) -> None:
    """Draw the arm of a customer whose first case opens. Kept while we remember the customer; another salt draws again, never mid-case."""
    drawn = row.arm and row.salt == policy.experiment.salt
    if drawn or any(case.active for case in row.cases.values()):
        return
    row.arm, row.propensity = draw(policy.experiment, row.account, row.customer)
    row.salt = policy.experiment.salt


def held_out(row: Customer, policy: Policy, template: str = "") -> bool:
    """Whether the customer gets nothing of ours; a notice that is required is never held back. Over as soon as the experiment is."""
    return row.arm == "holdout" and policy.experiment.holdout_share > 0 and template not in REQUIRED


def explores(row: Customer, policy: Policy) -> bool:
    """Whether the customer's retries are made at times drawn by lot."""
    return row.arm == "explore" and policy.experiment.explore_share > 0


def marks(row: Customer, policy: Policy) -> dict[str, str]:
    """What a decision says of the experiment: the arm and its propensity; nothing where none runs."""
    experiment = policy.experiment
    if not row.arm or not (experiment.holdout_share or experiment.explore_share):
        return {}
    return {"arm": row.arm, "propensity": f"{row.propensity:g}", "experiment": row.salt}

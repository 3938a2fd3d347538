"""A tenant's policy: one frozen document of what may be done, with defaults, TOML in and out, and its problems in words."""

from itertools import pairwise
from typing import Any

import msgspec

from recovery.vocabulary import Mode

HARD_LADDER_LIMIT = 5
"""No ladder has more than five retries (F11)."""

DUNNING_DAYS = (0, 3, 7)
"""The three mails, in days from the start of dunning; cannot be changed (product decision 28)."""

DEFAULT_LADDER = (24, 72, 144, 216, 312)
"""Hours of retries 1 to 5 after the first failure; the default policy uses the first three (product decision 28)."""


class RetryPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When failed payments are tried again."""

    enabled: bool = True
    max_retries: int = 3
    ladder_hours: tuple[int, ...] = DEFAULT_LADDER[:3]
    window_days: int = 14
    stripe_gap_hours: int = 12


class DunningPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether the customer is written to, and how long after the last mail a case is given up (product decision 20)."""

    enabled: bool = True
    abandon_after_days: int = 7


class Budgets(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Attempts allowed on one card by all actors together (product decision 10)."""

    per_invoice: int = 8
    visa_30_days: int = 15
    mastercard_24_hours: int = 10
    mastercard_30_days: int = 35
    other_30_days: int = 15


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All settings of one account that a decision may depend on. The defaults are the product's; `mode` is safe (product decision 39)."""

    mode: Mode = "observe"
    livemode: bool = False
    one_off_invoices: bool = False
    retry: RetryPolicy = RetryPolicy()
    dunning: DunningPolicy = DunningPolicy()
    budgets: Budgets = Budgets()
    decline_overrides: dict[str, str] = {}


OBSERVE = Policy()
"""What holds for an account that has no policy yet: record, act on nothing (architecture 1)."""


def from_toml(text: str) -> Policy:
    """The policy in a TOML document; missing settings have their defaults.

    Raises:
        ValueError: the text is not TOML, or a setting is unknown or of the wrong type; the message names it.

    """
    try:
        return msgspec.toml.decode(text, type=Policy)
    except msgspec.DecodeError as error:
        raise ValueError(f"The policy cannot be read: {error}. Compare it with docs/policy.md.") from error


def from_mapping(data: dict[str, Any]) -> Policy:
    """The policy in a parsed table, such as `[tenant.policy]` of tenants.toml. Raises ValueError as `from_toml` does."""
    try:
        return msgspec.convert(data, type=Policy)
    except msgspec.ValidationError as error:
        raise ValueError(f"The policy cannot be read: {error}. Compare it with docs/policy.md.") from error


def to_toml(policy: Policy) -> str:
    """The policy as a TOML document with every setting written out."""
    return msgspec.toml.encode(policy).decode()


def problems(policy: Policy) -> list[str]:
    """What is wrong with a policy, in sentences for the person who wrote it; empty when it can be published."""
    found: list[str] = []
    retry, hours = policy.retry, policy.retry.ladder_hours
    if not 1 <= retry.max_retries <= HARD_LADDER_LIMIT:
        found.append(f"retry.max_retries is {retry.max_retries}; choose 1 to {HARD_LADDER_LIMIT}.")
    if len(hours) != retry.max_retries:
        found.append(f"retry.ladder_hours names {len(hours)} times for {retry.max_retries} retries; give one time each.")
    if any(not 1 <= hour <= 720 for hour in hours):
        found.append("retry.ladder_hours must lie between 1 and 720 hours after the first failure.")
    if any(later <= earlier for earlier, later in pairwise(hours)):
        found.append("retry.ladder_hours must rise strictly.")
    if not 1 <= retry.window_days <= 60:
        found.append("retry.window_days must lie between 1 and 60.")
    if retry.stripe_gap_hours < 0:
        found.append("retry.stripe_gap_hours cannot be negative.")
    if policy.dunning.abandon_after_days < 1:
        found.append("dunning.abandon_after_days must be at least 1.")
    if min(msgspec.structs.astuple(policy.budgets)) < 1:
        found.append("Every budget must allow at least 1 attempt.")
    for code, kind in policy.decline_overrides.items():
        if kind not in {"soft", "hard", "fraud", "needs_auth"}:
            found.append(f"decline_overrides.{code} is {kind!r}; choose soft, hard, fraud or needs_auth.")
    return found

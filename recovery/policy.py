"""A tenant's policy: one frozen document of what may be done, with defaults, TOML in and out, and its problems in words."""

from itertools import pairwise
from typing import Literal, get_args

import msgspec

from recovery.notification_policy import AlertPolicy, endpoint_problems
from recovery.vocabulary import DeclineKind, Mode

RetryMode = Literal["predictive", "fixed"]
"""Whether offered times may replace those of the ladder."""

HARD_LADDER_LIMIT = 5
"""No ladder has more than five retries."""

DUNNING_DAYS = (0, 3, 7)
"""The three mails, in days from the start of dunning; cannot be changed."""

DEFAULT_LADDER = (24, 72, 144, 216, 312)
"""Hours of retries 1 to 5 after the first failure; the default policy uses the first three."""


MOST_HELD_OUT = 0.5
"""No experiment takes more than half of the customers."""

NETWORK_LIMITS: dict[str, int] = {"visa_30_days": 20, "mastercard_24_hours": 10, "mastercard_30_days": 35}
"""What the card networks allow today (2.2); a policy may be stricter, never looser (B87)."""


class RetryPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When failed payments are tried again. Custom hours are a fixed ladder, whatever `mode` says."""

    enabled: bool = True
    max_retries: int = 3
    ladder_hours: tuple[int, ...] = DEFAULT_LADDER[:3]
    window_days: int = 14
    stripe_gap_hours: int = 12
    mode: RetryMode = "predictive"
    use_models: bool = False
    ach_consent: bool = False

    @property
    def predictive(self) -> bool:
        """Whether offered times are taken; without an offer the ladder holds."""
        return self.mode == "predictive" and self.ladder_hours == DEFAULT_LADDER[: self.max_retries]


class DunningPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether the customer is written to, and how long after the last mail a case is given up."""

    enabled: bool = True
    abandon_after_days: int = 7


class ContactPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How often one customer is reminded, over all invoices together (B18, B54), and the hours of the customer's own day in which an SMS
    may arrive (B52). `honour_unsubscribe` False: an unsubscribe from billing mails is recorded and not followed (B53)."""

    min_hours_between: int = 20
    max_per_30_days: int = 8
    sms_from_hour: int = 8
    sms_until_hour: int = 21
    honour_unsubscribe: bool = True
    confirm_recovery: bool = True


class SmsPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether an SMS goes beside each reminder, to those who consented."""

    enabled: bool = False


class PreventionPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One mail before a card expires that is to be charged afterwards, so many days before that charge."""

    enabled: bool = False
    days_before: int = 7


class EndPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is done in Stripe when a case ends unpaid (B73); `unpaid` pauses collection, so that new invoices stay drafts."""

    action: Literal["none", "cancel", "unpaid", "uncollectible"] = "none"


class Budgets(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Attempts allowed on one card by all actors together."""

    per_invoice: int = 8
    visa_30_days: int = 15
    mastercard_24_hours: int = 10
    mastercard_30_days: int = 35
    other_30_days: int = 15


class Experiment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which customers are left alone, and which are tried at random times, so that it can be measured what our doing brings (B77).

    Shares of all customers, chosen by a hash of `salt` and the customer; another salt is another draw.
    """

    holdout_share: float = 0.0
    explore_share: float = 0.0
    salt: str = ""


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All settings of one account that a decision may depend on. The defaults are the product's; the default `mode` is the safe one,
    observe.

    `webhooks` are the names of the merchant's endpoints with the event types that each receives; an empty list means the usual types.
    Addresses and secrets belong to the account and are not here.
    """

    mode: Mode = "observe"
    livemode: bool = False
    one_off_invoices: bool = False
    test_first_invoices: bool = True
    retry: RetryPolicy = RetryPolicy()
    dunning: DunningPolicy = DunningPolicy()
    contact: ContactPolicy = ContactPolicy()
    sms: SmsPolicy = SmsPolicy()
    prevention: PreventionPolicy = PreventionPolicy()
    end: EndPolicy = EndPolicy()
    budgets: Budgets = Budgets()
    experiment: Experiment = Experiment()
    alerts: AlertPolicy = AlertPolicy()
    webhooks: dict[str, tuple[str, ...]] = {}
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


def to_toml(policy: Policy) -> str:
    """The policy as a TOML document with every setting written out."""
    return msgspec.toml.encode(policy).decode()


def problems(policy: Policy) -> list[str]:
    """What is wrong with a policy, in sentences for the person who wrote it; empty when it can be published."""
    found = [*_of_retries(policy.retry), *_of_experiment(policy.experiment)]
    if policy.dunning.abandon_after_days < 1:
        found.append("dunning.abandon_after_days must be at least 1; the mails themselves go out 0, 3 and 7 days after dunning starts.")
    found += _contact_problems(policy)
    found += [
        f"budgets.{name} is {most}; every budget must allow at least 1 attempt."
        for name, most in msgspec.structs.asdict(policy.budgets).items()
        if most < 1
    ]
    found += [
        f"budgets.{name} is {getattr(policy.budgets, name)}; the card network allows {most}, what is above costs a fee each."
        for name, most in NETWORK_LIMITS.items()
        if getattr(policy.budgets, name) > most
    ]
    found += endpoint_problems(policy.webhooks)
    for code, kind in policy.decline_overrides.items():
        if kind not in get_args(DeclineKind):
            found.append(f"decline_overrides.{code} is {kind!r}; choose {', '.join(get_args(DeclineKind))}.")
    return found


def _of_retries(retry: RetryPolicy) -> list[str]:
    found, hours = [], retry.ladder_hours
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
    elif hours and hours[-1] > 24 * retry.window_days and min(hours) >= 1 and max(hours) <= 720:
        found.append(f"retry.ladder_hours ends {hours[-1]} hours after the failure, outside retry.window_days ({retry.window_days}).")
    if not 0 <= retry.stripe_gap_hours <= 72:
        found.append("retry.stripe_gap_hours must lie between 0 and 72; it cannot be negative, and a longer one would stop all retries.")
    if retry.use_models and not retry.predictive:
        found.append("retry.use_models needs retry.mode = 'predictive' and the default retry.ladder_hours: custom hours are fixed.")
    return found


def _of_experiment(experiment: Experiment) -> list[str]:
    found = []
    held, tried = experiment.holdout_share, experiment.explore_share
    if not 0 <= held <= MOST_HELD_OUT:
        found.append(f"experiment.holdout_share is {held}; choose 0 to {MOST_HELD_OUT}.")
    if not 0 <= tried <= MOST_HELD_OUT:
        found.append(f"experiment.explore_share is {tried}; choose 0 to {MOST_HELD_OUT}.")
    if (held or tried) and not experiment.salt:
        found.append("experiment.salt is empty; name the experiment, so that another one draws other customers.")
    return found


def _contact_problems(policy: Policy) -> list[str]:
    found: list[str] = []
    contact = policy.contact
    if not 1 <= contact.min_hours_between <= 168:
        found.append("contact.min_hours_between must lie between 1 and 168.")
    if not 1 <= contact.max_per_30_days <= 30:
        found.append("contact.max_per_30_days must lie between 1 and 30.")
    if not 8 <= contact.sms_from_hour < contact.sms_until_hour <= 21:
        found.append("contact.sms_from_hour and contact.sms_until_hour must lie within 8 and 21, the first before the second.")
    if not 1 <= policy.prevention.days_before <= 60:
        found.append("prevention.days_before must lie between 1 and 60.")
    return found

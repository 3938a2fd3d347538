"""Words of the business that every part shares."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Literal

import msgspec

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
"""A time with its zone, always UTC in what we write; one without a zone is refused where messages are read."""

Clock = Callable[[], datetime]
"""A function that answers the present as an aware UTC datetime. Business and wall time are two clocks; both are injected."""

DeclineKind = Literal["soft", "hard", "fraud", "needs_auth"]
"""The four classes of a decline."""

Status = Literal["retrying", "dunning", "action_required", "blocked", "recovered", "abandoned", "closed"]
"""The status of a case. The first three are active."""

Mode = Literal["observe", "act"]
"""What an account allows us: to watch, or to charge and write."""

Medium = Literal["email", "sms", "slack", "webhook"]

RecoveryCause = Literal["our_retry", "stripe_retry", "customer", "account_updater", "external", "by_hand", "unknown"]
"""Who brought a unit of money back: exactly one answer each."""

ACTIVE: frozenset[str] = frozenset({"retrying", "dunning", "action_required"})
"""The statuses that count as active."""

ENDED: frozenset[str] = frozenset({"recovered", "abandoned", "closed"})
"""The statuses after which nothing is done any more."""


class Money(msgspec.Struct, frozen=True):
    """An amount in the currency's minor unit (cents, yen, fils) and the lower-case ISO currency. Never summed across currencies."""

    minor: int
    currency: str

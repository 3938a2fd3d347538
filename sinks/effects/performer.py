"""The performer protocol: input (`EffectRun`), result (`Outcome`), and the facts that report outcomes."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal

import msgspec

from recovery import ids
from recovery.contracts.effects import (
    AlertRequested,
    ChargeRequested,
    Effect,
    MessageRequested,
    ReadRequested,
    SubscriptionEndRequested,
    WebhookRequested,
)
from recovery.contracts.facts import AlertSettled, ChargeSettled, Fact, MessageSettled, ReadFailed, SubscriptionEndSettled, WebhookSettled
from recovery.vocabulary import Clock

FIRST_WAIT, LONGEST_WAIT = 0.2, 30.0
"""Wall seconds before the first repetition of an effect that failed for a passing reason, doubling up to the longest."""


class Clocks(msgspec.Struct, frozen=True):
    """Business and wall time."""

    business: Clock
    wall: Clock


Claim = Callable[[], datetime]
"""Says since when (business time) the effect may have been performed. Raises NotMine."""


class EffectRun(msgspec.Struct, frozen=True, kw_only=True):
    """An effect to perform. `since`: it may have been performed already, from that business time on. `withdrawn`: why it must not be begun
    (`withdrawn` or `account_paused`), known only for one in doubt; others are settled before.

    `claim` is called just before the step that cannot be taken back and raises NotMine when that step must not be made any more.
    """

    effect: Effect
    claim: Claim
    possibly_done_since: datetime | None = None
    in_doubt_count: int = 0
    attempt: int = 0
    withdrawn: str = ""


class Settled(msgspec.Struct, frozen=True):
    """The effect has its outcome. `also`: facts that are published with it; a repetition is recognised by their ids."""

    fact: Fact
    also: tuple[Fact, ...] = ()


class RetryLater(msgspec.Struct, frozen=True):
    """Nothing was done, for a passing reason: try again, after so many wall seconds if they are given, also after a restart.

    A withdrawal is not waited for. The performer itself sees to it that the effect is answered in time.
    """

    why: str
    after: float = 0.0


class InDoubt(msgspec.Struct, frozen=True):
    """It may have been done: read the present state before anything else."""

    why: str


class Crashed(msgspec.Struct, frozen=True):
    """The performer failed in a way it does not know; `in_doubt` when that was after the claim."""

    why: str
    in_doubt: bool


Outcome = Settled | RetryLater | InDoubt | Crashed
Performer = Callable[[EffectRun], Outcome]
"""Carries out one kind of effect. Blocks for seconds at most; anything it raises counts as Broken."""


class ClaimRefused(Exception):
    """The claim was refused: the effect was withdrawn or settled meanwhile."""


def header(effect: Effect, clocks: Clocks) -> dict[str, Any]:
    """The header of the fact that reports an effect's outcome, as keyword arguments."""
    return {
        "id": ids.outcome_fact_id(effect.id),
        "account": effect.account,
        "customer": effect.customer,
        "invoice": effect.invoice,
        "cause": effect.id,
        "trace": effect.trace,
        "effect": effect.id,
        "occurred_at": clocks.business(),
        "received_at": clocks.wall(),
    }


def not_performed(effect: Effect, why: str, clocks: Clocks, of_a_message: Literal["skipped", "failed", "unknown"] = "skipped") -> Fact:
    """The outcome of an effect that was not performed, or is given up.

    Raises:
        TypeError: the effect is of a kind that has no outcome.

    """
    fields = {**header(effect, clocks), "why": why}
    if isinstance(effect, ReadRequested):
        return ReadFailed(**fields)
    if isinstance(effect, ChargeRequested):
        return ChargeSettled(**fields, result="not_done")
    if isinstance(effect, SubscriptionEndRequested):
        return SubscriptionEndSettled(**fields, action=effect.action, result="not_done")
    if isinstance(effect, MessageRequested):
        return MessageSettled(**fields, medium=effect.medium, result=of_a_message)
    if isinstance(effect, AlertRequested):
        return AlertSettled(**fields, medium=effect.medium, event_type=effect.event.event_type, result=of_a_message)
    if isinstance(effect, WebhookRequested):
        result: Literal["skipped", "failed"] = "skipped" if of_a_message == "skipped" else "failed"
        event = effect.event
        return WebhookSettled(**fields, endpoint=effect.endpoint, event=event.id, event_type=event.event_type, result=result)
    raise TypeError(f"A {type(effect).__name__} has no outcome.")


def pause_before(try_number: int) -> float:
    """Wall seconds to wait before the next try, after `try_number` failed ones (1 for the first)."""
    return min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(try_number - 1, 10))

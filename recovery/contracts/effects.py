"""What streams ask of the world. Each has an id that is never reused, a deadline, and a condition that is looked at again before acting."""

from typing import Literal

from recovery.contracts.envelope import Header
from recovery.vocabulary import DeclineKind, Medium, Moment


class Effect(Header, frozen=True, kw_only=True):
    """Base of every effect. Not performed after `not_after` (business time), nor when `only_if` no longer holds."""

    not_after: Moment
    only_if: Literal["always", "invoice_open"] = "invoice_open"


class ReadRequested(Effect, frozen=True, kw_only=True, tag="read_requested"):
    """Read the invoice with its payments, subscription and customer; answered by InvoiceRead or ReadFailed."""


class ChargeRequested(Effect, frozen=True, kw_only=True, tag="charge_requested"):
    """Pay the invoice now, off session; `attempt` is the ladder position (1 = first retry). Answered by ChargeSettled.

    `amount_minor` is what the decision expected to be owed; the charge is for what the invoice says (B44).
    Not made when Stripe's own next attempt lies within `stripe_gap_hours` of the moment of charging (B29).
    """

    attempt: int
    amount_minor: int
    currency: str
    subscription: str = ""
    stripe_gap_hours: int = 0
    because: str = ""


class MessageRequested(Effect, frozen=True, kw_only=True, tag="message_requested"):
    """Write to the customer about this invoice. `step` 1 to 3 is the dunning step; the wording follows the decline."""

    medium: Medium = "email"
    template: str
    step: int
    decline_kind: DeclineKind | Literal[""] = ""
    decline_reason: str = ""
    amount_minor: int
    currency: str
    subscription: str = ""
    because: str = ""


class EffectWithdrawn(Effect, frozen=True, kw_only=True, tag="effect_withdrawn"):
    """Do not perform `effect` any more; travels on the same topic and key. Too late is no error: the outcome tells."""

    effect: str
    because: str = ""


AnyEffect = ReadRequested | ChargeRequested | MessageRequested | EffectWithdrawn
"""All effects, for decoding."""

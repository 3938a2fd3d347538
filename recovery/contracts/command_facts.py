"""What people ask for by hand, each with who and why (B93)."""

from recovery.contracts.bounded import DerivedId, Text, Word
from recovery.contracts.fact_words import Fact
from recovery.vocabulary import Moment


class Command(Fact, frozen=True, kw_only=True):
    """Base of what a person asks for: who, and why (B93). Without an invoice it means all of the customer's."""

    who: Text
    why: Text = ""


class RetryAsked(Command, frozen=True, kw_only=True, tag="retry_asked"):
    """Somebody wants the invoice tried now; the networks' limits hold all the same."""


class StopAsked(Command, frozen=True, kw_only=True, tag="stop_asked"):
    """Somebody wants no further retry and no mail; holds over later failures of the same invoice (B60)."""


class SnoozeAsked(Command, frozen=True, kw_only=True, tag="snooze_asked"):
    """Somebody wants nothing done until then; afterwards the case goes on (B60)."""

    until: Moment


class ExcludeAsked(Command, frozen=True, kw_only=True, tag="exclude_asked"):
    """Somebody wants the customer left alone until then, or for ever; failures open no case meanwhile (B60)."""

    until: Moment | None = None


class ParkedReplayed(Command, frozen=True, kw_only=True, tag="parked_replayed"):
    """Somebody put a message back that had been set aside. `message` is its name, such as streams-2-15; `topic` is where it came from.

    Written to the row that it is about where a row's timer had failed: the row then looks again at what is due.
    """

    message: DerivedId
    topic: Word


class ResumeAsked(Command, frozen=True, kw_only=True, tag="resume_asked"):
    """Somebody takes a stop, a snooze or an exclusion back."""

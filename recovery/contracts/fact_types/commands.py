"""Commands of operators, each with who gave it and why (B93)."""

from recovery.contracts.fact_types.parts import Fact
from recovery.contracts.field_types import DerivedId, ShortText, Text
from recovery.vocabulary import Moment


class Command(Fact, frozen=True, kw_only=True):
    """Base of the operators' commands: who and why (B93). A command without an invoice applies to all invoices of the customer."""

    who: Text
    why: Text = ""


class RetryRequested(Command, frozen=True, kw_only=True, tag="retry_requested"):
    """A command to retry the invoice now. The networks' limits still apply."""


class StopRequested(Command, frozen=True, kw_only=True, tag="stop_requested"):
    """A command to make no further retry and send no mail. It also applies to later failures of the same invoice (B60)."""


class SnoozeRequested(Command, frozen=True, kw_only=True, tag="snooze_requested"):
    """A command to do nothing until `until`; then the case continues (B60)."""

    until: Moment


class ExcludeRequested(Command, frozen=True, kw_only=True, tag="exclude_requested"):
    """A command to leave the customer alone until `until`, or for ever. Failures open no case meanwhile (B60)."""

    until: Moment | None = None


class ParkedReplayed(Command, frozen=True, kw_only=True, tag="parked_replayed"):
    """An operator replayed a dead letter. `message` is its name, such as streams-2-15; `topic` is the topic it came from.

    It is also sent to a customer whose timer had failed: the customer's due timers then run again.
    """

    message: DerivedId
    topic: ShortText


class ResumeRequested(Command, frozen=True, kw_only=True, tag="resume_requested"):
    """A command that lifts a stop, a snooze or an exclusion."""

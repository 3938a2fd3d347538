"""What came back from messages: opened, clicked, delivered, answered. It is recorded beside the case and decides nothing (B81)."""

from recovery.contracts import facts
from recovery.contracts.events import EventType
from recovery.decide.transition import Transition


def opened(turn: Transition, fact: facts.MessageOpened) -> None:
    """A mail's image was fetched."""
    _record(turn, "message_opened", _by(fact.machine), fact.effect, {"medium": fact.medium, "contact": fact.contact})


def clicked(turn: Transition, fact: facts.MessageClicked) -> None:
    """A link was followed, by a person or by a program."""
    _record(turn, "message_clicked", _by(fact.machine), fact.effect, {"medium": fact.medium, "contact": fact.contact})


def delivered(turn: Transition, fact: facts.MessageDelivered) -> None:
    """A message arrived."""
    _record(turn, "message_delivered", "", fact.effect, {"medium": fact.medium, "message": fact.message})


def undelivered(turn: Transition, fact: facts.MessageUndelivered) -> None:
    """A message did not arrive. It is not sent again: its sender had no better way."""
    _record(turn, "message_undelivered", fact.why or "failed", fact.effect, {"medium": fact.medium, "message": fact.message})


def received(turn: Transition, fact: facts.MessageReceived) -> None:
    """A reply arrived; the effects of STOP and START arrive as facts of their own."""
    reason = f"text_{fact.word}" if fact.customer else "unknown_number"
    _record(turn, "message_received", reason, "", {"medium": fact.medium, "message": fact.message, "word": fact.word})


def _by(machine: str) -> str:
    return f"machine_{machine}" if machine else ""


def _record(turn: Transition, event_type: EventType, reason: str, effect: str, details: dict[str, str]) -> None:
    filled = {name: value for name, value in details.items() if value}
    case = turn.row.cases.get(turn.fact.invoice)
    if case is None:
        turn.record_unscoped(event_type, reason, effect=effect, details=filled)
    else:
        turn.record(event_type, case, reason, effect=effect, details=filled)

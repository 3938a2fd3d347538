"""What came back from messages: opened, clicked, delivered, answered. It is recorded beside the case and decides nothing (B81)."""

from recovery.contracts import facts
from recovery.contracts.events import EventType
from recovery.decide.turn import Turn


def opened(turn: Turn, fact: facts.MessageOpened) -> None:
    """A mail's image was fetched."""
    _tell(turn, "message_opened", _by(fact.machine), fact.effect, {"medium": fact.medium, "contact": fact.contact})


def clicked(turn: Turn, fact: facts.MessageClicked) -> None:
    """A link was followed, by somebody or by a program."""
    _tell(turn, "message_clicked", _by(fact.machine), fact.effect, {"medium": fact.medium, "contact": fact.contact})


def delivered(turn: Turn, fact: facts.MessageDelivered) -> None:
    """A message arrived."""
    _tell(turn, "message_delivered", "", fact.effect, {"medium": fact.medium, "message": fact.message})


def undelivered(turn: Turn, fact: facts.MessageUndelivered) -> None:
    """A message did not arrive. It is not sent again: whoever sent it had no better way."""
    _tell(turn, "message_undelivered", fact.why or "failed", fact.effect, {"medium": fact.medium, "message": fact.message})


def received(turn: Turn, fact: facts.MessageReceived) -> None:
    """Somebody answered; what follows from STOP and START comes as facts of their own."""
    reason = f"text_{fact.word}" if fact.customer else "unknown_number"
    _tell(turn, "message_received", reason, "", {"medium": fact.medium, "message": fact.message, "word": fact.word})


def _by(machine: str) -> str:
    return f"machine_{machine}" if machine else ""


def _tell(turn: Turn, event_type: EventType, reason: str, effect: str, details: dict[str, str]) -> None:
    said = {name: value for name, value in details.items() if value}
    case = turn.row.cases.get(turn.fact.invoice)
    if case is None:
        turn.tell_row(event_type, reason, effect=effect, details=said)
    else:
        turn.tell(event_type, case, reason, effect=effect, details=said)

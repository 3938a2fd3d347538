"""An alarm is a question: what is due on the row, and may it be done now?"""

from recovery.contracts.customer import Case
from recovery.decide import dunning, reading, retrying
from recovery.decide.schedule import after_pause
from recovery.decide.turn import Turn, frozen


def look(turn: Turn) -> None:
    """Do what is due for every open case of the row."""
    for case in turn.row.cases.values():
        if case.active:
            _look(turn, case)


def _look(turn: Turn, case: Case) -> None:
    if case.flight is not None and case.flight.until <= turn.now:
        _unanswered(turn, case)
    if not case.active or case.flight is not None:
        return
    if turn.account.paused:
        _put_off(turn, case)
        return
    case.pause_noted = False
    if case.read_at is not None and case.read_at <= turn.now:
        case.read_at = None
        turn.ask_read(case)
    elif not frozen(case):
        _act(turn, case)


def _unanswered(turn: Turn, case: Case) -> None:
    assert case.flight is not None, "nothing is in flight"  # noqa: S101 - tells the type checker what the caller has looked at
    if case.flight.kind == "read":
        reading.unanswered(turn, case)
    elif case.flight.kind == "charge":
        retrying.unanswered(turn, case)
    else:
        dunning.unanswered(turn, case)


def _act(turn: Turn, case: Case) -> None:
    if case.retry_at is not None and case.retry_at <= turn.now:
        retrying.due(turn, case)
    while case.active and case.flight is None and case.dunning_at is not None and case.dunning_at <= turn.now:
        dunning.due(turn, case)


def _put_off(turn: Turn, case: Case) -> None:
    """The account is paused: nothing is asked for, the due steps move on, told once for each pause (B45)."""
    until, now = after_pause(case, turn.now), turn.now
    retry = case.retry_at is not None and case.retry_at <= now
    mail = case.dunning_at is not None and case.dunning_at <= now
    read = case.read_at is not None and case.read_at <= now
    case.retry_at = until if retry else case.retry_at
    case.dunning_at = until if mail else case.dunning_at
    case.read_at = until if read else case.read_at
    if case.pause_noted or not (retry or mail or read):
        return
    case.pause_noted = True
    turn.tell("retry_skipped" if retry else "dunning_skipped" if mail else "case_updated", case, "account_paused")

"""A draft of the policy, tried on paper: what it would have decided about the same row and fact, told where it differs (F66)."""

from recovery.contracts.customer import Case, Customer
from recovery.contracts.effects import ChargeRequested, Effect, EffectWithdrawn, MessageRequested
from recovery.contracts.facts import Fact, PaymentActionRequired, PaymentFailed
from recovery.contracts.row import decode_row, encode_row
from recovery.decide.turn import Turn


def concerns(row: Customer, fact: Fact) -> bool:
    """Whether anything can be decided: a case is open, or the fact may open one. Cheap, as it is asked for every fact of a row."""
    return isinstance(fact, PaymentFailed | PaymentActionRequired) or any(case.active for case in row.cases.values())


def copy(row: Customer) -> Customer:
    """The row again, sharing nothing with it."""
    return decode_row(encode_row(row))


def compare(turn: Turn, draft: Turn) -> None:
    """Tell for each case where the draft's turn ends otherwise. Nothing else of that turn is used: no effect of it ever leaves."""
    for invoice, case in turn.row.cases.items():
        in_force, other = decided(turn, case), decided(draft, draft.row.cases.get(invoice))
        if in_force != other:
            turn.tell("shadow_decided", case, "draft_differs", details={"in_force": in_force, "draft": other})
    for invoice, case in draft.row.cases.items():
        if invoice not in turn.row.cases:
            details = {"in_force": "no case", "draft": decided(draft, case)}
            turn.tell_row("shadow_decided", "draft_differs", details=details)


def decided(turn: Turn, case: Case | None) -> str:
    """What a turn decided about a case, in a line: what it asks for, and what is to come."""
    if case is None:
        return "no case"
    parts = [_asked(effect) for effect in turn.effects if effect.invoice == case.invoice]
    if not case.active:
        return "; ".join([*parts, f"{case.status}: {case.reason}"])
    times = (("look", case.read_at), ("retry", case.retry_at), ("mail", case.dunning_at))
    parts += [f"{what} at {at.isoformat()}" for what, at in times if at is not None]
    return "; ".join([*parts, f"{case.status}: {case.reason}"])


def _asked(effect: Effect) -> str:
    if isinstance(effect, ChargeRequested):
        return f"charge now ({effect.because})"
    if isinstance(effect, MessageRequested):
        return f"write now ({effect.template})"
    if isinstance(effect, EffectWithdrawn):
        return "withdraw what is under way"
    return f"{str(effect.__struct_config__.tag).removesuffix('_requested')} now"

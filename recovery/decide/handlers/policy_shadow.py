"""Shadow evaluation of a draft policy: the decision that it would have made on the same state and fact, recorded where it differs."""

from recovery.contracts.customer import Case, Customer
from recovery.contracts.effects import ChargeRequested, Effect, EffectWithdrawn, MessageRequested
from recovery.contracts.encoding.row_codec import decode_row, encode_row
from recovery.contracts.facts import Fact, PaymentActionRequired, PaymentFailed
from recovery.decide.transition import Transition


def concerns(row: Customer, fact: Fact) -> bool:
    """Whether anything can be decided: a case is open, or the fact may open one. It is cheap, because it runs for every fact of a
    customer."""
    return isinstance(fact, PaymentFailed | PaymentActionRequired) or any(case.active for case in row.cases.values())


def copy(row: Customer) -> Customer:
    """The row again, sharing nothing with it."""
    return decode_row(encode_row(row))


def compare(turn: Transition, draft: Transition) -> None:
    """Record, for each case, a decision of the draft that differs. Nothing else of the draft's transition is used: none of its effects ever
    leaves."""
    for invoice, case in turn.row.cases.items():
        in_force, other = decided(turn, case), decided(draft, draft.row.cases.get(invoice))
        if in_force != other:
            turn.record("shadow_decision_differed", case, "draft_differs", details={"in_force": in_force, "draft": other})
    for invoice, case in draft.row.cases.items():
        if invoice not in turn.row.cases:
            details = {"in_force": "no case", "draft": decided(draft, case)}
            turn.record_unscoped("shadow_decision_differed", "draft_differs", details=details)


def decided(turn: Transition, case: Case | None) -> str:
    """The decision of a transition about a case in one line: its requests, and its next timers."""
    if case is None:
        return "no case"
    parts = [_effect_summary(effect) for effect in turn.effects if effect.invoice == case.invoice]
    if not case.active:
        return "; ".join([*parts, f"{case.status}: {case.reason}"])
    times = (("look", case.read_at), ("retry", case.retry_at), ("mail", case.dunning_at))
    parts += [f"{what} at {at.isoformat()}" for what, at in times if at is not None]
    return "; ".join([*parts, f"{case.status}: {case.reason}"])


def _effect_summary(effect: Effect) -> str:
    if isinstance(effect, ChargeRequested):
        return f"charge now ({effect.because})"
    if isinstance(effect, MessageRequested):
        return f"write now ({effect.template})"
    if isinstance(effect, EffectWithdrawn):
        return "withdraw what is under way"
    return f"{str(effect.__struct_config__.tag).removesuffix('_requested')} now"

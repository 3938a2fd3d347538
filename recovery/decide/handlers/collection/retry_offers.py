"""Offered retry times: requested, accepted, bounded; and times drawn at random. Without an offer, or with a late or bad one, the ladder
applies (B86)."""

from datetime import datetime, timedelta

from recovery.contracts.customer import Case, Customer, RetryOffer
from recovery.contracts.facts import RetryTimesOffered, Slot
from recovery.decide.rules import budgets, experiment
from recovery.decide.rules.schedule import RetryAt, bounds, most_retries, next_slot, window_end
from recovery.decide.transition import Transition

MOST_SLOTS = 20
"""So many offered times are kept; more than the longest ladder can use, with some to spare."""


def offered(turn: Transition, fact: RetryTimesOffered) -> None:
    """Take offered times into the case's schedule as far as they are allowed; say why where they are not (B39, B87)."""
    case = turn.row.cases.get(fact.invoice)
    if case is None:
        turn.noop_reason = "no_case"
        return
    why = _refused(turn, case, fact)
    if why:
        turn.record("retry_times_refused", case, why, details=_details(fact))
        return
    case.retry_offer = RetryOffer(_within(turn, case, fact.slots), fact.source, fact.model_version, fact.propensity)
    plan = next_slot(case, turn.row, turn.policy, turn.now)
    if not isinstance(plan, RetryAt) or plan.source != fact.source:
        case.retry_offer = None
        turn.record("retry_times_refused", case, "no_usable_time", details=_details(fact))
        return
    turn.record("retry_times_accepted", case, plan.because, details=_details(fact))
    appoint(turn, case, plan)


def _within(turn: Transition, case: Case, slots: tuple[Slot, ...]) -> tuple[Slot, ...]:
    """The offered times that lie between now and the end of the case's window, the earliest first; no other is kept."""
    last = window_end(case, turn.policy)
    return tuple(sorted((slot for slot in slots if turn.now <= slot.at <= last), key=lambda slot: slot.at)[:MOST_SLOTS])


def appoint(turn: Transition, case: Case, plan: RetryAt) -> None:
    """Plan the next retry for this time; a planned one gives way to it. The event says which source chose the time (B39)."""
    case.status, case.reason, case.retry_at = "retrying", plan.because, plan.at
    details = {"source": plan.source, **plan.details, **experiment.marks(turn.row, turn.policy)}
    turn.record("retry_scheduled", case, plan.because, details=details)


def _refused(turn: Transition, case: Case, fact: RetryTimesOffered) -> str:
    if not case.active:
        return "case_ended"
    if not turn.policy.retry.predictive:
        return "fixed_ladder"
    if experiment.held_out(turn.row, turn.policy) or experiment.explores(turn.row, turn.policy):
        return "holdout" if turn.row.arm == "holdout" else "drawn_by_lot"
    if case.retry_at is None or case.status != "retrying" or case.retry_with_new_method or case.manual_retry:
        return "not_retrying"
    if fact.attempt != case.ladder_position + 1 or (fact.request and fact.request != case.offer_request):
        return "stale_plan"
    return ""


def _details(fact: RetryTimesOffered) -> dict[str, str]:
    return {"source": fact.source, "model_version": fact.model_version, "times": str(len(fact.slots)), "propensity": f"{fact.propensity:g}"}


def request(turn: Transition, case: Case) -> str:
    """Ask for times for the next attempts, once for each position, where the policy wants it. Returns the request's id, else nothing."""
    policy, row = turn.policy, turn.row
    if not (policy.retry.use_models and policy.retry.predictive) or case.offer_for_attempt == case.ladder_position + 1:
        return ""
    if experiment.held_out(row, policy) or experiment.explores(row, policy):
        return ""
    earliest, latest = bounds(case, policy, turn.now)
    card, verdict = case.card, case.verdict
    case.offer_for_attempt = case.ladder_position + 1
    case.offer_request = turn.request_retry_times(
        case,
        attempt=case.ladder_position + 1,
        attempts_left=most_retries(case, policy) - case.ladder_position,
        earliest=earliest,
        latest=latest,
        failed_at=case.failed_at,
        last_failed_at=case.last_failed_at,
        decline_kind=verdict.kind if verdict is not None else "",
        decline_code=verdict.code if verdict is not None else "",
        card_brand=card.brand if card is not None else "",
        card_country=card.country if card is not None else "",
        card_funding=card.funding if card is not None else "",
        attempts_on_card=_on_card(row, case, turn.now),
        renews_at=case.renews_at,
        stripe_next=case.stripe_next,
    )
    return case.offer_request


def _on_card(row: Customer, case: Case, now: datetime) -> int:
    if case.card is None or not case.card.fingerprint:
        return 0
    return len(budgets.counted(budgets.on_card(row, case.card.fingerprint), case.card.fingerprint, now - timedelta(days=30)))

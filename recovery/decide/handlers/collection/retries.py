"""Handlers of retries: the verdict's path, a retry that is due, and the outcome of a charge."""

from datetime import datetime, timedelta

from recovery.contracts.customer import CardAttempt, Case, Customer, PendingEffect, Verdict
from recovery.contracts.facts import Card, ChargeSettled, Decline, InvoiceState
from recovery.decide.handlers.collection import retry_offers
from recovery.decide.handlers.collection.case_closing import beside, block, paid_amount, recover
from recovery.decide.handlers.messages import dunning
from recovery.decide.rules import budgets, experiment
from recovery.decide.rules import decline_table as table
from recovery.decide.rules.attribution import Credit
from recovery.decide.rules.charged_method import charged_method, known_card
from recovery.decide.rules.classify import AUTHENTICATION, classify
from recovery.decide.rules.schedule import SOONEST, GiveUp, RetryAt, WaitUntil, after_pause, may_charge, most_retries, next_slot
from recovery.decide.transition import Transition

MOST_HELD = 100
"""How often in a row a sink may refuse because the account is paused, where no pause is known here, before that counts like any other
refusal: some six days."""
PATIENCE = 5
"""Requests in a row of which nothing came, before the case is left to dunning: every case ends."""
NEVER_ADVICE: frozenset[str] = frozenset({"03", "21"})
"""Mastercard's advice after which the card is never tried again."""


def judge(turn: Transition, case: Case, decline: Decline | None, card: Card | None, *, attempted: bool = True) -> None:
    """Take the latest decline as what is known of the case; the first code ever stays beside it (B19)."""
    policy = turn.policy
    verdict = classify(decline, card, policy.decline_overrides, attempted=attempted, ach_consent=policy.retry.ach_consent)
    if case.authentication_required and verdict.kind != "fraud":
        verdict = AUTHENTICATION
    case.authentication_required = False
    case.decline, case.card = decline, card or case.card
    conclude(turn, case, verdict)
    bar(turn, verdict, decline, card)


def bar(turn: Transition, verdict: Verdict, decline: Decline | None, card: Card | None) -> None:
    """A decline that says never is the card's, not the invoice's (B22). Its charges that are out are taken back."""
    if card is None or not card.fingerprint or not _never(verdict, decline, card) or card.fingerprint in turn.row.barred:
        return
    turn.row.barred = [*turn.row.barred[-19:], card.fingerprint]
    for case in turn.row.cases.values():
        charging = case.active and case.pending_effect is not None and case.pending_effect.kind == "charge"
        if charging and case.card is not None and case.card.fingerprint == card.fingerprint:
            turn.withdraw(case, "card_barred")
            case.read_at = turn.now


def conclude(turn: Transition, case: Case, verdict: Verdict) -> None:
    """Set what is thought of the decline, and say so with the raw words."""
    case.verdict, case.first_code = verdict, case.first_code or verdict.code or verdict.because
    turn.record("decline_classified", case, verdict.because, details=_raw(case))


def _raw(case: Case) -> dict[str, str]:
    details = {"first_code": case.first_code}
    if case.decline is not None:
        fee = table.DEBIT_FEES.get(case.decline.method_type)
        details |= {"fee_minor": str(fee[0]), "fee_currency": fee[1]} if fee is not None else {}
        fields = zip(case.decline.__struct_fields__, (getattr(case.decline, name) for name in case.decline.__struct_fields__), strict=True)
        details |= {name: value for name, value in fields if value}
    return details


def _never(verdict: Verdict, decline: Decline | None, card: Card) -> bool:
    if decline is not None and card.brand == "mastercard" and decline.network_advice_code in NEVER_ADVICE:
        return True
    if decline is not None and card.brand == "visa" and decline.network_decline_code in table.VISA_NEVER:
        return True
    return verdict.code in table.NEVER


def proceed(turn: Transition, case: Case) -> None:
    """Follow the verdict: the ladder, the mails, or nothing at all."""
    verdict = case.verdict
    if verdict is None:
        case.read_at = turn.now
    elif verdict.kind == "fraud":
        block(turn, case, verdict.because)
    elif not verdict.retry_allowed:
        dunning.begin(turn, case, verdict.because, case.last_failed_at)
    elif not turn.policy.retry.enabled:
        dunning.begin(turn, case, "retries_disabled", case.last_failed_at)
    else:
        _plan(turn, case)


def _plan(turn: Transition, case: Case) -> None:
    case.manual_retry = False
    slot = GiveUp("requests_came_to_nothing") if case.consecutive_noops >= PATIENCE else next_slot(case, turn.row, turn.policy, turn.now)
    if isinstance(slot, GiveUp):
        dunning.begin(turn, case, slot.because, case.last_failed_at)
        return
    request = retry_offers.request(turn, case)
    retry_offers.appoint(turn, case, slot._replace(details={**slot.details, "offer_request": request}) if request else slot)


def schedule(turn: Transition, case: Case, at: datetime, because: str) -> None:
    """Plan the next retry for this time; a planned one gives way to it."""
    retry_offers.appoint(turn, case, RetryAt(at, because, source=because))


def due(turn: Transition, case: Case) -> None:
    """The time of a retry has come: check again whether it may be made (B28), then request it, recommend it, or skip it."""
    case.retry_at, case.queued = None, False
    answer = may_charge(case, turn.row, turn.policy, turn.now)
    if isinstance(answer, GiveUp):
        case.manual_retry = False
        turn.record("retry_skipped", case, answer.because, details=dict(answer.details))
        reason = "retries_disabled" if answer.because == "disabled" else answer.because
        dunning.begin(turn, case, reason)
    elif isinstance(answer, WaitUntil):
        case.retry_at, case.queued = answer.until, answer.because == "attempts_out"
        turn.record("retry_skipped", case, answer.because, details=dict(answer.details))
    elif turn.policy.mode == "observe" or experiment.held_out(turn.row, turn.policy):
        _recommend_only(turn, case, answer.because)
    elif case.retry_with_new_method and (before := _charging(turn.row, case)) is not None:
        case.queued, case.retry_at = True, max(before.deadline, turn.now + SOONEST)
        turn.record("retry_skipped", case, "one_after_the_other")
    else:
        turn.request_charge(case, answer.because)


def _charging(row: Customer, case: Case) -> PendingEffect | None:
    """The charge under way of another of the customer's invoices: with a new method they are tried one after the other (B37)."""
    charged = [row.cases[out.invoice] for out in row.out if out.invoice in row.cases] or row.cases.values()
    others = (other.pending_effect for other in charged if other is not case)
    return next((flight for flight in others if flight is not None and flight.kind == "charge"), None)


def next_in_line(row: Customer, case: Case) -> bool:
    """Whether the case waited for another one's charge, and that is over."""
    return case.queued and _charging(row, case) is None


def _recommend_only(turn: Transition, case: Case, because: str) -> None:
    """Observed and held-out customers are not charged; their cases walk the same path in the same time and so end like the others (B77)."""
    case.ladder_used, case.last_attempt_at, case.retry_with_new_method = case.ladder_used + 1, turn.now, False
    marks = experiment.marks(turn.row, turn.policy)
    if experiment.held_out(turn.row, turn.policy):
        turn.record("retry_skipped", case, "holdout", details={"would": because} | marks)
    else:
        turn.record("retry_recommended", case, because, details=marks)
    proceed(turn, case)


def unanswered(turn: Transition, case: Case) -> None:
    """No outcome in time: whether the card was charged is in doubt, so the charge is withdrawn and the invoice is read (B33)."""
    turn.withdraw(case, "unanswered")
    case.consecutive_noops += 1
    case.read_at = turn.now


def settled(turn: Transition, case: Case, fact: ChargeSettled, *, awaited: bool) -> None:
    """The outcome of a charge. It is recorded, and money counts, also when the case has ended (B73)."""
    technical = fact.decline is not None and fact.decline.code in table.NOT_A_DECLINE
    if fact.result == "not_done" or technical:
        _not_made(turn, case, fact, "technical" if technical else fact.why, awaited=awaited)
        return
    _attempted(turn, case, fact)
    if fact.result == "succeeded":
        total = _amount(case, fact.state)
        if fact.state is not None and not case.paid:
            beside(turn, case, fact.state, total, Credit("our_retry", {}))
        recover(turn, case, "our_retry", total, fact.charge)
    elif case.active and fact.result == "processing":
        case.processing_since, case.read_at, case.retry_at = turn.at, turn.now + timedelta(hours=24), None
    elif case.active:
        _failed(turn, case, fact)
    elif fact.decline is not None:  # the case is over, the card may be wanted by another one
        bar(turn, classify(fact.decline, fact.card, turn.policy.decline_overrides), fact.decline, fact.card)


def _attempted(turn: Transition, case: Case, fact: ChargeSettled) -> None:
    case.charges[fact.effect] = fact.charge or "made"
    case.retry_count += 1
    case.ladder_used += 1
    case.consecutive_noops, case.held, case.last_attempt_at, case.retry_with_new_method, case.manual_retry = (
        0,
        0,
        fact.occurred_at,
        False,
        False,
    )
    card, decline = fact.card or case.card, fact.decline
    if decline is None or decline.network_status != "not_sent_to_network":  # a Radar block is no attempt on the card (B23)
        fingerprint, brand = (card.fingerprint, card.brand) if card else ("", "")
        succeeded = fact.result == "succeeded"
        attempt = CardAttempt(fact.charge or fact.effect, fact.occurred_at, case.invoice, fingerprint, brand, succeeded)
        budgets.remember(turn.row, attempt, turn.now)
    details = {"code": decline.decline_code or decline.code} if decline is not None else {}
    if fact.why:
        details["why"] = fact.why
    turn.record("retry_attempted", case, result=fact.result, effect=fact.effect, details=details)


def _amount(case: Case, state: InvoiceState | None) -> int:
    if state is not None and state.status == "paid":
        return paid_amount(case, state)
    return case.part_minor + (state.amount_remaining if state is not None and state.amount_remaining > 0 else case.outstanding_minor)


def _failed(turn: Transition, case: Case, fact: ChargeSettled) -> None:
    case.last_failed_at = max(case.last_failed_at, fact.occurred_at)
    untried = _untried(turn, case, fact.card)
    case.method = case.method if untried else ""
    case.authentication_required = fact.result == "needs_action"
    judge(turn, case, fact.decline, fact.card)
    if case.pending_effect is not None:
        return
    if untried and case.ladder_position < most_retries(case, turn.policy):
        new = known_card(turn.row, charged_method(turn.row, case))
        case.retry_with_new_method, case.card = True, new if new.fingerprint else None
        schedule(turn, case, turn.now, "new_method")
    else:
        proceed(turn, case)


def _untried(turn: Transition, case: Case, declined: Card | None) -> bool:
    """Whether a new method arrived while this charge was in progress on the old one, so that it has not been tried yet (B35)."""
    named = charged_method(turn.row, case)
    method_known = bool(case.method) and turn.policy.retry.enabled and named != ""
    return method_known and declined is not None and declined.method not in {"", named}


def held(case: Case) -> bool:
    """Whether to wait for the end of a pause that an outcome reported; not for ever, because every case ends."""
    case.held += 1
    return case.held <= MOST_HELD


def _not_made(turn: Transition, case: Case, fact: ChargeSettled, why: str, *, awaited: bool) -> None:
    case.charges.pop(fact.effect, None)  # no attempt: its position is free again (B39)
    turn.record("retry_skipped", case, why, effect=fact.effect, result=fact.result)
    if not awaited or not case.active:
        return
    if fact.state is not None:
        case.stripe_next = fact.state.next_payment_attempt if fact.state.auto_advance else None
    if why == "account_paused" and held(case):
        schedule(turn, case, after_pause(case, turn.now), why)
        return
    case.consecutive_noops += 1
    if case.consecutive_noops >= PATIENCE and why not in dunning.REREAD_REASONS:
        dunning.begin(turn, case, "requests_came_to_nothing")
    elif why in dunning.REREAD_REASONS or why == "processing":
        case.read_at = turn.now
    else:
        gap = timedelta(hours=turn.policy.retry.stripe_gap_hours if why == "stripe_attempt_near" else 1)
        near = why == "stripe_attempt_near" and case.stripe_next is not None
        at = min(max(case.stripe_next or turn.now, turn.now) + gap, turn.now + 2 * gap) if near else turn.now + gap
        schedule(turn, case, max(at, turn.now + SOONEST), why)

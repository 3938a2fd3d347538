"""Handlers of invoice reads: their results, and what follows where a read failed."""

from datetime import datetime, timedelta

from recovery.contracts.customer import CardAttempt, Case
from recovery.contracts.facts import InvoiceRead, InvoiceState, ReadFailed
from recovery.decide.handlers.collection import reopening
from recovery.decide.handlers.collection.case_closing import beside, close, lose, paid_amount, part_paid, recover
from recovery.decide.handlers.collection.retries import bar, held, judge, proceed
from recovery.decide.rules import attribution, budgets
from recovery.decide.rules.charged_method import charged_method
from recovery.decide.rules.classify import classify
from recovery.decide.rules.event_order import older
from recovery.decide.rules.schedule import after_pause
from recovery.decide.transition import Transition, next_action

REREAD_AFTER = timedelta(hours=24)
"""How long until we read again what is neither paid nor lost: paused, processing, a draft."""
REPEATS = 3
"""How often a failed read is repeated; one without any answer, which took a day, counts twice. After some 3 hours of failed reads, or some
2 days of silence, the decision uses what is known."""
ENDED_STATUS: frozenset[str] = frozenset({"canceled", "incomplete_expired"})
"""Subscription statuses that are final (B67). `unpaid` is not final: its invoice is open, and paying it makes the subscription active
again."""
HUMAN = "human_owns_it"
"""Why an invoice is left alone whose automatic collection a person switched off (B14)."""
LOST = "cancelled_for_non_payment"
"""Why a case is lost whose subscription Stripe cancelled after its own last attempt."""
WEEKLY_AFTER, WEEK = timedelta(days=14), timedelta(days=7)
"""A collection that has been paused for this long is read once a week; a webhook reports when it resumes."""
LONGEST_PAUSE = timedelta(days=180)
"""A collection that is paused for longer will hardly go on; the case is closed, so that every case ends."""
LONGEST_DEBIT = timedelta(days=15)
"""A debit that is processing for longer is taken for undecided, so that every case ends."""


def show(case: Case, state: InvoiceState, at: datetime, *, by_read: bool = False) -> bool:
    """Take the state that Stripe shows unless a newer one is known; a read wins over a webhook of the same second (B3). Returns whether it
    changed."""
    if case.state_observed_at is not None and (
        at < case.state_observed_at or (at == case.state_observed_at and case.state_from_read and not by_read)
    ):
        return False
    before = (case.outstanding_minor, case.stripe_next)
    case.state_observed_at, case.state_from_read = at, by_read
    case.outstanding_minor = state.amount_remaining if state.amount_remaining > 0 else case.outstanding_minor
    case.stripe_next = state.next_payment_attempt if state.auto_advance else None
    case.subscription, case.currency = case.subscription or state.subscription, case.currency or state.currency
    case.renews_at = state.renews_at or case.renews_at
    case.invoice_method = state.own_method
    case.invoiced_at = state.created
    if state.status == "open" and state.amount_remaining > 0:
        case.owed_at = at
    return before != (case.outstanding_minor, case.stripe_next)


def answered(turn: Transition, case: Case, fact: InvoiceRead) -> None:
    """The result of a read: the case ends by it, or continues with the newest decline."""
    unread, case.failed_reads = case.failed_reads, 0
    known = case.last_failed_at
    first = case.verdict is None
    _count(turn, case, fact)
    if not case.active:
        if fact.state.status == "paid":
            _paid(turn, case, fact, first=first)
            return
        owned = case.reason == HUMAN and not fact.state.auto_advance
        if fact.state.status != "open" or owned or _over(fact) or not reopening.shown(turn, case, fact):
            turn.noop_reason = "case_ended"
            return
    if case.subscription_at is None or fact.occurred_at >= case.subscription_at:
        case.subscription_at = fact.occurred_at
    if not older(fact.occurred_at, turn.row.default_at) and fact.customer_method:
        turn.row.default_method, turn.row.default_at = fact.customer_method, fact.occurred_at
    if case.subscription_method_at is None or fact.occurred_at >= case.subscription_method_at:
        case.subscription_method, case.subscription_method_at = fact.subscription_method, fact.occurred_at
    newest = case.state_observed_at is None or fact.occurred_at >= case.state_observed_at
    show(case, fact.state, fact.occurred_at, by_read=True)
    if fact.state.status == "paid":
        _paid(turn, case, fact, first=first)
    elif not newest and fact.state.status == "open" and unread < REPEATS:
        turn.noop_reason = "older_than_known"
        _restart(turn, case, unread)
    else:
        came = fact.state.amount_paid - case.paid_before
        part_paid(turn, case, came, fact.state, beside(turn, case, fact.state, came, attribution.from_read(case, fact)))
        _not_paid(turn, case, fact, new_failure=case.last_failed_at > known)


def read_instead(turn: Transition, case: Case, because: str = "older_than_failure") -> None:
    """Read from Stripe before a webhook ends anything: it may have been revoked since (B3), or may not contain enough (B102)."""
    if case.pending_effect is None or case.pending_effect.kind != "read":
        case.read_at = turn.now
    turn.record("case_updated", case, because)


def _restart(turn: Transition, case: Case, unread: int) -> None:
    """A case must always have a timer: a result that is too old is requested again, first at once, then hours later, and in the end it is
    used. Earlier facts may bear a time that is yet to come."""
    if next_action(case)[1] is None:
        case.read_at, case.failed_reads = turn.now + timedelta(hours=unread), unread + 1


def _count(turn: Transition, case: Case, fact: InvoiceRead) -> None:
    """Every attempt that Stripe lists counts once in the budgets, made by us or not (B29, B31); the first failure starts the ladder."""
    for seen in fact.attempts:
        if seen.reached_network:
            attempt = CardAttempt(seen.charge, seen.at, case.invoice, seen.fingerprint, seen.brand, seen.succeeded)
            budgets.remember(turn.row, attempt, turn.now)
        if not seen.succeeded:
            case.last_failed_at = max(case.last_failed_at, seen.at)
            case.failed_at = min(case.failed_at, seen.at)


def _paid(turn: Transition, case: Case, fact: InvoiceRead, *, first: bool) -> None:
    paid = attribution.success(fact)
    failed = any(not attempt.succeeded for attempt in fact.attempts) or (paid is not None and paid.at > case.failed_at)
    if first and not failed and not fact.state.paid_out_of_band and not case.paid:
        case.paid, turn.noop_reason = True, "never_failed"  # its payment is no recovery: it came before the failure that we heard of (B4)
        if case.active:
            close(turn, case, "never_failed")
        return
    total = paid_amount(case, fact.state)
    credit = beside(turn, case, fact.state, total, attribution.from_read(case, fact))
    charge = paid.charge if paid is not None else ""
    recover(turn, case, credit.by, total, charge, credit.evidence)


def _not_paid(turn: Transition, case: Case, fact: InvoiceRead, *, new_failure: bool) -> None:
    case.switched_off = case.switched_off and not fact.state.auto_advance
    reason = _over(fact) or (HUMAN if case.switched_off else "")
    if reason == LOST:
        lose(turn, case, reason, fact.subscription_why)
    elif reason:
        close(turn, case, reason)
    elif case.pending_effect is not None:
        turn.noop_reason = "answer_awaited"
    elif fact.subscription_paused:
        suspend(turn, case)
    elif fact.state.status == "draft" and turn.now - case.last_failed_at >= LONGEST_PAUSE:
        close(turn, case, "draft")
    elif fact.state.status == "draft":
        case.read_at, case.reason = turn.now + REREAD_AFTER, "draft"
        turn.record("case_updated", case, "draft")
    elif _processing(turn, case, fact):
        case.read_at, case.retry_at = turn.now + REREAD_AFTER, None
        turn.record("case_updated", case, "processing")
    else:
        _open(turn, case, fact, new_failure=new_failure)


def _over(fact: InvoiceRead) -> str:
    by_status = {"void": "voided", "uncollectible": "written_off"}.get(fact.state.status, "")
    if by_status or fact.customer_deleted:
        return by_status or "customer_deleted"
    if ended := ended_reason(fact.subscription_status, fact.subscription_why):
        return ended
    if fact.subscription_ending:
        return "cancelled"
    return "disputed" if fact.disputed else ""


def ended_reason(status: str, why: str) -> str:
    """Why the invoices of a subscription of this status are left alone; empty where it goes on. `why` is Stripe's cancellation reason."""
    if status not in ENDED_STATUS:
        return ""
    return {"payment_failed": LOST, "payment_disputed": "disputed"}.get(why, "cancelled")


def suspend(turn: Transition, case: Case, behavior: str = "") -> None:
    """Collection is paused: no retry and no mail, and another read later. The case continues where it was (B69), unless that takes too
    long.

    `behavior` is what becomes of invoices made meanwhile; it does not affect this one, which Stripe would continue to collect.
    """
    case.suspended_at = case.suspended_at or turn.now
    if turn.now - case.suspended_at >= LONGEST_PAUSE:
        close(turn, case, "paused_too_long")
        return
    case.read_at, case.reason = turn.now + _rest(turn, case), "subscription_paused"
    turn.record("case_updated", case, "subscription_paused", details={"behavior": behavior} if behavior else {})


def _rest(turn: Transition, case: Case) -> timedelta:
    return WEEK if case.suspended_at is not None and turn.now - case.suspended_at >= WEEKLY_AFTER else REREAD_AFTER


def _resume(turn: Transition, case: Case) -> None:
    if case.suspended_at is None:
        return
    rest, case.suspended_at = turn.now - case.suspended_at, None
    if case.dunning_from is not None:
        case.dunning_from += rest
        case.dunning_at = case.dunning_at + rest if case.dunning_at is not None else None
    turn.record("case_updated", case, "subscription_resumed")


def _processing(turn: Transition, case: Case, fact: InvoiceRead) -> bool:
    """Whether a debit is on its way (B34)."""
    undecided = fact.decline.intent_status == "processing" if fact.decline is not None else case.processing_since is not None
    if not undecided:
        case.processing_since = None
        return False
    case.processing_since = case.processing_since or turn.now
    if turn.now - case.processing_since < LONGEST_DEBIT:
        return True
    case.processing_since = None
    return False


def _open(turn: Transition, case: Case, fact: InvoiceRead, *, new_failure: bool) -> None:
    _resume(turn, case)
    if _of_another_card(turn, case, fact):
        _other_declined(turn, case, fact)
        return
    news = fact.decline != case.decline and not case.retry_with_new_method  # the old card's words say nothing about the new one
    if case.verdict is None or new_failure or news:
        judge(turn, case, fact.decline, fact.card, attempted=bool(fact.attempts))
        proceed(turn, case)
    elif case.retry_at is None and case.dunning_at is None:
        proceed(turn, case)
    else:
        turn.noop_reason = "as_known"


def _of_another_card(turn: Transition, case: Case, fact: InvoiceRead) -> bool:
    """Whether the latest decline is of a card that our retry would not charge: one that a person typed on Stripe's page (B22)."""
    tried, known, saved = fact.card, case.card, charged_method(turn.row, case)
    if case.verdict is None or case.method or case.retry_with_new_method or fact.decline is None or tried is None:
        return False
    if saved and tried.method:
        return saved != tried.method
    on_session = case.on_session_at is not None and not older(case.on_session_at, case.last_failed_at)
    differ = known is not None and "" not in {known.fingerprint, tried.fingerprint} and known.fingerprint != tried.fingerprint
    return on_session and differ


def _other_declined(turn: Transition, case: Case, fact: InvoiceRead) -> None:
    """What that card's bank said sticks to that card; what is planned with the saved one goes on."""
    verdict = classify(fact.decline, fact.card, turn.policy.decline_overrides)
    bar(turn, verdict, fact.decline, fact.card)
    turn.record("case_updated", case, "other_card_declined", details={"code": verdict.code} if verdict.code else {})
    if case.retry_at is None and case.dunning_at is None:
        proceed(turn, case)


def failed(turn: Transition, case: Case, fact: ReadFailed, *, awaited: bool) -> None:
    """The read failed."""
    turn.record("read_failed", case, "gone" if fact.gone else "read_failed", effect=fact.effect, details={"why": fact.why})
    if not case.active:
        if awaited and not fact.gone and case.failed_reads < REPEATS:
            case.failed_reads, case.read_at = case.failed_reads + 1, turn.now + timedelta(hours=1)
        return
    if fact.gone:
        close(turn, case, "invoice_gone")
    elif awaited and fact.why == "account_paused" and held(case):
        case.read_at = after_pause(case, turn.now)
    elif awaited:
        _without(turn, case)


def unanswered(turn: Transition, case: Case, effect: str) -> None:
    """No answer to this read in time: it is withdrawn."""
    turn.withdraw(case, "unanswered")
    turn.record("read_failed", case, "unanswered", effect=effect)
    case.failed_reads += 1
    _without(turn, case)


def _without(turn: Transition, case: Case) -> None:
    """Read again a few times, then decide by the webhooks; a debit in progress is read until it settles."""
    case.failed_reads += 1
    if case.failed_reads <= REPEATS:
        case.read_at = turn.now + timedelta(hours=1)
        return
    case.failed_reads = 0
    if case.switched_off:
        close(turn, case, HUMAN)  # nobody has said that it is not so
        return
    if case.suspended_at is not None:
        suspend(turn, case)
        return
    if case.processing_since is not None and turn.now - case.processing_since < LONGEST_DEBIT:
        case.read_at = turn.now + REREAD_AFTER
        return
    case.processing_since = None
    if case.verdict is None:
        judge(turn, case, case.decline, case.card)
    if case.retry_at is None and case.dunning_at is None:
        proceed(turn, case)

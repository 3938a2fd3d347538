"""What a look at the invoice shows, and what to do when none could be had."""

from datetime import datetime, timedelta

from recovery.contracts.customer import Attempt, Case
from recovery.contracts.facts import InvoiceRead, InvoiceState, ReadFailed
from recovery.decide import budgets, cause, reopening
from recovery.decide.charged import charged_method
from recovery.decide.classify import classify
from recovery.decide.endings import beside, close, lose, paid_amount, part_paid, recover
from recovery.decide.order import older
from recovery.decide.retrying import bar, held, judge, proceed
from recovery.decide.schedule import after_pause
from recovery.decide.turn import Turn, next_action

AGAIN = timedelta(hours=24)
"""How long we wait before we look again at what is neither paid nor lost: paused, processing, a draft."""
REPEATS = 3
"""How often a look that failed is asked for again; one that was never answered, which took a day, counts for two. So it is decided on
what is known after some 3 hours of failing looks, or some 2 days of silence."""
ENDED_STATUS: frozenset[str] = frozenset({"canceled", "incomplete_expired"})
"""Subscriptions that will not go on (B67). `unpaid` is none: its invoice is open, and paying it makes the subscription active again."""
HUMAN = "human_owns_it"
"""Why an invoice is left alone whose automatic collection a person switched off (B14)."""
LOST = "cancelled_for_non_payment"
"""Why a case is lost whose subscription Stripe cancelled after its own last attempt."""
WEEKLY_AFTER, WEEK = timedelta(days=14), timedelta(days=7)
"""A collection that has been paused for so long is looked at once a week; when it goes on, a webhook tells."""
LONGEST_PAUSE = timedelta(days=180)
"""A collection that is paused for longer will hardly go on; the case is closed, so that every case ends."""
LONGEST_DEBIT = timedelta(days=15)
"""A debit that is processing for longer is taken for undecided, so that every case ends."""


def show(case: Case, state: InvoiceState, at: datetime, *, by_read: bool = False) -> bool:
    """Take what Stripe shows unless something newer is known; a look wins over a webhook of the same second (B3). Whether it changed."""
    if case.shown_at is not None and (at < case.shown_at or (at == case.shown_at and case.shown_by_read and not by_read)):
        return False
    before = (case.at_stake, case.stripe_next)
    case.shown_at, case.shown_by_read = at, by_read
    case.at_stake = state.amount_remaining if state.amount_remaining > 0 else case.at_stake
    case.stripe_next = state.next_payment_attempt if state.auto_advance else None
    case.subscription, case.currency = case.subscription or state.subscription, case.currency or state.currency
    case.renews_at = state.renews_at or case.renews_at
    case.invoice_method = state.own_method
    case.invoiced_at = state.created
    if state.status == "open" and state.amount_remaining > 0:
        case.owed_at = at
    return before != (case.at_stake, case.stripe_next)


def answered(turn: Turn, case: Case, fact: InvoiceRead) -> None:
    """The look's answer: the case ends by it, or goes its way with the newest decline."""
    unread, case.unread = case.unread, 0
    known = case.last_failed_at
    first = case.verdict is None
    _count(turn, case, fact)
    if not case.active:
        if fact.state.status == "paid":
            _paid(turn, case, fact, first=first)
            return
        owned = case.reason == HUMAN and not fact.state.auto_advance
        if fact.state.status != "open" or owned or _over(fact) or not reopening.shown(turn, case, fact):
            turn.note = "case_ended"
            return
    if case.subscription_at is None or fact.occurred_at >= case.subscription_at:
        case.subscription_at = fact.occurred_at
    if not older(fact.occurred_at, turn.row.default_at) and fact.customer_method:
        turn.row.default_method, turn.row.default_at = fact.customer_method, fact.occurred_at
    if case.subscription_method_at is None or fact.occurred_at >= case.subscription_method_at:
        case.subscription_method, case.subscription_method_at = fact.subscription_method, fact.occurred_at
    newest = case.shown_at is None or fact.occurred_at >= case.shown_at
    show(case, fact.state, fact.occurred_at, by_read=True)
    if fact.state.status == "paid":
        _paid(turn, case, fact, first=first)
    elif not newest and fact.state.status == "open" and unread < REPEATS:
        turn.note = "older_than_known"
        _restart(turn, case, unread)
    else:
        came = fact.state.amount_paid - case.paid_before
        part_paid(turn, case, came, fact.state, beside(turn, case, fact.state, came, cause.from_read(case, fact)))
        _not_paid(turn, case, fact, new_failure=case.last_failed_at > known)


def read_instead(turn: Turn, case: Case, because: str = "older_than_failure") -> None:
    """Ask Stripe before anything ends by what was told: it may have been taken back since (B3), or does not tell enough (B102)."""
    if case.flight is None or case.flight.kind != "read":
        case.read_at = turn.now
    turn.tell("case_updated", case, because)


def _restart(turn: Turn, case: Case, unread: int) -> None:
    """A case must never be left without an appointment: an answer that is too old is asked for again, first at once, then hours later, and
    in the end it is decided on what it shows. What was told before may bear a time that is yet to come."""
    if next_action(case)[1] is None:
        case.read_at, case.unread = turn.now + timedelta(hours=unread), unread + 1


def _count(turn: Turn, case: Case, fact: InvoiceRead) -> None:
    """Every attempt that Stripe lists counts once in the budgets, whoever made it (B29, B31); the first failure starts the ladder."""
    for seen in fact.attempts:
        if seen.reached_network:
            attempt = Attempt(seen.charge, seen.at, case.invoice, seen.fingerprint, seen.brand, seen.succeeded)
            budgets.remember(turn.row, attempt, turn.now)
        if not seen.succeeded:
            case.last_failed_at = max(case.last_failed_at, seen.at)
            case.failed_at = min(case.failed_at, seen.at)


def _paid(turn: Turn, case: Case, fact: InvoiceRead, *, first: bool) -> None:
    paid = cause.success(fact)
    failed = any(not attempt.succeeded for attempt in fact.attempts) or (paid is not None and paid.at > case.failed_at)
    if first and not failed and not fact.state.paid_out_of_band and not case.paid:
        case.paid, turn.note = True, "never_failed"  # its payment is no recovery: it came before the failure that we heard of (B4)
        if case.active:
            close(turn, case, "never_failed")
        return
    total = paid_amount(case, fact.state)
    credit = beside(turn, case, fact.state, total, cause.from_read(case, fact))
    charge = paid.charge if paid is not None else ""
    recover(turn, case, credit.by, total, charge, credit.evidence)


def _not_paid(turn: Turn, case: Case, fact: InvoiceRead, *, new_failure: bool) -> None:
    case.switched_off = case.switched_off and not fact.state.auto_advance
    reason = _over(fact) or (HUMAN if case.switched_off else "")
    if reason == LOST:
        lose(turn, case, reason, fact.subscription_why)
    elif reason:
        close(turn, case, reason)
    elif case.flight is not None:
        turn.note = "answer_awaited"
    elif fact.subscription_paused:
        suspend(turn, case)
    elif fact.state.status == "draft" and turn.now - case.last_failed_at >= LONGEST_PAUSE:
        close(turn, case, "draft")
    elif fact.state.status == "draft":
        case.read_at, case.reason = turn.now + AGAIN, "draft"
        turn.tell("case_updated", case, "draft")
    elif _processing(turn, case, fact):
        case.read_at, case.retry_at = turn.now + AGAIN, None
        turn.tell("case_updated", case, "processing")
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


def suspend(turn: Turn, case: Case, behavior: str = "") -> None:
    """Collection is paused: neither retry nor mail, look again later; the case goes on where it stood (B69), unless that takes too long.

    `behavior` is what becomes of invoices made meanwhile; it does not touch this one, which Stripe would go on collecting.
    """
    case.suspended_at = case.suspended_at or turn.now
    if turn.now - case.suspended_at >= LONGEST_PAUSE:
        close(turn, case, "paused_too_long")
        return
    case.read_at, case.reason = turn.now + _rest(turn, case), "subscription_paused"
    turn.tell("case_updated", case, "subscription_paused", details={"behavior": behavior} if behavior else {})


def _rest(turn: Turn, case: Case) -> timedelta:
    return WEEK if case.suspended_at is not None and turn.now - case.suspended_at >= WEEKLY_AFTER else AGAIN


def _resume(turn: Turn, case: Case) -> None:
    if case.suspended_at is None:
        return
    rest, case.suspended_at = turn.now - case.suspended_at, None
    if case.dunning_from is not None:
        case.dunning_from += rest
        case.dunning_at = case.dunning_at + rest if case.dunning_at is not None else None
    turn.tell("case_updated", case, "subscription_resumed")


def _processing(turn: Turn, case: Case, fact: InvoiceRead) -> bool:
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


def _open(turn: Turn, case: Case, fact: InvoiceRead, *, new_failure: bool) -> None:
    _resume(turn, case)
    if _of_another_card(turn, case, fact):
        _other_declined(turn, case, fact)
        return
    news = fact.decline != case.decline and not case.fresh_method  # the old card's words say nothing about the new one
    if case.verdict is None or new_failure or news:
        judge(turn, case, fact.decline, fact.card, attempted=bool(fact.attempts))
        proceed(turn, case)
    elif case.retry_at is None and case.dunning_at is None:
        proceed(turn, case)
    else:
        turn.note = "as_known"


def _of_another_card(turn: Turn, case: Case, fact: InvoiceRead) -> bool:
    """Whether the latest decline is of a card that our retry would not be made on: one that somebody typed on Stripe's page (B22)."""
    tried, known, saved = fact.card, case.card, charged_method(turn.row, case)
    if case.verdict is None or case.method or case.fresh_method or fact.decline is None or tried is None:
        return False
    if saved and tried.method:
        return saved != tried.method
    on_session = case.on_session_at is not None and not older(case.on_session_at, case.last_failed_at)
    differ = known is not None and "" not in {known.fingerprint, tried.fingerprint} and known.fingerprint != tried.fingerprint
    return on_session and differ


def _other_declined(turn: Turn, case: Case, fact: InvoiceRead) -> None:
    """What that card's bank said sticks to that card; what is planned with the saved one goes on."""
    verdict = classify(fact.decline, fact.card, turn.policy.decline_overrides)
    bar(turn, verdict, fact.decline, fact.card)
    turn.tell("case_updated", case, "other_card_declined", details={"code": verdict.code} if verdict.code else {})
    if case.retry_at is None and case.dunning_at is None:
        proceed(turn, case)


def failed(turn: Turn, case: Case, fact: ReadFailed, *, awaited: bool) -> None:
    """No look could be had."""
    turn.tell("read_failed", case, "gone" if fact.gone else "read_failed", effect=fact.effect, details={"why": fact.why})
    if not case.active:
        if awaited and not fact.gone and case.unread < REPEATS:
            case.unread, case.read_at = case.unread + 1, turn.now + timedelta(hours=1)
        return
    if fact.gone:
        close(turn, case, "invoice_gone")
    elif awaited and fact.why == "account_paused" and held(case):
        case.read_at = after_pause(case, turn.now)
    elif awaited:
        _without(turn, case)


def unanswered(turn: Turn, case: Case, effect: str) -> None:
    """No answer in time to this look: it is taken back."""
    turn.withdraw(case, "unanswered")
    turn.tell("read_failed", case, "unanswered", effect=effect)
    case.unread += 1
    _without(turn, case)


def _without(turn: Turn, case: Case) -> None:
    """Ask again a few times, then decide on what the webhooks told; a debit on its way is asked for until it settles."""
    case.unread += 1
    if case.unread <= REPEATS:
        case.read_at = turn.now + timedelta(hours=1)
        return
    case.unread = 0
    if case.switched_off:
        close(turn, case, HUMAN)  # nobody has said that it is not so
        return
    if case.suspended_at is not None:
        suspend(turn, case)
        return
    if case.processing_since is not None and turn.now - case.processing_since < LONGEST_DEBIT:
        case.read_at = turn.now + AGAIN
        return
    case.processing_since = None
    if case.verdict is None:
        judge(turn, case, case.decline, case.card)
    if case.retry_at is None and case.dunning_at is None:
        proceed(turn, case)

"""What the webhooks about an invoice do: open a case, tell more about it, or end it."""

from datetime import timedelta

from recovery.contracts.customer import Case, Customer
from recovery.contracts.facts import (
    InvoiceChanged,
    InvoiceFact,
    InvoicePaid,
    InvoicePaymentSucceeded,
    InvoiceVoided,
    InvoiceWrittenOff,
    PaymentActionRequired,
    PaymentFailed,
)
from recovery.contracts.limits import ENDED_CASES, OPEN_CASES
from recovery.decide import cause, dunning, hints, holdout, methods, reopening
from recovery.decide.classify import AUTHENTICATION
from recovery.decide.commands import forbidden
from recovery.decide.endings import beside, close, paid_amount, part_paid, recover, reverse
from recovery.decide.order import older
from recovery.decide.reading import HUMAN, read_instead, show
from recovery.decide.retrying import conclude
from recovery.decide.turn import Turn
from recovery.ids import idempotency_key, is_ours
from recovery.policy import Policy

FIRST_INVOICE = "subscription_create"
PAYMENT_TOLD = timedelta(hours=1)
"""So long we wait for the webhook of a payment that a change has shown, before we look for ourselves."""
CLOCKS_DIFFER = timedelta(minutes=5)
"""How far our clock, which a read is dated by, may be ahead of Stripe's."""
OLD = timedelta(days=14)
"""A failure of which we hear for the first time so long after its invoice is left alone (B8, product decision 19)."""


def ignored(fact: InvoiceFact, policy: Policy) -> str:
    """Why this failure opens no case; empty when it does (B11 to B14).

    Stripe tries by itself only what it collects, so an automatic attempt shows that no person had taken the invoice over, also where
    collection is off since: with Stripe's own retries off the first attempt is the last.
    """
    state = fact.state
    if state.billing_reason == FIRST_INVOICE and not tests_first(fact, policy):
        return "first_invoice"
    if state.collection_method == "send_invoice":
        return "sent_invoice"
    if state.amount_remaining <= 0:
        return "nothing_owed"
    if not state.auto_advance and by_request(fact):
        return HUMAN
    if not state.subscription and not policy.one_off_invoices:
        return "one_off_invoice"
    if state.attempt_count > 1 and fact.occurred_at - state.created > OLD:
        return "old_failure"
    return ""


def tests_first(fact: InvoiceFact, policy: Policy) -> bool:
    """Whether a failed first invoice opens a case after all: in test mode, to try the product out (product decision 23)."""
    return policy.test_first_invoices and not policy.livemode and not fact.livemode


def failed(turn: Turn, fact: PaymentFailed) -> None:
    """A failed attempt: of a new invoice, of one whose case is open, or of one whose case has ended."""
    case = turn.row.cases.get(fact.invoice)
    if case is None:
        _open(turn, fact, decline_known=fact)
    elif case.active:
        _again(turn, case, fact)
    elif _returned(case, fact):
        _reopen(turn, case, fact)
    elif _after_the_end(case, fact) and reopening.possible(turn, case):
        reopening.read_again(turn, case, "failed_again")
    else:
        turn.note = "case_ended"


def _returned(case: Case, fact: PaymentFailed) -> bool:
    """Whether money that had come went back to the bank, so that the invoice is owed again (B72)."""
    later = case.ended_at is not None and fact.occurred_at > case.ended_at
    return case.status == "recovered" and later and fact.state.status == "open" and fact.state.amount_remaining > 0


def _after_the_end(case: Case, fact: PaymentFailed) -> bool:
    """Whether somebody, and not we, tried an invoice that is owed after its case had ended."""
    owed = fact.state.status == "open" and fact.state.amount_remaining > 0
    return owed and case.ended_at is not None and fact.occurred_at > case.ended_at and not is_ours(fact.request_key)


def _reopen(turn: Turn, case: Case, fact: PaymentFailed) -> None:
    """The recovery is taken back, and a new case of the same invoice begins; its ids go on, so that none is used twice."""
    reverse(turn, case, "bank_return", case.recovered_minor)
    again = _open(turn, fact, fact)
    if again is None:
        turn.row.cases[fact.invoice] = case


def action_required(turn: Turn, fact: PaymentActionRequired) -> None:
    """The bank wants the customer: no silent retry, the mails begin (B17, product decision 8)."""
    case = turn.row.cases.get(fact.invoice)
    if case is None:
        case = _open(turn, fact)
        if case is not None:
            case.asks_for_authentication, case.status = True, "action_required"
    elif not case.active:
        turn.note = "case_ended"
    else:
        _again(turn, case, fact)
        if case.verdict is None:
            case.asks_for_authentication = True
        elif case.flight is None and fact.occurred_at >= case.last_failed_at and case.verdict.kind != "needs_auth" and not by_request(fact):
            conclude(turn, case, AUTHENTICATION)
            dunning.begin(turn, case, "authentication_required")


def _open(turn: Turn, fact: InvoiceFact, decline_known: PaymentFailed | None = None) -> Case | None:
    why, state = forbidden(turn.row, fact.invoice, turn.now) or ignored(fact, turn.policy) or _no_room(turn.row, fact.invoice), fact.state
    if why:
        amounts = {"amount_minor": state.amount_remaining, "currency": state.currency, "subscription": state.subscription}
        turn.tell_row("failure_ignored", why, **amounts)
        return None
    known = turn.row.cases.get(fact.invoice)
    case = Case(
        invoice=fact.invoice,
        sequence=known.sequence if known is not None else 0,
        requests=known.requests if known is not None else 0,
        answered=known.answered if known is not None else [],
        subscription=state.subscription,
        currency=state.currency,
        reason="payment_failed",
        opened_at=fact.occurred_at,
        failed_at=fact.occurred_at,
        last_failed_at=fact.occurred_at,
        paid_before=state.amount_paid,
        outside=state.paid_off_stripe,
        read_at=turn.now,
        decline=decline_known.decline if decline_known is not None else None,
    )
    show(case, state, fact.occurred_at)
    hints.join(turn.row, case)
    holdout.assign(turn.row, turn.policy)
    turn.row.cases[fact.invoice] = case
    details = {"attempt": str(state.attempt_count), **holdout.marks(turn.row, turn.policy)}
    if state.billing_reason == FIRST_INVOICE:
        case.test, details["test"] = True, "true"
    turn.tell("payment_failed", case, "payment_failed", details=details)
    return case


def by_request(fact: InvoiceFact) -> bool:
    """Whether somebody asked Stripe for it, and not we: the customer on its page, or the merchant. Stripe's own doing has no request."""
    return bool(fact.request_id or fact.request_key) and not is_ours(fact.request_key)


def _no_room(row: Customer, invoice: str) -> str:
    """Why the row has no room for another open case. Of ended ones, those that ended first are forgotten beyond their limit."""
    ended = sorted((case.ended_at, case.invoice) for case in row.cases.values() if case.ended_at is not None and case.invoice != invoice)
    for _, oldest in ended[: max(0, len(ended) - ENDED_CASES)]:
        del row.cases[oldest]
    running = sum(1 for case in row.cases.values() if case.ended_at is None)
    return "too_many_cases" if running >= OPEN_CASES else ""


def _again(turn: Turn, case: Case, fact: InvoiceFact) -> None:
    """A further failure: Stripe's schedule may have moved; its attempt is read for the budgets, ours is known (B29)."""
    show(case, fact.state, fact.occurred_at)
    ours = is_ours(fact.request_key)
    if by_request(fact):
        case.on_session_at = max(fact.occurred_at, case.on_session_at or fact.occurred_at)
    if not case.tried_at:
        case.failed_at = min(case.failed_at, fact.occurred_at)
    if fact.occurred_at > case.last_failed_at:
        case.last_failed_at = fact.occurred_at
        if case.method_at is None or fact.occurred_at >= case.method_at:
            case.method, case.fresh_method = "", case.fresh_method and ours  # somebody else has tried the new method meanwhile
    turn.tell("failure_repeated", case, "our_attempt" if ours else "other_attempt", details={"attempt": str(fact.state.attempt_count)})
    charging = case.flight is not None and case.flight.kind == "charge"
    planned = case.verdict is not None and (charging or (case.flight is None and case.retry_at is not None))
    if case.processing_since is not None or (planned and not ours):
        case.read_at = turn.now


def paid(turn: Turn, fact: InvoicePaid | InvoicePaymentSucceeded | InvoiceChanged) -> None:
    """The invoice is paid: whatever was planned dies at once. Unless it was seen open since: what came went back to the bank (B72)."""
    case = turn.row.cases.get(fact.invoice)
    if case is None:
        turn.note = "no_case"
    elif isinstance(fact, InvoicePaymentSucceeded) and fact.state.status == "open":
        _shown(turn, case, fact)  # a part stays paid, whatever was seen since
    elif case.active and case.owed_at is not None and fact.occurred_at < case.owed_at - CLOCKS_DIFFER:
        read_instead(turn, case)
    else:
        if case.flight is not None and idempotency_key(case.flight.effect) == fact.request_key:
            case.flight = None  # it is this payment; its outcome is on the way
        credit = cause.from_webhook(turn.row.account, case, fact)
        show(case, fact.state, fact.occurred_at)
        total = paid_amount(case, fact.state)
        credit = beside(turn, case, fact.state, total, credit)
        recover(turn, case, credit.by, total, evidence=credit.evidence)


def changed(turn: Turn, fact: InvoiceChanged) -> None:
    """Amounts or Stripe's schedule changed (B30, B70), or the change is an ending."""
    case, status = turn.row.cases.get(fact.invoice), fact.state.status
    if case is None:
        turn.note = "no_case"
    elif status == "paid":
        _shown_paid(turn, case, fact)
    elif not case.active:
        turn.note = "case_ended"
        on_again = case.reason == HUMAN and fact.state.auto_advance and status == "open" and not older(fact.occurred_at, case.ended_at)
        if on_again and reopening.possible(turn, case):
            reopening.read_again(turn, case, "collection_switched_on")
    elif status in {"void", "uncollectible"}:
        _over(turn, fact, "voided" if status == "void" else "written_off")
    else:
        _shown(turn, case, fact)
        if case.active and fact.switched_off and by_request(fact):
            case.switched_off = True
            read_instead(turn, case, "collection_switched_off")


def _shown_paid(turn: Turn, case: Case, fact: InvoiceChanged) -> None:
    """A change need not be the payment: its request may be another's, and the payment's own webhook is on its way (F60).

    Until then nothing is charged or written, and if it does not come a look tells, also after the end. Money beside Stripe and a charge of
    ours are told by the change itself.
    """
    if case.paid or fact.state.paid_out_of_band or cause.charge_of_key(turn.row.account, case, fact.request_key):
        paid(turn, fact)
        return
    show(case, fact.state, fact.occurred_at)
    soon = turn.now + PAYMENT_TOLD
    case.read_at = soon if case.read_at is None else min(case.read_at, soon)
    case.retry_at, case.dunning_at, case.sms_at = (at and max(at, soon) for at in (case.retry_at, case.dunning_at, case.sms_at))
    if case.flight is not None and case.flight.kind == "charge":
        turn.withdraw(case, "payment_awaited")
    turn.note = "payment_awaited"


def _shown(turn: Turn, case: Case, fact: InvoiceFact) -> None:
    """An open invoice as it is now: partly paid, with another amount by a plan change or credit note (B70), or with nothing left to pay."""
    known, before, method = case.shown_at, case.at_stake, case.invoice_method
    changed = case.active and show(case, fact.state, fact.occurred_at)
    came, told = fact.state.amount_paid - case.paid_before, case.part_minor
    credit = beside(turn, case, fact.state, came, cause.from_webhook(turn.row.account, case, fact))
    parted = (came > 0 and part_paid(turn, case, came, fact.state, credit)) or case.part_minor > told
    if case.active and fact.state.amount_remaining <= 0 and (known is None or fact.occurred_at >= known):
        close(turn, case, "credited")
    elif changed:
        details = {"amount_before": str(before)} if case.at_stake != before else {}
        turn.tell("case_updated", case, "invoice_changed", details=details)
    elif not parted:
        turn.note = "as_known"
    if case.active and case.invoice_method not in {"", method}:
        methods.of_invoice(turn, case)


def voided(turn: Turn, fact: InvoiceVoided) -> None:
    """Nothing is owed any more (B16)."""
    _over(turn, fact, "voided")


def written_off(turn: Turn, fact: InvoiceWrittenOff) -> None:
    """The merchant gave it up; a late payment still counts (B16)."""
    _over(turn, fact, "written_off")


def _over(turn: Turn, fact: InvoiceFact, reason: str) -> None:
    case = turn.row.cases.get(fact.invoice)
    if case is None or not case.active:
        turn.note = "no_case" if case is None else "case_ended"
    elif older(fact.occurred_at, case.last_failed_at):
        read_instead(turn, case)
    else:
        close(turn, case, reason)

"""Handlers of webhooks about an invoice: they open a case, update it, or end it."""

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
from recovery.decide.handlers.collection import payment_methods, reopening, unmatched_failures
from recovery.decide.handlers.collection.case_closing import beside, close, paid_amount, part_paid, recover, reverse
from recovery.decide.handlers.collection.invoice_reads import HUMAN, read_instead, show
from recovery.decide.handlers.collection.retries import conclude
from recovery.decide.handlers.commands import forbidden
from recovery.decide.handlers.messages import dunning
from recovery.decide.rules import attribution, experiment
from recovery.decide.rules.classify import AUTHENTICATION
from recovery.decide.rules.event_order import older
from recovery.decide.transition import Transition
from recovery.ids import idempotency_key, is_ours
from recovery.policy import Policy

FIRST_INVOICE = "subscription_create"
PAYMENT_EVENT_DELAY = timedelta(hours=1)
"""How long we wait for the webhook of a payment that a change has shown, before we read the invoice."""
CLOCKS_DIFFER = timedelta(minutes=5)
"""How far our clock, which a read is dated by, may be ahead of Stripe's."""
OLD = timedelta(days=14)
"""A failure of which we hear for the first time so long after its invoice is left alone (B8)."""


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
    """Whether a failed first invoice opens a case after all: in test mode, to try the product out."""
    return policy.test_first_invoices and not policy.livemode and not fact.livemode


def failed(turn: Transition, fact: PaymentFailed) -> None:
    """A failed attempt: of a new invoice, of one whose case is open, or of one whose case has ended."""
    case = turn.row.cases.get(fact.invoice)
    if case is None:
        _open(turn, fact, decline_known=fact)
    elif case.active:
        _repeated_failure(turn, case, fact)
    elif _returned(case, fact):
        _reopen(turn, case, fact)
    elif _after_the_end(case, fact) and reopening.possible(turn, case):
        reopening.request_reread(turn, case, "failed_again")
    else:
        turn.noop_reason = "case_ended"


def _returned(case: Case, fact: PaymentFailed) -> bool:
    """Whether money that had come went back to the bank, so that the invoice is owed again (B72)."""
    later = case.ended_at is not None and fact.occurred_at > case.ended_at
    return case.status == "recovered" and later and fact.state.status == "open" and fact.state.amount_remaining > 0


def _after_the_end(case: Case, fact: PaymentFailed) -> bool:
    """Whether another program than ours tried an invoice that is owed after its case had ended."""
    owed = fact.state.status == "open" and fact.state.amount_remaining > 0
    return owed and case.ended_at is not None and fact.occurred_at > case.ended_at and not is_ours(fact.request_key)


def _reopen(turn: Transition, case: Case, fact: PaymentFailed) -> None:
    """The recovery is taken back, and a new case of the same invoice begins; its ids go on, so that none is used twice."""
    reverse(turn, case, "bank_return", case.recovered_minor)
    reopened = _open(turn, fact, fact)
    if reopened is None:
        turn.row.cases[fact.invoice] = case


def action_required(turn: Transition, fact: PaymentActionRequired) -> None:
    """The bank wants the customer: no silent retry, the mails begin (B17)."""
    case = turn.row.cases.get(fact.invoice)
    if case is None:
        case = _open(turn, fact)
        if case is not None:
            case.authentication_required, case.status = True, "action_required"
    elif not case.active:
        turn.noop_reason = "case_ended"
    else:
        _repeated_failure(turn, case, fact)
        if case.verdict is None:
            case.authentication_required = True
        elif (
            case.pending_effect is None
            and fact.occurred_at >= case.last_failed_at
            and case.verdict.kind != "needs_auth"
            and not by_request(fact)
        ):
            conclude(turn, case, AUTHENTICATION)
            dunning.begin(turn, case, "authentication_required")


def _open(turn: Transition, fact: InvoiceFact, decline_known: PaymentFailed | None = None) -> Case | None:
    why, state = forbidden(turn.row, fact.invoice, turn.now) or ignored(fact, turn.policy) or _no_room(turn.row, fact.invoice), fact.state
    if why:
        amounts = {"amount_minor": state.amount_remaining, "currency": state.currency, "subscription": state.subscription}
        turn.record_unscoped("failure_ignored", why, **amounts)
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
    unmatched_failures.join(turn.row, case)
    experiment.assign(turn.row, turn.policy)
    turn.row.cases[fact.invoice] = case
    details = {"attempt": str(state.attempt_count), **experiment.marks(turn.row, turn.policy)}
    if state.billing_reason == FIRST_INVOICE:
        case.test, details["test"] = True, "true"
    turn.record("payment_failed", case, "payment_failed", details=details)
    return case


def by_request(fact: InvoiceFact) -> bool:
    """Whether a person requested it from Stripe: the customer on its page, or the merchant. What Stripe does by itself has no request."""
    return bool(fact.request_id or fact.request_key) and not is_ours(fact.request_key)


def _no_room(row: Customer, invoice: str) -> str:
    """Why the row has no room for another open case. Of ended ones, those that ended first are forgotten beyond their limit."""
    ended = sorted((case.ended_at, case.invoice) for case in row.cases.values() if case.ended_at is not None and case.invoice != invoice)
    for _, oldest in ended[: max(0, len(ended) - ENDED_CASES)]:
        del row.cases[oldest]
    running = sum(1 for case in row.cases.values() if case.ended_at is None)
    return "too_many_cases" if running >= OPEN_CASES else ""


def _repeated_failure(turn: Transition, case: Case, fact: InvoiceFact) -> None:
    """A further failure: Stripe's schedule may have moved; its attempt is read for the budgets, ours is known (B29)."""
    show(case, fact.state, fact.occurred_at)
    ours = is_ours(fact.request_key)
    if by_request(fact):
        case.on_session_at = max(fact.occurred_at, case.on_session_at or fact.occurred_at)
    if not case.last_attempt_at:
        case.failed_at = min(case.failed_at, fact.occurred_at)
    if fact.occurred_at > case.last_failed_at:
        case.last_failed_at = fact.occurred_at
        if case.method_at is None or fact.occurred_at >= case.method_at:
            case.method, case.retry_with_new_method = (
                "",
                case.retry_with_new_method and ours,
            )  # somebody else has tried the new method meanwhile
    turn.record(
        "attempt_failed_again", case, "our_attempt" if ours else "other_attempt", details={"attempt": str(fact.state.attempt_count)}
    )
    charging = case.pending_effect is not None and case.pending_effect.kind == "charge"
    planned = case.verdict is not None and (charging or (case.pending_effect is None and case.retry_at is not None))
    if case.processing_since is not None or (planned and not ours):
        case.read_at = turn.now


def paid(turn: Transition, fact: InvoicePaid | InvoicePaymentSucceeded | InvoiceChanged) -> None:
    """The invoice is paid: whatever was planned dies at once. Unless it was seen open since: what came went back to the bank (B72)."""
    case = turn.row.cases.get(fact.invoice)
    if case is None:
        turn.noop_reason = "no_case"
    elif isinstance(fact, InvoicePaymentSucceeded) and fact.state.status == "open":
        _shown(turn, case, fact)  # a part stays paid, whatever was seen since
    elif case.active and case.owed_at is not None and fact.occurred_at < case.owed_at - CLOCKS_DIFFER:
        read_instead(turn, case)
    else:
        if case.pending_effect is not None and idempotency_key(case.pending_effect.effect) == fact.request_key:
            case.pending_effect = None  # it is this payment; its outcome is on the way
        credit = attribution.from_webhook(turn.row.account, case, fact)
        show(case, fact.state, fact.occurred_at)
        total = paid_amount(case, fact.state)
        credit = beside(turn, case, fact.state, total, credit)
        recover(turn, case, credit.by, total, evidence=credit.evidence)


def changed(turn: Transition, fact: InvoiceChanged) -> None:
    """Amounts or Stripe's schedule changed (B30, B70), or the change is an ending."""
    case, status = turn.row.cases.get(fact.invoice), fact.state.status
    if case is None:
        turn.noop_reason = "no_case"
    elif status == "paid":
        _shown_paid(turn, case, fact)
    elif not case.active:
        turn.noop_reason = "case_ended"
        switched_on = case.reason == HUMAN and fact.state.auto_advance and status == "open" and not older(fact.occurred_at, case.ended_at)
        if switched_on and reopening.possible(turn, case):
            reopening.request_reread(turn, case, "collection_switched_on")
    elif status in {"void", "uncollectible"}:
        _over(turn, fact, "voided" if status == "void" else "written_off")
    else:
        _shown(turn, case, fact)
        if case.active and fact.switched_off and by_request(fact):
            case.switched_off = True
            read_instead(turn, case, "collection_switched_off")


def _shown_paid(turn: Transition, case: Case, fact: InvoiceChanged) -> None:
    """A change may not be the payment: its request may be another's, and the payment's own webhook is on its way.

    Until then nothing is charged or sent. If it does not arrive, a read decides, also after the end. The change itself reports money
    outside Stripe and a charge of ours.
    """
    if case.paid or fact.state.paid_out_of_band or attribution.charge_of_key(turn.row.account, case, fact.request_key):
        paid(turn, fact)
        return
    show(case, fact.state, fact.occurred_at)
    soon = turn.now + PAYMENT_EVENT_DELAY
    case.read_at = soon if case.read_at is None else min(case.read_at, soon)
    case.retry_at, case.dunning_at, case.sms_at = (at and max(at, soon) for at in (case.retry_at, case.dunning_at, case.sms_at))
    if case.pending_effect is not None and case.pending_effect.kind == "charge":
        turn.withdraw(case, "payment_awaited")
    turn.noop_reason = "payment_awaited"


def _shown(turn: Transition, case: Case, fact: InvoiceFact) -> None:
    """An open invoice as it is now: partly paid, with another amount by a plan change or credit note (B70), or with nothing left to pay."""
    known, before, method = case.state_observed_at, case.outstanding_minor, case.invoice_method
    changed = case.active and show(case, fact.state, fact.occurred_at)
    came, recorded = fact.state.amount_paid - case.paid_before, case.part_minor
    credit = beside(turn, case, fact.state, came, attribution.from_webhook(turn.row.account, case, fact))
    parted = (came > 0 and part_paid(turn, case, came, fact.state, credit)) or case.part_minor > recorded
    if case.active and fact.state.amount_remaining <= 0 and (known is None or fact.occurred_at >= known):
        close(turn, case, "credited")
    elif changed:
        details = {"amount_before": str(before)} if case.outstanding_minor != before else {}
        turn.record("case_updated", case, "invoice_changed", details=details)
    elif not parted:
        turn.noop_reason = "as_known"
    if case.active and case.invoice_method not in {"", method}:
        payment_methods.of_invoice(turn, case)


def voided(turn: Transition, fact: InvoiceVoided) -> None:
    """Nothing is owed any more (B16)."""
    _over(turn, fact, "voided")


def written_off(turn: Transition, fact: InvoiceWrittenOff) -> None:
    """The merchant gave it up; a late payment still counts (B16)."""
    _over(turn, fact, "written_off")


def _over(turn: Transition, fact: InvoiceFact, reason: str) -> None:
    case = turn.row.cases.get(fact.invoice)
    if case is None or not case.active:
        turn.noop_reason = "no_case" if case is None else "case_ended"
    elif older(fact.occurred_at, case.last_failed_at):
        read_instead(turn, case)
    else:
        close(turn, case, reason)

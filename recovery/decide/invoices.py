"""What the webhooks about an invoice do: open a case, tell more about it, or end it."""

from recovery.contracts.customer import Case
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
from recovery.decide import cause, dunning
from recovery.decide.classify import AUTHENTICATION
from recovery.decide.endings import close, paid_amount, recover
from recovery.decide.reading import show
from recovery.decide.retrying import conclude
from recovery.decide.turn import Turn
from recovery.ids import idempotency_key, is_ours
from recovery.policy import Policy

FIRST_INVOICE = "subscription_create"


def ignored(fact: InvoiceFact, policy: Policy) -> str:
    """Why this failure opens no case; empty when it does (B11 to B14)."""
    state = fact.state
    if state.billing_reason == FIRST_INVOICE:
        return "first_invoice"
    if state.collection_method == "send_invoice":
        return "sent_invoice"
    if state.amount_remaining <= 0:
        return "nothing_owed"
    if not state.auto_advance:
        return "human_owns_it"
    if not state.subscription and not policy.one_off_invoices:
        return "one_off_invoice"
    return ""


def failed(turn: Turn, fact: PaymentFailed) -> None:
    """A failed attempt: of a new invoice, of one whose case is open, or of one whose case has ended."""
    case = turn.row.cases.get(fact.invoice)
    if case is None:
        _open(turn, fact, decline_known=fact)
    elif case.active:
        _again(turn, case, fact)
    else:
        turn.note = "case_ended"


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
        elif case.flight is None and fact.occurred_at >= case.last_failed_at and case.verdict.kind != "needs_auth":
            conclude(turn, case, AUTHENTICATION)
            dunning.begin(turn, case, "authentication_required")


def _open(turn: Turn, fact: InvoiceFact, decline_known: PaymentFailed | None = None) -> Case | None:
    why, state = ignored(fact, turn.policy), fact.state
    if why:
        amounts = {"amount_minor": state.amount_remaining, "currency": state.currency, "subscription": state.subscription}
        turn.tell_row("failure_ignored", why, **amounts)
        return None
    case = Case(
        invoice=fact.invoice,
        subscription=state.subscription,
        currency=state.currency,
        reason="payment_failed",
        opened_at=fact.occurred_at,
        failed_at=fact.occurred_at,
        last_failed_at=fact.occurred_at,
        paid_before=state.amount_paid,
        read_at=turn.now,
        decline=decline_known.decline if decline_known is not None else None,
    )
    show(case, state, fact.occurred_at)
    turn.row.cases[fact.invoice] = case
    turn.tell("payment_failed", case, "payment_failed", details={"attempt": str(state.attempt_count)})
    return case


def _again(turn: Turn, case: Case, fact: InvoiceFact) -> None:
    """A further failure: Stripe's schedule may have moved; its attempt is read for the budgets, ours is known (B29)."""
    show(case, fact.state, fact.occurred_at)
    ours = is_ours(fact.request_key)
    if not case.tried_at:
        case.failed_at = min(case.failed_at, fact.occurred_at)
    if fact.occurred_at > case.last_failed_at:
        case.last_failed_at, case.method = fact.occurred_at, ""
    turn.tell("failure_repeated", case, "our_attempt" if ours else "other_attempt", details={"attempt": str(fact.state.attempt_count)})
    planned = case.verdict is not None and case.flight is None and case.retry_at is not None
    if case.processing_since is not None or (planned and not ours):
        case.read_at = turn.now


def paid(turn: Turn, fact: InvoicePaid | InvoicePaymentSucceeded | InvoiceChanged) -> None:
    """The invoice is paid: whatever was planned dies at once."""
    case = turn.row.cases.get(fact.invoice)
    if case is None:
        turn.note = "no_case"
    elif isinstance(fact, InvoicePaymentSucceeded) and fact.state.status == "open":
        _shown(turn, case, fact)
    else:
        if case.flight is not None and idempotency_key(case.flight.effect) == fact.request_key:
            case.flight = None  # it is this payment; its outcome is on the way
        by = cause.from_webhook(turn.row.account, case, fact)
        show(case, fact.state, fact.occurred_at)
        recover(turn, case, by, paid_amount(case, fact.state))


def changed(turn: Turn, fact: InvoiceChanged) -> None:
    """Amounts or Stripe's schedule changed (B30, B70), or the change is an ending."""
    case, status = turn.row.cases.get(fact.invoice), fact.state.status
    if case is None:
        turn.note = "no_case"
    elif status == "paid":
        paid(turn, fact)
    elif not case.active:
        turn.note = "case_ended"
    elif status in {"void", "uncollectible"}:
        close(turn, case, "voided" if status == "void" else "written_off")
    else:
        _shown(turn, case, fact)


def _shown(turn: Turn, case: Case, fact: InvoiceFact) -> None:
    if case.active and show(case, fact.state, fact.occurred_at):
        turn.tell("case_updated", case, "invoice_changed")
    else:
        turn.note = "as_known"


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
    else:
        close(turn, case, reason)

"""The one state machine: from a customer's state and a fact to the new state, the requested effects, and the events that explain them."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from recovery.contracts import facts
from recovery.contracts.customer import Account, Case, Customer
from recovery.contracts.effects import Effect
from recovery.contracts.events import Event
from recovery.contracts.facts import Fact
from recovery.decide import notifications, timers
from recovery.decide.handlers import commands, customer_events, policy_shadow
from recovery.decide.handlers.collection import (
    charges_and_refunds,
    end_action,
    invoice_reads,
    invoices,
    payment_methods,
    retries,
    retry_offers,
    subscriptions,
    unmatched_failures,
)
from recovery.decide.handlers.collection.case_closing import STUB, stub
from recovery.decide.handlers.messages import card_expiry, message_delivery, message_engagement, notification_outcomes, suppression
from recovery.decide.rules import budgets, plausibility
from recovery.decide.transition import Transition, next_action
from recovery.ids import fingerprint, number_of

SEEN, SEEN_OF_A_CASE, SEEN_MOST = 48, 2, 1_000
"""How many fact ids a row remembers: so many, more for each further case, at most the last. Kafka and Stripe repeat things soon."""
ANSWERED = 32
"""How many of its requests a case remembers to have been answered. One is out at a time, and an answer that is repeated is so soon."""
OUTCOMES: frozenset[type[Fact]] = frozenset(
    {facts.InvoiceRead, facts.ReadFailed, facts.ChargeSettled, facts.MessageSettled, facts.SubscriptionEndSettled}
)
"""Facts that report the outcome of a request. A second report is recognised by the request, whatever was reported in between."""

LAST = datetime.max.replace(tzinfo=UTC)


class Step(NamedTuple):
    """What follows from a fact. `customer` None: there is no row (any more). The events' ids are stamped by the caller."""

    customer: Customer | None
    effects: list[Effect]
    events: list[Event]


def advance(customer: Customer | None, fact: Fact, now: datetime, account: Account) -> Step:
    """Apply one fact to a customer's state, which may be changed in place; `now` is business time.

    TimePassed runs the due timers of this customer. Every other fact leaves at least one event. Equal arguments give equal results.
    """
    kind, now = type(fact), plausibility.present(now)
    fact = plausibility.believed(fact, now)
    if customer is None:
        if kind not in OPENERS:
            return _without_row(fact, now, account)
        customer = Customer(account=fact.account, customer=fact.customer)
    drafted = policy_shadow.copy(customer) if account.draft is not None and policy_shadow.concerns(customer, fact) else None
    turn = _decide(customer, fact, now, account)
    if drafted is not None and account.draft is not None:
        policy_shadow.compare(turn, _decide(drafted, fact, now, Account(account.policy_version, account.draft, account.paused)))
    return _finish(turn)


def _decide(customer: Customer, fact: Fact, now: datetime, account: Account) -> Transition:
    kind = type(fact)
    turn = Transition(customer, fact, now, account)
    seen = 0 if kind is facts.TimePassed else fingerprint(fact.id)
    if kind is not facts.TimePassed and (seen in customer.recent_fact_ids or (kind in OUTCOMES and _answered_before(customer, fact))):
        _record_silently(turn, "duplicate_fact_ignored", "seen_before")
        return turn
    if kind is facts.TimePassed:
        _forget(customer, now)
    else:
        _remember(customer, seen)
        if plausibility.no_money(fact):
            turn.noop_reason = "amount_out_of_range"
        else:
            HANDLERS[kind](turn, fact)
        if customer.early_refunds:
            charges_and_refunds.join_early(turn)
    timers.run_due(turn)
    if customer.expiring:
        card_expiry.run_due(turn)
    if not turn.events and kind is not facts.TimePassed:
        _record_silently(turn, "fact_had_no_effect", turn.noop_reason)
    return turn


def _without_row(fact: Fact, now: datetime, account: Account) -> Step:
    kind = type(fact)
    if kind is facts.TimePassed:
        return Step(None, [], [])
    if kind not in WITHOUT_ROW or plausibility.no_money(fact):
        return Step(None, [], [_noted(fact, account)])
    turn = Transition(Customer(account=fact.account, customer=fact.customer), fact, now, account)
    HANDLERS[kind](turn, fact)
    notifications.request_notifications(turn)
    return Step(None, turn.effects, turn.events)


def _noted(fact: Fact, account: Account) -> Event:
    """What nearly all facts come to, those of customers who just pay; without a row and a turn it takes a third of the time."""
    return Event(
        event_type="fact_had_no_effect",
        account=fact.account,
        customer=fact.customer,
        invoice=fact.invoice,
        occurred_at=fact.occurred_at,
        received_at=fact.received_at,
        cause=fact.id,
        cause_type=str(fact.__struct_config__.tag),
        trace=fact.trace,
        policy_version=account.policy_version,
        reason="amount_out_of_range" if plausibility.no_money(fact) else "no_case",
    )


def _remember(customer: Customer, seen: int) -> None:
    customer.recent_fact_ids.append(seen)
    most = min(SEEN + SEEN_OF_A_CASE * max(0, len(customer.cases) - 1), SEEN_MOST)
    if len(customer.recent_fact_ids) > most + 16:
        del customer.recent_fact_ids[:-most]


def _answered_before(customer: Customer, fact: Any) -> bool:
    """Whether the same request of the case was answered before; else it is from now on."""
    case = customer.cases.get(fact.invoice)
    number = number_of(customer.account, fact.invoice, fact.effect) if case is not None else None
    if case is None or number is None:
        return False
    if number in case.answered:
        return True
    case.answered = [*case.answered[1 - ANSWERED :], number]
    return False


def _record_silently(turn: Transition, event_type: Any, reason: str) -> None:
    case = turn.row.cases.get(turn.fact.invoice)
    if case is not None:
        turn.record(event_type, case, reason)
    else:
        turn.record_unscoped(event_type, reason)


def _finish(turn: Transition) -> Step:
    row = turn.row
    turn.close()
    notifications.request_notifications(turn)
    row.next_due_at = None
    for invoice, case in row.cases.items():
        if not case.active and case.state_observed_at is not None:  # not shrunk yet
            row.cases[invoice] = stub(case)
        at = next_action(case)[1] if case.active else case.read_at
        if at is not None and (row.next_due_at is None or at < row.next_due_at):
            row.next_due_at = at
    if row.expiring:
        row.next_due_at = min(row.next_due_at or LAST, *(card.at for card in row.expiring.values()))
    if row.next_due_at is None:
        row.next_due_at = _forget_at(row)
    return Step(row if row.next_due_at is not None or _stays(row) else None, turn.effects, turn.events)


def _stays(row: Customer) -> bool:
    """Whether something holds for ever: what a person has forbidden without an end, consent, suppression (architecture 1)."""
    return row.contact is not None or any(hold.until is None for hold in row.holds.values())


def _forget_at(row: Customer) -> datetime | None:
    """When nothing keeps the row any more; None when nothing keeps it now."""
    times = [case.ended_at + STUB for case in row.cases.values() if case.ended_at is not None]
    if row.attempts or row.out:
        times.append(max(attempt.at for attempt in (*row.attempts, *row.out)) + budgets.KEEP)
    times += [hold.until for hold in row.holds.values() if hold.until is not None]
    if row.forget_at is not None:
        times.append(row.forget_at)
    return max(times, default=None)


def _forget(row: Customer, now: datetime) -> None:
    if row.forget_at is not None and row.forget_at <= now:
        row.forget_at = None
    commands.forget(row, now)
    unmatched_failures.forget(row, now)
    charges_and_refunds.forget(row, now)
    aged = [case.invoice for case in row.cases.values() if case.ended_at is not None and case.ended_at + STUB <= now]
    for invoice in aged:
        del row.cases[invoice]
    budgets.forget(row, now)


def _case(turn: Transition, fact: Fact, kind: str, effect: str) -> tuple[Case | None, bool]:
    """The case that an outcome is about, and whether it is the answer that the case waits for."""
    case = turn.row.cases.get(fact.invoice)
    if case is None:
        turn.noop_reason = "no_case"
        return None, False
    awaited = case.pending_effect is not None and case.pending_effect.effect == effect and case.pending_effect.kind == kind
    if awaited:
        case.pending_effect = None
    return case, awaited


def _invoice_read(turn: Transition, fact: facts.InvoiceRead) -> None:
    case, _ = _case(turn, fact, "read", fact.effect)
    if case is not None:
        invoice_reads.answered(turn, case, fact)


def _read_failed(turn: Transition, fact: facts.ReadFailed) -> None:
    case, awaited = _case(turn, fact, "read", fact.effect)
    if case is not None:
        invoice_reads.failed(turn, case, fact, awaited=awaited)
    elif not fact.invoice:
        turn.record_unscoped("read_failed", "gone" if fact.gone else "read_failed", effect=fact.effect, details={"why": fact.why})


def _charge_settled(turn: Transition, fact: facts.ChargeSettled) -> None:
    budgets.answered(turn.row, fact.effect)
    case, awaited = _case(turn, fact, "charge", fact.effect)
    if case is not None:
        retries.settled(turn, case, fact, awaited=awaited)


def _webhook_ignored(turn: Transition, fact: facts.WebhookIgnored) -> None:
    turn.record_unscoped("webhook_ignored", fact.why, details={"webhook": fact.event_type})


def _webhook_parked(turn: Transition, fact: facts.WebhookParked) -> None:
    turn.record_unscoped("webhook_parked", fact.why, details={"webhook": fact.event_type})


OPENERS: frozenset[type[Fact]] = frozenset(
    {
        facts.PaymentFailed,
        facts.PaymentActionRequired,
        facts.StopRequested,
        facts.SnoozeRequested,
        facts.ExcludeRequested,
        facts.DisputeOpened,
        facts.MessageBounced,
        facts.MessageComplained,
        facts.ContactSuppressed,
        facts.ConsentGiven,
        facts.ConsentWithdrawn,
        facts.CardExpiring,
    }
)
"""The facts that may begin a row."""

HANDLERS: dict[type[Fact], Callable[[Transition, Any], None]] = {
    facts.PaymentFailed: invoices.failed,
    facts.PaymentActionRequired: invoices.action_required,
    facts.InvoicePaid: invoices.paid,
    facts.InvoicePaymentSucceeded: invoices.paid,
    facts.InvoiceChanged: invoices.changed,
    facts.InvoiceVoided: invoices.voided,
    facts.InvoiceWrittenOff: invoices.written_off,
    facts.ChargeFailed: charges_and_refunds.charge_failed,
    facts.IntentFailed: charges_and_refunds.intent_failed,
    facts.ChargeRefunded: charges_and_refunds.refunded,
    facts.DisputeOpened: charges_and_refunds.disputed,
    facts.CustomerChanged: customer_events.customer_changed,
    facts.CustomerDeleted: customer_events.customer_deleted,
    facts.SubscriptionChanged: subscriptions.changed,
    facts.SubscriptionEnded: subscriptions.ended,
    facts.MethodChanged: payment_methods.changed,
    facts.WebhookIgnored: _webhook_ignored,
    facts.WebhookParked: _webhook_parked,
    facts.InvoiceRead: _invoice_read,
    facts.ReadFailed: _read_failed,
    facts.ChargeSettled: _charge_settled,
    facts.MessageSettled: message_delivery.settled,
    facts.ChargeRead: charges_and_refunds.charge_read,
    facts.SubscriptionEndSettled: end_action.settled,
    facts.AlertSettled: notification_outcomes.alert,
    facts.WebhookSettled: notification_outcomes.webhook,
    facts.EndpointDisabled: notification_outcomes.endpoint_disabled,
    facts.MessageBounced: suppression.bounced,
    facts.MessageComplained: suppression.complained,
    facts.MessageOpened: message_engagement.opened,
    facts.MessageClicked: message_engagement.clicked,
    facts.MessageDelivered: message_engagement.delivered,
    facts.MessageUndelivered: message_engagement.undelivered,
    facts.MessageReceived: message_engagement.received,
    facts.ContactSuppressed: suppression.suppressed,
    facts.ContactAllowed: suppression.allowed,
    facts.ConsentGiven: suppression.consented,
    facts.ConsentWithdrawn: suppression.withdrawn,
    facts.CardExpiring: card_expiry.expiring,
    facts.RetryTimesOffered: retry_offers.offered,
    facts.RetryRequested: commands.retry,
    facts.StopRequested: commands.stop,
    facts.SnoozeRequested: commands.snooze,
    facts.ExcludeRequested: commands.exclude,
    facts.ResumeRequested: commands.resume,
    facts.ParkedReplayed: commands.dead_letter_replayed,
}
"""The handler of each fact type. TimePassed has no handler: it only runs timers."""

WITHOUT_ROW: frozenset[type[Fact]] = frozenset(
    {
        facts.WebhookIgnored,
        facts.WebhookParked,
        facts.AlertSettled,
        facts.WebhookSettled,
        facts.EndpointDisabled,
        facts.MessageOpened,
        facts.MessageClicked,
        facts.MessageDelivered,
        facts.MessageUndelivered,
        facts.MessageReceived,
        *(kind for kind in HANDLERS if issubclass(kind, facts.Command)),
    }
)
"""The facts that say something even where there is no row, and need none."""

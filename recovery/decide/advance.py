"""The one state machine: a customer's row and a fact in; the row as it is then, the effects asked for and the events that tell why, out."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from recovery.contracts import facts
from recovery.contracts.customer import Account, Case, Customer
from recovery.contracts.effects import Effect
from recovery.contracts.events import Event
from recovery.contracts.facts import Fact
from recovery.decide import (
    announce,
    budgets,
    commands,
    delivery,
    due,
    echoes,
    end_action,
    expiry,
    hints,
    invoices,
    methods,
    money,
    people,
    plans,
    plausible,
    reading,
    retrying,
    shadow,
    subscriptions,
    suppression,
    told,
)
from recovery.decide.endings import STUB, stub
from recovery.decide.turn import Turn, next_action
from recovery.ids import mark, number_of

SEEN, SEEN_OF_A_CASE, SEEN_MOST = 48, 2, 1_000
"""How many fact ids a row remembers: so many, more for each further case, at most the last. Kafka and Stripe repeat things soon."""
ANSWERED = 32
"""How many of its requests a case remembers to have been answered. One is out at a time, and an answer that is repeated is so soon."""
OUTCOMES: frozenset[type[Fact]] = frozenset(
    {facts.InvoiceRead, facts.ReadFailed, facts.ChargeSettled, facts.MessageSettled, facts.SubscriptionEndSettled}
)
"""What tells what became of a case's request; told twice, it is recognised by the request, however much was told in between."""

LAST = datetime.max.replace(tzinfo=UTC)


class Step(NamedTuple):
    """What follows from a fact. `customer` None: there is no row (any more). The events' ids are stamped by the caller."""

    customer: Customer | None
    effects: list[Effect]
    events: list[Event]


def advance(customer: Customer | None, fact: Fact, now: datetime, account: Account) -> Step:
    """Apply one fact to a customer's row, which may be changed in place; `now` is business time.

    TimePassed asks what is due on this row. Every other fact leaves at least one event. Equal arguments give equal answers.
    """
    kind, now = type(fact), plausible.present(now)
    fact = plausible.believed(fact, now)
    if customer is None:
        if kind not in OPENERS:
            return _without_row(fact, now, account)
        customer = Customer(account=fact.account, customer=fact.customer)
    drafted = shadow.copy(customer) if account.draft is not None and shadow.concerns(customer, fact) else None
    turn = _decide(customer, fact, now, account)
    if drafted is not None and account.draft is not None:
        shadow.compare(turn, _decide(drafted, fact, now, Account(account.number, account.draft, account.paused)))
    return _finish(turn)


def _decide(customer: Customer, fact: Fact, now: datetime, account: Account) -> Turn:
    kind = type(fact)
    turn = Turn(customer, fact, now, account)
    seen = 0 if kind is facts.TimePassed else mark(fact.id)
    if kind is not facts.TimePassed and (seen in customer.seen or (kind in OUTCOMES and _answered_before(customer, fact))):
        _tell_quietly(turn, "fact_repeated", "seen_before")
        return turn
    if kind is facts.TimePassed:
        _forget(customer, now)
    else:
        _remember(customer, seen)
        if plausible.no_money(fact):
            turn.note = "amount_out_of_range"
        else:
            HANDLERS[kind](turn, fact)
        if customer.early_refunds:
            money.join_early(turn)
    due.look(turn)
    if customer.expiring:
        expiry.look(turn)
    if not turn.events and kind is not facts.TimePassed:
        _tell_quietly(turn, "fact_noted", turn.note)
    return turn


def _without_row(fact: Fact, now: datetime, account: Account) -> Step:
    kind = type(fact)
    if kind is facts.TimePassed:
        return Step(None, [], [])
    if kind not in WITHOUT_ROW or plausible.no_money(fact):
        return Step(None, [], [_noted(fact, account)])
    turn = Turn(Customer(account=fact.account, customer=fact.customer), fact, now, account)
    HANDLERS[kind](turn, fact)
    announce.announce(turn)
    return Step(None, turn.effects, turn.events)


def _noted(fact: Fact, account: Account) -> Event:
    """What nearly all facts come to, those of customers who just pay; without a row and a turn it takes a third of the time."""
    return Event(
        event_type="fact_noted",
        account=fact.account,
        customer=fact.customer,
        invoice=fact.invoice,
        occurred_at=fact.occurred_at,
        received_at=fact.received_at,
        cause=fact.id,
        cause_type=str(fact.__struct_config__.tag),
        trace=fact.trace,
        policy_version=account.number,
        reason="amount_out_of_range" if plausible.no_money(fact) else "no_case",
    )


def _remember(customer: Customer, seen: int) -> None:
    customer.seen.append(seen)
    most = min(SEEN + SEEN_OF_A_CASE * max(0, len(customer.cases) - 1), SEEN_MOST)
    if len(customer.seen) > most + 16:
        del customer.seen[:-most]


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


def _tell_quietly(turn: Turn, event_type: Any, reason: str) -> None:
    case = turn.row.cases.get(turn.fact.invoice)
    if case is not None:
        turn.tell(event_type, case, reason)
    else:
        turn.tell_row(event_type, reason)


def _finish(turn: Turn) -> Step:
    row = turn.row
    turn.close()
    announce.announce(turn)
    row.wake = None
    for invoice, case in row.cases.items():
        if not case.active and case.shown_at is not None:  # not shrunk yet
            row.cases[invoice] = stub(case)
        at = next_action(case)[1] if case.active else case.read_at
        if at is not None and (row.wake is None or at < row.wake):
            row.wake = at
    if row.expiring:
        row.wake = min(row.wake or LAST, *(card.at for card in row.expiring.values()))
    if row.wake is None:
        row.wake = _forget_at(row)
    return Step(row if row.wake is not None or _stays(row) else None, turn.effects, turn.events)


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
    hints.forget(row, now)
    money.forget(row, now)
    aged = [case.invoice for case in row.cases.values() if case.ended_at is not None and case.ended_at + STUB <= now]
    for invoice in aged:
        del row.cases[invoice]
    budgets.forget(row, now)


def _case(turn: Turn, fact: Fact, kind: str, effect: str) -> tuple[Case | None, bool]:
    """The case that an outcome is about, and whether it is the answer that the case waits for."""
    case = turn.row.cases.get(fact.invoice)
    if case is None:
        turn.note = "no_case"
        return None, False
    awaited = case.flight is not None and case.flight.effect == effect and case.flight.kind == kind
    if awaited:
        case.flight = None
    return case, awaited


def _invoice_read(turn: Turn, fact: facts.InvoiceRead) -> None:
    case, _ = _case(turn, fact, "read", fact.effect)
    if case is not None:
        reading.answered(turn, case, fact)


def _read_failed(turn: Turn, fact: facts.ReadFailed) -> None:
    case, awaited = _case(turn, fact, "read", fact.effect)
    if case is not None:
        reading.failed(turn, case, fact, awaited=awaited)
    elif not fact.invoice:
        turn.tell_row("read_failed", "gone" if fact.gone else "read_failed", effect=fact.effect, details={"why": fact.why})


def _charge_settled(turn: Turn, fact: facts.ChargeSettled) -> None:
    budgets.answered(turn.row, fact.effect)
    case, awaited = _case(turn, fact, "charge", fact.effect)
    if case is not None:
        retrying.settled(turn, case, fact, awaited=awaited)


def _webhook_ignored(turn: Turn, fact: facts.WebhookIgnored) -> None:
    turn.tell_row("webhook_ignored", fact.why, details={"webhook": fact.event_type})


def _webhook_parked(turn: Turn, fact: facts.WebhookParked) -> None:
    turn.tell_row("webhook_parked", fact.why, details={"webhook": fact.event_type})


OPENERS: frozenset[type[Fact]] = frozenset(
    {
        facts.PaymentFailed,
        facts.PaymentActionRequired,
        facts.StopAsked,
        facts.SnoozeAsked,
        facts.ExcludeAsked,
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

HANDLERS: dict[type[Fact], Callable[[Turn, Any], None]] = {
    facts.PaymentFailed: invoices.failed,
    facts.PaymentActionRequired: invoices.action_required,
    facts.InvoicePaid: invoices.paid,
    facts.InvoicePaymentSucceeded: invoices.paid,
    facts.InvoiceChanged: invoices.changed,
    facts.InvoiceVoided: invoices.voided,
    facts.InvoiceWrittenOff: invoices.written_off,
    facts.ChargeFailed: money.charge_failed,
    facts.IntentFailed: money.intent_failed,
    facts.ChargeRefunded: money.refunded,
    facts.DisputeOpened: money.disputed,
    facts.CustomerChanged: people.customer_changed,
    facts.CustomerDeleted: people.customer_deleted,
    facts.SubscriptionChanged: subscriptions.changed,
    facts.SubscriptionEnded: subscriptions.ended,
    facts.MethodChanged: methods.changed,
    facts.WebhookIgnored: _webhook_ignored,
    facts.WebhookParked: _webhook_parked,
    facts.InvoiceRead: _invoice_read,
    facts.ReadFailed: _read_failed,
    facts.ChargeSettled: _charge_settled,
    facts.MessageSettled: delivery.settled,
    facts.ChargeRead: money.charge_read,
    facts.SubscriptionEndSettled: end_action.settled,
    facts.AlertSettled: told.alert,
    facts.WebhookSettled: told.webhook,
    facts.EndpointDisabled: told.endpoint_disabled,
    facts.MessageBounced: suppression.bounced,
    facts.MessageComplained: suppression.complained,
    facts.MessageOpened: echoes.opened,
    facts.MessageClicked: echoes.clicked,
    facts.MessageDelivered: echoes.delivered,
    facts.MessageUndelivered: echoes.undelivered,
    facts.MessageReceived: echoes.received,
    facts.ContactSuppressed: suppression.suppressed,
    facts.ContactAllowed: suppression.allowed,
    facts.ConsentGiven: suppression.consented,
    facts.ConsentWithdrawn: suppression.withdrawn,
    facts.CardExpiring: expiry.expiring,
    facts.PlanOffered: plans.offered,
    facts.RetryAsked: commands.retry,
    facts.StopAsked: commands.stop,
    facts.SnoozeAsked: commands.snooze,
    facts.ExcludeAsked: commands.exclude,
    facts.ResumeAsked: commands.resume,
    facts.ParkedReplayed: commands.put_back,
}
"""Who answers which fact; the time has no handler: it only asks what is due."""

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

"""What really happened, for checking every figure that anybody else shows. Times are Unix seconds."""

from collections import defaultdict
from dataclasses import asdict

from sandbox.clock import SandboxClock
from sandbox.runtime import Runtime
from sandbox.simulation.behaviour import Mail
from sandbox.simulation.events import Event
from sandbox.simulation.payments import Recovery
from sandbox.simulation.records import Charge, Invoice, Json
from sandbox.simulation.world import World


def whole(machine: Runtime) -> Json:
    """`GET /_truth`."""
    world, books = machine.world, machine.world.books
    return {
        **_head(world, machine.clock),
        "started": machine.clock.started,
        "events": [_event(event) for event in world.announce.events.values() if event.subscribed],
        "deliveries": machine.courier.waiting(),
        **acts(world),
        "webhooks": [asdict(webhook) for webhook in machine.receiver.received.values()],
        "forged_webhooks": machine.receiver.forged,
        "customers": len(books.customers),
    }


def acts(world: World) -> Json:
    """The part of the truth that is the world's alone: equal for equal seeds and equal acts."""
    return {
        "invoices": [_invoice(bill) for bill in world.books.invoices.values()],
        "attempts": [_attempt(taken) for taken in world.books.charges.values()],
        "recoveries": [_recovery(one) for one in world.payments.recoveries],
        "cancellations": list(world.billing.cancellations),
        "refunds": list(world.aftermath.refunds),
        "disputes": list(world.aftermath.disputes),
        "mails": [_mail(mail) for mail in world.behaviour.mails.values()],
    }


def summary(machine: Runtime) -> Json:
    """`GET /_truth/summary`: counts only."""
    world = machine.world
    subscribed = [event for event in world.announce.events.values() if event.subscribed]
    mails = world.behaviour.mails.values()
    return {
        **_head(world, machine.clock),
        "started": machine.clock.started,
        "counts": {
            "events": len(subscribed),
            "events_accepted": sum(event.accepted > 0 for event in subscribed),
            "deliveries_accepted": sum(event.accepted for event in subscribed),
            "invoices": len(world.books.invoices),
            "attempts": len(world.books.charges),
            "failures": world.payments.failures,
            "recoveries": len(world.payments.recoveries),
            "cancellations": len(world.billing.cancellations),
            "mails": len(mails),
            "mail_copies": sum(mail.copies for mail in mails),
        },
        "money": money(world),
        "deliveries": machine.courier.waiting(),
    }


def money(world: World) -> Json:
    """Failures and recoveries of subscriptions per currency, minor units; their first invoices and one-off ones are left out."""
    table: dict[str, dict[str, int]] = defaultdict(lambda: {"failures": 0, "failed_amount": 0, "recovered": 0, "recovered_amount": 0})
    renewals = {bill.id for bill in world.books.invoices.values() if bill.subscription and bill.billing_reason != "subscription_create"}
    for bill in world.books.invoices.values():
        if bill.first_failed_at is not None and bill.id in renewals:
            table[bill.currency]["failures"] += 1
            table[bill.currency]["failed_amount"] += bill.amount_due
    for one in world.payments.recoveries:
        if one.invoice not in renewals:
            continue
        table[one.currency]["recovered"] += 1
        table[one.currency]["recovered_amount"] += one.amount
    return dict(table)


def progress(machine: Runtime) -> Json:
    """`GET /_progress`; mails are those to payers."""
    world, now = machine.world, machine.world.now
    return {
        "business_now": now,
        "fraction": min(max((now - world.setting.start) / (world.month_end - world.setting.start), 0.0), 1.0),
        "failures": world.payments.failures,
        "recovered": len(world.payments.recoveries),
        "mails": sum(mail.customer is not None for mail in world.behaviour.mails.values()),
    }


def _head(world: World, clock: SandboxClock) -> Json:
    return {
        "seed": world.setting.seed,
        "account": world.setting.account,
        "now": world.now,
        "month_start": world.setting.start,
        "month_end": world.month_end,
        "business_reached_end": clock.caught_up,
    }


def _event(event: Event) -> Json:
    return {
        "id": event.id,
        "type": event.type,
        "created": event.created,
        "customer": event.customer,
        "invoice": event.invoice,
        "accepted": event.accepted,
        "attempts": event.attempts,
        "first_accepted_wall": event.first_accepted_wall,
    }


def _invoice(bill: Invoice) -> Json:
    return {
        "id": bill.id,
        "customer": bill.customer,
        "subscription": bill.subscription,
        "currency": bill.currency,
        "amount_due": bill.amount_due,
        "amount_paid": bill.amount_paid,
        "status": bill.status,
        "billing_reason": bill.billing_reason,
        "collection_method": bill.collection_method,
        "auto_advance": bill.auto_advance,
        "created": bill.created,
        "first_failed_at": bill.first_failed_at,
        "first_decline": asdict(bill.first_decline) if bill.first_decline else None,
        "paid_at": bill.paid_at,
        "paid_by": bill.paid_by,
    }


def _attempt(taken: Charge) -> Json:
    return {
        "charge": taken.id,
        "payment_intent": taken.payment_intent,
        "invoice": taken.invoice,
        "customer": taken.customer,
        "fingerprint": taken.fingerprint,
        "brand": taken.card.brand,
        "at": taken.at,
        "opened_at": taken.opened_at,
        "actor": taken.actor,
        "idempotency_key": taken.idempotency_key,
        "outcome": taken.outcome,
        "decline_code": taken.decline.decline_code if taken.decline else None,
        "real_cause": taken.real_cause,
        "amount": taken.amount,
        "currency": taken.currency,
    }


def _recovery(one: Recovery) -> Json:
    return asdict(one)


def _mail(mail: Mail) -> Json:
    return asdict(mail)

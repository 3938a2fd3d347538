"""What may happen to a customer in a generated life: each changes what is true and answers the facts that tell of it."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any

import msgspec

from recovery.contracts import facts
from recovery.contracts.facts import Fact
from tests.support import builders as a
from tests.support.proof.stripe import CARDS, Bill, Truth

Happening = Callable[[Truth, Bill, datetime, str], Iterator[Fact]]


def _about(name: str, when: datetime, invoice: str = "") -> dict[str, Any]:
    return a.header(name, when, invoice)


def attempt(truth: Truth, bill: Bill, when: datetime, name: str) -> Iterator[Fact]:
    """Stripe tries by itself, mostly in vain; one failure is told by up to three events."""
    luck = truth.luck
    if bill.status != "open" or bill.processing or truth.deleted or bill.subscription in truth.cancelled:
        return
    bill.stripe_next = when + timedelta(hours=luck.choice((3, 26, 60))) if luck.random() < 0.3 else None
    charge, done = truth.try_card(bill, when, 0.1)
    if done:
        yield from _paid(bill, when, name)
        return
    assert bill.decline is not None
    card, told = bill.tried_with, {"amount_minor": bill.amount, "currency": bill.currency, "decline": bill.decline, "card": bill.tried_with}
    if luck.random() < 0.5:
        yield facts.ChargeFailed(**_about(f"{name}:ch", when, luck.choice(("", bill.id))), charge=charge, **told)
    if luck.random() < 0.5:
        yield facts.IntentFailed(**_about(f"{name}:pi", when), payment_intent=f"pi_{bill.id}", **told)
    yield facts.PaymentFailed(**_about(name, when, bill.id), state=bill.state, decline=luck.choice((None, bill.decline)))
    if bill.decline.code == "authentication_required" and card is not None:
        yield facts.PaymentActionRequired(**_about(f"{name}:auth", when, bill.id), state=bill.state)


def pays(truth: Truth, bill: Bill, when: datetime, name: str) -> Iterator[Fact]:
    """The customer pays on Stripe's page, or by bank transfer."""
    if bill.status not in {"open", "uncollectible"} or bill.processing or truth.deleted:
        return
    bill.out_of_band = truth.luck.random() < 0.3
    if not bill.out_of_band:
        truth.try_card(bill, when, 1.0)
    bill.status, bill.paid = "paid", bill.amount
    yield from _paid(bill, when, name, request_key="" if bill.out_of_band else f"page-{name}", request_id=f"req_{name}")


def part(truth: Truth, bill: Bill, when: datetime, name: str) -> Iterator[Fact]:
    """The customer pays a part on Stripe's page; the rest stays owed."""
    left = bill.amount - bill.paid
    if bill.status != "open" or bill.processing or truth.deleted or left < 3:
        return
    bill.paid += left // 3
    request = {"request_key": f"page-{name}", "request_id": f"req_{name}"}
    yield facts.InvoicePaymentSucceeded(**_about(f"{name}:part", when, bill.id), state=bill.state, **request)
    yield facts.InvoiceChanged(**_about(f"{name}:rest", when, bill.id), state=bill.state, **request)


def renamed(truth: Truth, bill: Bill, when: datetime, name: str) -> Iterator[Fact]:
    """The subscription names another card of its own, or none any more."""
    if not bill.subscription or bill.subscription in truth.cancelled:
        return
    method = truth.luck.choice(("", "pm_own", "pm_other"))
    truth.own_methods[bill.subscription] = method
    ending, paused = bill.subscription in truth.ending, bill.subscription in truth.paused
    told: dict[str, Any] = {"status": "past_due", "cancel_at_period_end": ending, "paused": paused}
    yield facts.SubscriptionChanged(
        **_about(name, when), subscription=bill.subscription, own_method=method, own_method_changed=True, **told
    )


def _paid(bill: Bill, when: datetime, name: str, **request: str) -> Iterator[Fact]:
    yield facts.InvoicePaid(**_about(f"{name}:paid", when, bill.id), state=bill.state, **request)
    if not bill.out_of_band:
        yield facts.InvoicePaymentSucceeded(**_about(f"{name}:ok", when, bill.id), state=bill.state, **request)


def void(truth: Truth, bill: Bill, when: datetime, name: str) -> Iterator[Fact]:
    """The merchant voids the invoice, or writes it off."""
    if bill.status != "open":
        return
    bill.status = truth.luck.choice(("void", "uncollectible"))
    kind = facts.InvoiceVoided if bill.status == "void" else facts.InvoiceWrittenOff
    yield kind(**_about(name, when, bill.id), state=bill.state)


def changes(truth: Truth, bill: Bill, when: datetime, name: str) -> Iterator[Fact]:
    """The amount falls by a credit, or Stripe's next attempt is told."""
    if bill.status != "open":
        return
    left = bill.amount - bill.paid
    if truth.luck.random() < 0.5 and left > 2:
        bill.amount -= left // 3
    else:
        bill.stripe_next = when + timedelta(hours=truth.luck.choice((2, 10, 40)))
    yield facts.InvoiceChanged(**_about(name, when, bill.id), state=bill.state)


def cancels(truth: Truth, bill: Bill, when: datetime, name: str) -> Iterator[Fact]:
    """The customer cancels, at once or at the end of the period."""
    if not bill.subscription or bill.subscription in truth.cancelled:
        return
    if truth.luck.random() < 0.5:
        truth.cancelled.add(bill.subscription)
        for other in truth.bills.values():
            other.collected = other.collected and other.subscription != bill.subscription
        yield facts.SubscriptionEnded(**_about(name, when), subscription=bill.subscription, why="cancellation_requested")
    else:
        truth.ending.add(bill.subscription)
        yield facts.SubscriptionChanged(**_about(name, when), subscription=bill.subscription, status="past_due", cancel_at_period_end=True)


def keeps(truth: Truth, bill: Bill, when: datetime, name: str) -> Iterator[Fact]:
    """The customer takes a cancellation at the period's end back."""
    if bill.subscription not in truth.ending or bill.subscription in truth.cancelled:
        return
    truth.ending.discard(bill.subscription)
    paused = bill.subscription in truth.paused
    yield facts.SubscriptionChanged(**_about(name, when), subscription=bill.subscription, status="past_due", paused=paused)


def tries_another(truth: Truth, bill: Bill, when: datetime, name: str) -> Iterator[Fact]:
    """The customer types another card on Stripe's page, in vain; the saved one stays the default."""
    if bill.status != "open" or bill.processing or truth.deleted or bill.subscription in truth.cancelled:
        return
    saved, truth.card = truth.card, msgspec.structs.replace(truth.luck.choice(CARDS), method="pm_typed")
    truth.try_card(bill, when, 0.0)
    truth.card = saved
    yield facts.PaymentFailed(**_about(name, when, bill.id), state=bill.state, request_id=f"req_{name}", request_key=f"page-{name}")


def pauses(truth: Truth, bill: Bill, when: datetime, name: str) -> Iterator[Fact]:
    """Collection is paused, or goes on."""
    if not bill.subscription or bill.subscription in truth.cancelled:
        return
    truth.paused ^= {bill.subscription}
    ending, paused = bill.subscription in truth.ending, bill.subscription in truth.paused
    told: dict[str, Any] = {"status": "past_due", "cancel_at_period_end": ending, "paused": paused}
    yield facts.SubscriptionChanged(**_about(name, when), subscription=bill.subscription, **told)


def goes_on(truth: Truth, bill: Bill, when: datetime, name: str) -> Iterator[Fact]:
    """Collection that is still paused goes on: a pause without an end would leave a case without one."""
    if bill.subscription in truth.paused:
        yield from pauses(truth, bill, when, name)


def new_card(truth: Truth, bill: Bill, when: datetime, name: str) -> Iterator[Fact]:
    """Another card, or the same one renewed by its network."""
    if truth.luck.random() < 0.3:
        yield facts.MethodChanged(**_about(name, when), card=truth.card, how="automatically_updated")
        return
    card = truth.luck.choice(CARDS)
    card = msgspec.structs.replace(card, method=f"pm_{card.fingerprint}")
    yield facts.MethodChanged(**_about(name, when), card=card, how="attached")
    if truth.luck.random() < 0.8:  # attached alone, it is charged by nothing
        truth.card = card
        yield facts.CustomerChanged(**_about(f"{name}:cus", when), default_method_changed=True, default_method=card.method)


def goes(truth: Truth, bill: Bill, when: datetime, name: str) -> Iterator[Fact]:
    """The customer is deleted, with all subscriptions."""
    truth.deleted = True
    yield facts.CustomerDeleted(**_about(name, when))


def goes_back(truth: Truth, bill: Bill, when: datetime, name: str) -> Iterator[Fact]:
    """Money is refunded or disputed."""
    paid = next((seen for seen in bill.attempts if seen.succeeded), None)
    if paid is None:
        return
    amount = max(1, bill.amount // truth.luck.choice((1, 2)))
    money: dict[str, Any] = {"charge": paid.charge, "currency": bill.currency}
    if truth.luck.random() < 0.5:
        yield facts.ChargeRefunded(**_about(name, when, bill.id), amount_refunded=amount, **money)
    else:
        bill.disputed = True
        yield facts.DisputeOpened(**_about(name, when, bill.id), dispute=f"du_{name}", amount_minor=amount, reason="fraudulent", **money)


def contacts(truth: Truth, bill: Bill, when: datetime, name: str) -> Iterator[Fact]:
    """Something about whether and how the customer may be written to."""
    luck, head = truth.luck, _about(name, when)
    yield luck.choice(
        (
            facts.MessageBounced(**head, hard=luck.random() < 0.5),
            facts.MessageComplained(**head),
            facts.ContactSuppressed(**head, medium=luck.choice(("email", "sms", "all")), why="do_not_contact", who="ops"),
            facts.ContactAllowed(**head, who="ops"),
            facts.ConsentGiven(**head, proof="form 7", zone=luck.choice(("", "America/New_York", "Asia/Tokyo")), country="US"),
            facts.ConsentGiven(**head, proof="form 8", zone="Europe/Berlin"),
            facts.ConsentWithdrawn(**head),
        )
    )


def expires(truth: Truth, bill: Bill, when: datetime, name: str) -> Iterator[Fact]:
    """A card will not live to see its next charge."""
    card = msgspec.structs.replace(truth.card, exp_month=when.month, exp_year=when.year)
    told: dict[str, Any] = {"subscription": "sub_0", "amount_minor": bill.amount, "currency": bill.currency}
    charge_at = when + timedelta(days=truth.luck.choice((12, 40)))
    yield facts.CardExpiring(**_about(name, when), card=card, next_charge_at=charge_at, updater_covers=truth.luck.random() < 0.1, **told)


def commands(truth: Truth, bill: Bill, when: datetime, name: str) -> Iterator[Fact]:
    """Somebody asks for something by hand."""
    luck, who = truth.luck, {"who": "ada", "why": "called us"}
    until, head = when + timedelta(days=luck.choice((1, 5, 20))), _about(name, when, luck.choice((bill.id, "")))
    yield luck.choice(
        (
            facts.RetryRequested(**head, **who),
            facts.RetryRequested(**head, **who),
            facts.StopRequested(**head, **who),
            facts.SnoozeRequested(**head, until=until, **who),
            facts.ExcludeRequested(**head, until=luck.choice((None, until)), **who),
            facts.ResumeRequested(**head, **who),
            facts.ResumeRequested(**head, **who),
        )
    )


def offers(truth: Truth, bill: Bill, when: datetime, name: str) -> Iterator[Fact]:
    """A model offers times, good ones and impossible ones."""
    luck: Random = truth.luck
    times = sorted(when + timedelta(hours=luck.uniform(-20, 600)) for _ in range(luck.randrange(1, 7)))
    slots = tuple(facts.Slot(at=at, probability=round(luck.random(), 3)) for at in times)
    yield facts.RetryTimesOffered(
        **_about(name, when, bill.id), slots=slots, source="model", model_version="7", attempt=luck.randrange(1, 4)
    )


def noise(truth: Truth, bill: Bill, when: datetime, name: str) -> Iterator[Fact]:
    """Events without a meaning."""
    yield facts.WebhookIgnored(**_about(name, when), event_type="radar.early_fraud_warning.created", why="the type of event is not known")


COMMON: tuple[Happening, ...] = (
    *(attempt,) * 4,
    *(new_card,) * 2,
    *(pays, changes, offers, contacts, commands, pauses, expires),
)
RARE: tuple[Happening, ...] = (void, cancels, goes, goes_back, goes_back, noise, part, part, renamed, keeps, keeps, tries_another)

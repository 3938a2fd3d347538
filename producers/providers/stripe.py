"""Stripe's events to facts, pure: every API version from acacia to endive, exactly one fact for each event.

Facts hold ids and amounts; no names, addresses or e-mails.
"""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any, Literal

from producers.providers.stripe_event import Ignored, StripeEvent, envelope
from producers.providers.stripe_invoices import INVOICE_FACTS, InvoiceEvent, invoice_fact
from recovery.contracts.facts import (
    Card,
    ChargeFailed,
    ChargeRefunded,
    CustomerChanged,
    CustomerDeleted,
    DisputeOpened,
    Fact,
    IntentFailed,
    InvoiceChanged,
    InvoiceFact,
    MethodChanged,
    PaymentFailed,
    SubscriptionChanged,
    SubscriptionEnded,
)
from recovery.stripe.fields import (
    Object,
    UnknownShape,
    id_of,
    needed_text,
    needed_whole,
    part,
    part_if_expanded,
    text,
)
from recovery.stripe.shapes import (
    card_of_charge,
    card_of_method,
    decline_of_charge,
    decline_of_intent,
    default_of_customer,
    ending_since,
    invoice_state,
    own_method,
    pause_unclear,
    subscription_ending,
    subscription_paused,
    subscription_why,
)


def translate(account: str, event: Object | InvoiceEvent, received_at: datetime) -> list[Fact] | Ignored:
    """The fact of an account's event, or why it has none. The fact's id is derived from account and event id.

    Raises:
        UnknownShape: the event's type is known but its content differs from Stripe's documentation; the text names the path.
    """
    if isinstance(event, InvoiceEvent):
        return [invoice_fact(account, event, received_at)]
    kind = text(event, "type", "event")
    make = _FACTS.get(kind)
    if make is None:
        return Ignored(WITHOUT_MEANING.get(kind, "the type of event is not known"))
    made = make(envelope(account, event, received_at))
    return made if isinstance(made, Ignored) else [made]


def refuse_thin(event: Object | InvoiceEvent) -> None:
    """Refuse an event that names its object instead of carrying it, of a type that has a meaning.

    Raises:
        UnknownShape: it is one; the text says what to set.

    """
    kind = event.get("type") if isinstance(event, dict) else ""
    if isinstance(kind, str) and kind.startswith("v1.") and (kind[3:] in _FACTS or kind[3:] == DEAUTHORIZED):
        raise UnknownShape(f"event.type is {kind}: a thin event, which carries no object. Set its destination to snapshot payloads.")


def _invoice_fields(event: StripeEvent) -> dict[str, Any]:
    invoice = event.object
    return {
        **event.about(id_of(invoice, "customer", "invoice"), needed_text(invoice, "id", "invoice")),
        "state": invoice_state(invoice),
        "livemode": event.livemode,
        "request_id": event.request_id,
        "request_key": event.request_key,
    }


def _invoice(fact: type[InvoiceFact], event: StripeEvent) -> Fact:
    return fact(**_invoice_fields(event))


def _invoice_changed(event: StripeEvent) -> Fact:
    """Stripe itself may switch collection off with its last attempt, which `attempt_count` shows; without an attempt, a person did
    (B14)."""
    before = event.previous.get("auto_advance") is True and "attempt_count" not in event.previous
    return InvoiceChanged(**_invoice_fields(event), switched_off=before and event.object.get("auto_advance") is False)


def _payment_failed(event: StripeEvent) -> Fact:
    intent = event.object.get("payment_intent")  # an object only in old versions, when the endpoint expands it
    decline = decline_of_intent(intent) if isinstance(intent, dict) else None
    return PaymentFailed(**_invoice_fields(event), decline=decline)


def _charge_failed(event: StripeEvent) -> Fact:
    charge = event.object
    return ChargeFailed(
        **event.about(id_of(charge, "customer", "charge"), id_of(charge, "invoice", "charge")),
        charge=needed_text(charge, "id", "charge"),
        payment_intent=id_of(charge, "payment_intent", "charge"),
        amount_minor=needed_whole(charge, "amount", "charge"),
        currency=needed_text(charge, "currency", "charge"),
        decline=decline_of_charge(charge),
        card=card_of_charge(charge),
        request_key=event.request_key,
    )


def _intent_failed(event: StripeEvent) -> Fact:
    intent = event.object
    error = part(intent, "last_payment_error", "payment_intent")
    return IntentFailed(
        **event.about(id_of(intent, "customer", "payment_intent"), id_of(intent, "invoice", "payment_intent")),
        payment_intent=needed_text(intent, "id", "payment_intent"),
        amount_minor=needed_whole(intent, "amount", "payment_intent"),
        currency=needed_text(intent, "currency", "payment_intent"),
        decline=decline_of_intent(intent),
        card=card_of_method(part_if_expanded(error, "payment_method", "payment_intent.last_payment_error")),
        request_key=event.request_key,
    )


def _charge_refunded(event: StripeEvent) -> Fact:
    charge = event.object
    return ChargeRefunded(
        **event.about(id_of(charge, "customer", "charge"), id_of(charge, "invoice", "charge")),
        charge=needed_text(charge, "id", "charge"),
        payment_intent=id_of(charge, "payment_intent", "charge"),
        amount_refunded=needed_whole(charge, "amount_refunded", "charge"),
        currency=needed_text(charge, "currency", "charge"),
    )


def _dispute_opened(event: StripeEvent) -> Fact:
    dispute = event.object
    return DisputeOpened(
        **event.about(""),
        dispute=needed_text(dispute, "id", "dispute"),
        charge=id_of(dispute, "charge", "dispute"),
        payment_intent=id_of(dispute, "payment_intent", "dispute"),
        reason=text(dispute, "reason", "dispute"),
        status=text(dispute, "status", "dispute"),
        amount_minor=needed_whole(dispute, "amount", "dispute"),
        currency=needed_text(dispute, "currency", "dispute"),
    )


def _customer_changed(event: StripeEvent) -> Fact:
    settings = event.previous.get("invoice_settings")
    about = event.about(needed_text(event.object, "id", "customer"))
    source, default = id_of(event.object, "default_source", "customer"), default_of_customer(event.object)
    by_settings = isinstance(settings, dict) and "default_payment_method" in settings and default != source
    by_source = "default_source" in event.previous and default == source
    return CustomerChanged(
        **about,
        default_method_changed=bool(default) and (by_settings or by_source),
        default_method=default,
        email_changed="email" in event.previous,
    )


def _customer_deleted(event: StripeEvent) -> Fact:
    return CustomerDeleted(**event.about(needed_text(event.object, "id", "customer")))


def _subscription_changed(event: StripeEvent) -> Fact:
    subscription = event.object
    return SubscriptionChanged(
        **event.about(id_of(subscription, "customer", "subscription")),
        subscription=needed_text(subscription, "id", "subscription"),
        status=needed_text(subscription, "status", "subscription"),
        cancel_at_period_end=subscription_ending(subscription),
        paused=subscription_paused(subscription),
        pause_unclear=pause_unclear(subscription),
        ending_since=ending_since(subscription),
        why=subscription_why(subscription),
        pause_behavior=text(part(subscription, "pause_collection", "subscription"), "behavior", "subscription.pause_collection"),
        own_method=own_method(subscription, "subscription"),
        own_method_changed=not event.previous.keys().isdisjoint(("default_payment_method", "default_source")),
    )


def _subscription_ended(event: StripeEvent) -> Fact:
    subscription = event.object
    return SubscriptionEnded(
        **event.about(id_of(subscription, "customer", "subscription")),
        subscription=needed_text(subscription, "id", "subscription"),
        why=subscription_why(subscription),
    )


def _method_attached(event: StripeEvent) -> Fact:
    method = event.object
    return _method(event, card_of_method(method) or Card(method=needed_text(method, "id", "payment_method")), "attached")


def _method_renewed(event: StripeEvent) -> Fact | Ignored:
    """A card that its network renewed. Stripe reports a blocked bank account by the same event, which renews nothing."""
    card = card_of_method(event.object)
    return (
        _method(event, card, "automatically_updated")
        if card
        else Ignored("it is not a card; the next debit shows the state of the account")
    )


def _method_updated(event: StripeEvent) -> Fact | Ignored:
    """A stored card whose expiry date was corrected, by the customer or the merchant, can be charged again (B38)."""
    card, before = card_of_method(event.object), event.previous.get("card")
    changed = isinstance(before, dict) and not before.keys().isdisjoint(("exp_month", "exp_year"))
    return _method(event, card, "expiry_changed") if card and changed else Ignored("what changed decides no charge")


def _method(event: StripeEvent, card: Card, how: Literal["attached", "automatically_updated", "expiry_changed"]) -> Fact:
    return MethodChanged(**event.about(id_of(event.object, "customer", "payment_method")), card=card, how=how)


_FACTS: dict[str, Callable[[StripeEvent], Fact | Ignored]] = {
    **{kind: partial(_invoice, fact) for kind, fact in INVOICE_FACTS.items()},
    "invoice.payment_failed": _payment_failed,
    "invoice.updated": _invoice_changed,
    "invoice.payment_attempt_required": _invoice_changed,
    "charge.failed": _charge_failed,
    "charge.refunded": _charge_refunded,
    "charge.dispute.created": _dispute_opened,
    "charge.dispute.funds_withdrawn": _dispute_opened,
    "payment_intent.payment_failed": _intent_failed,
    "customer.updated": _customer_changed,
    "customer.deleted": _customer_deleted,
    "customer.subscription.updated": _subscription_changed,
    "customer.subscription.paused": _subscription_changed,
    "customer.subscription.resumed": _subscription_changed,
    "customer.subscription.deleted": _subscription_ended,
    "payment_method.attached": _method_attached,
    "payment_method.automatically_updated": _method_renewed,
    "payment_method.updated": _method_updated,
}

EVENT_TYPES: tuple[str, ...] = tuple(_FACTS)
"""Every event type that becomes a fact with a meaning: what an endpoint should subscribe to."""

DEAUTHORIZED = "account.application.deauthorized"
"""The account took our access away (B9)."""
WITHOUT_MEANING: dict[str, str] = {
    "invoice_payment.paid": "invoice.paid reports the same",
    "payment_method.detached": "the next attempt shows whether a method is left",
    "setup_intent.succeeded": "payment_method.attached and customer.updated report the same",
    "checkout.session.completed": "payment_method.attached and customer.updated report the same",
    "checkout.session.expired": "nothing was changed",
    DEAUTHORIZED: "Stripe refuses every call with the account's key from now on; the account is paused",
    "mandate.updated": "the next attempt shows whether a mandate is left",
}
"""Event types that are known and lead to nothing on a customer's row, with the reason."""


def key_object(fact: Fact) -> str:
    """The id of the object that a fact without a customer is about; it keys the fact. The event's own id when there is no other."""
    for name in ("dispute", "charge", "payment_intent", "subscription"):
        if found := getattr(fact, name, ""):
            return str(found)
    return fact.invoice or fact.cause or fact.id


__all__ = ["DEAUTHORIZED", "EVENT_TYPES", "WITHOUT_MEANING", "Ignored", "UnknownShape", "key_object", "refuse_thin", "translate"]

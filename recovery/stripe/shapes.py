"""Stripe's objects in every API version from acacia to endive, as plain dicts, to our words. Pure; raises UnknownShape naming the path.

Basil (2025-03-31) moved the invoice's payments, subscription and paid flags; both shapes are read, the newer one first.
"""

from collections.abc import Iterable

import msgspec

from recovery.contracts.facts import Card, Decline, InvoiceState, SeenAttempt
from recovery.contracts.limits import LAST_YEAR
from recovery.stripe.fields import (
    Object,
    UnknownShape,
    expanded,
    flag,
    id_of,
    listed,
    moment,
    moment_at,
    needed_moment,
    needed_text,
    part,
    part_if_expanded,
    text,
    whole,
)
from recovery.stripe.lines import renews_at
from recovery.stripe.subscriptions import ending_since, pause_unclear, subscription_ending, subscription_paused, subscription_why

__all__ = [
    "InvoiceReading",
    "UnknownShape",
    "card_of_charge",
    "card_of_method",
    "decline_of_charge",
    "decline_of_error",
    "decline_of_intent",
    "default_of_customer",
    "ending_since",
    "intent_of",
    "invoice_state",
    "moment",
    "own_method",
    "pause_unclear",
    "reading",
    "seen_attempt",
    "subscription_ending",
    "subscription_of",
    "subscription_paused",
    "subscription_why",
]


class InvoiceReading(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one read of an invoice: the fields of InvoiceRead besides its header. `decline` is None when no payment was tried, or
    when the payment succeeded."""

    state: InvoiceState
    decline: Decline | None
    card: Card | None
    attempts: tuple[SeenAttempt, ...]
    subscription_status: str
    subscription_ending: bool
    subscription_paused: bool
    customer_deleted: bool
    disputed: bool
    subscription_method: str = ""
    subscription_why: str = ""
    customer_method: str = ""


def invoice_state(invoice: Object) -> InvoiceState:
    """The invoice's state, the same for every API version. Raises UnknownShape."""
    return InvoiceState(
        status=needed_text(invoice, "status", "invoice"),
        currency=needed_text(invoice, "currency", "invoice"),
        amount_due=whole(invoice, "amount_due", "invoice"),
        amount_paid=whole(invoice, "amount_paid", "invoice"),
        amount_remaining=whole(invoice, "amount_remaining", "invoice"),
        attempt_count=whole(invoice, "attempt_count", "invoice"),
        next_payment_attempt=moment_at(invoice, "next_payment_attempt", "invoice"),
        billing_reason=text(invoice, "billing_reason", "invoice"),
        collection_method=text(invoice, "collection_method", "invoice"),
        auto_advance=flag(invoice, "auto_advance", "invoice", absent=True),
        subscription=subscription_of(invoice),
        created=needed_moment(invoice, "created", "invoice"),
        paid_out_of_band=_paid_out_of_band(invoice),
        paid_off_stripe=whole(invoice, "amount_paid_off_stripe", "invoice"),
        renews_at=renews_at(invoice),
        own_method=own_method(invoice, "invoice"),
    )


def subscription_of(invoice: Object) -> str:
    """The id of the invoice's subscription in either shape (B7); empty for a one-off invoice. Raises UnknownShape."""
    parent = part(invoice, "parent", "invoice")
    details = part(parent, "subscription_details", "invoice.parent")
    return id_of(details, "subscription", "invoice.parent.subscription_details") or id_of(invoice, "subscription", "invoice")


def own_method(data: Object, where: str) -> str:
    """The id of the payment method that an invoice or a subscription names itself; empty for none. Raises UnknownShape."""
    return id_of(data, "default_payment_method", where) or id_of(data, "default_source", where)


def default_of_customer(customer: Object) -> str:
    """The id of the customer's default payment method, charged where nothing else is named; empty for none. Raises UnknownShape."""
    settings = part(customer, "invoice_settings", "customer")
    return id_of(settings, "default_payment_method", "customer.invoice_settings") or id_of(customer, "default_source", "customer")


def _paid_out_of_band(invoice: Object) -> bool:
    # The flag went with basil; late endive versions tell the amount instead.
    return flag(invoice, "paid_out_of_band", "invoice") or whole(invoice, "amount_paid_off_stripe", "invoice") > 0


def decline_of_error(error: Object) -> Decline:
    """The decline in an API error's `error` object or an intent's `last_payment_error`, which have one shape. Raises UnknownShape."""
    method = part_if_expanded(error, "payment_method", "error")
    return Decline(
        code=text(error, "code", "error"),
        decline_code=text(error, "decline_code", "error"),
        advice_code=text(error, "advice_code", "error"),
        network_advice_code=text(error, "network_advice_code", "error"),
        network_decline_code=text(error, "network_decline_code", "error"),
        method_type=text(error, "payment_method_type", "error") or text(method, "type", "error.payment_method"),
    )


def decline_of_charge(charge: Object) -> Decline:
    """The decline of a failed charge. Raises UnknownShape.

    A charge has no decline_code of its own: when the issuer declined, `outcome.reason` is that code.
    """
    outcome = part(charge, "outcome", "charge")
    details = part(charge, "payment_method_details", "charge")
    kind, reason = text(outcome, "type", "charge.outcome"), text(outcome, "reason", "charge.outcome")
    return Decline(
        code=text(charge, "failure_code", "charge"),
        decline_code=reason if kind == "issuer_declined" else "",
        advice_code=text(outcome, "advice_code", "charge.outcome"),
        network_advice_code=text(outcome, "network_advice_code", "charge.outcome"),
        network_decline_code=text(outcome, "network_decline_code", "charge.outcome"),
        outcome_type=kind,
        outcome_reason=reason,
        network_status=text(outcome, "network_status", "charge.outcome"),
        method_type=text(details, "type", "charge.payment_method_details"),
    )


def decline_of_intent(intent: Object) -> Decline:
    """The decline of an intent's last attempt: `last_payment_error`, completed by `latest_charge` where that is expanded and failed.

    Empty but for `intent_status` when nothing was tried. Raises UnknownShape.
    """
    error = part(intent, "last_payment_error", "payment_intent")
    decline = decline_of_error(error)
    charge = part_if_expanded(intent, "latest_charge", "payment_intent")
    if _belongs(charge, error):
        decline = _completed(decline, decline_of_charge(charge))
    return msgspec.structs.replace(decline, intent_status=text(intent, "status", "payment_intent"))


def _belongs(charge: Object, error: Object) -> bool:
    # An error may come from an attempt that made no charge, or from a later one: another charge's outcome must not be mixed in.
    if not charge or text(charge, "status", "charge") != "failed":
        return False
    named = id_of(error, "charge", "payment_intent.last_payment_error")
    return not error or named == text(charge, "id", "charge")


def _completed(decline: Decline, more: Decline) -> Decline:
    fields = {name: getattr(decline, name) or getattr(more, name) for name in Decline.__struct_fields__}
    return Decline(**fields)


def card_of_charge(charge: Object) -> Card | None:
    """The card that a charge was made on; None when it was no card. Raises UnknownShape."""
    details = part(charge, "payment_method_details", "charge")
    card = part(details, "card", "charge.payment_method_details")
    return _card(card, id_of(charge, "payment_method", "charge")) if card else None


def card_of_method(method: Object) -> Card | None:
    """The card of a payment method; None for another type of method. Raises UnknownShape."""
    card = part(method, "card", "payment_method")
    return _card(card, text(method, "id", "payment_method")) if card else None


def _card(card: Object, method: str) -> Card:
    month, year = whole(card, "exp_month", "card"), whole(card, "exp_year", "card")
    believable = 0 <= month <= 12 and 0 <= year <= LAST_YEAR
    return Card(
        fingerprint=text(card, "fingerprint", "card"),
        brand=text(card, "brand", "card"),
        country=text(card, "country", "card"),
        funding=text(card, "funding", "card"),
        exp_month=month if believable else 0,
        exp_year=year if believable else 0,
        method=method,
    )


def seen_attempt(charge: Object) -> SeenAttempt:
    """A charge as an attempt on its card, made by us or not. Raises UnknownShape."""
    card = card_of_charge(charge) or Card()
    outcome = part(charge, "outcome", "charge")
    return SeenAttempt(
        charge=needed_text(charge, "id", "charge"),
        at=needed_moment(charge, "created", "charge"),
        succeeded=text(charge, "status", "charge") == "succeeded",
        fingerprint=card.fingerprint,
        brand=card.brand,
        reached_network=text(outcome, "network_status", "charge.outcome") != "not_sent_to_network",
    )


def intent_of(invoice: Object) -> Object:
    """The expanded payment intent that collects the invoice: the default one, else the newest; empty without one.

    Raises:
        UnknownShape: the intent was not expanded.
    """
    intents = [intent for _, intent in sorted(_payments(invoice), key=lambda pair: pair[0])]
    return intents[-1] if intents else expanded(invoice, "payment_intent", "invoice")


def _payments(invoice: Object) -> list[tuple[tuple[bool, int], Object]]:
    found = []
    for index, row in enumerate(listed(invoice, "payments", "invoice")):
        where = f"invoice.payments.data[{index}]"
        intent = expanded(part(row, "payment", where), "payment_intent", f"{where}.payment")
        if intent:
            found.append(((flag(row, "is_default", where), whole(row, "created", where)), intent))
    return found


def reading(invoice: Object, charges: Iterable[Object] = ()) -> InvoiceReading:
    """What an invoice shows that was read with its payments, customer and subscription expanded; `charges` are more charges of it.

    Basil and later: expand `payments.data.payment.payment_intent.latest_charge`, `customer`, `parent.subscription_details.subscription`;
    before: `payment_intent.latest_charge`, `charge`, `customer`, `subscription`.

    Raises:
        UnknownShape: something is missing or was not expanded; the text names its path.

    """
    intent, made = intent_of(invoice), _charges(invoice, charges)
    state, subscription = invoice_state(invoice), _subscription(invoice)
    card = card_of_charge(made[-1]) if made else None
    return InvoiceReading(
        state=state,
        decline=_decline(intent, made),
        card=_card_tried(intent) or card,
        attempts=tuple(seen_attempt(charge) for charge in made),
        subscription_status=text(subscription, "status", "subscription"),
        subscription_ending=subscription_ending(subscription, state.created),
        subscription_paused=subscription_paused(subscription),
        customer_deleted=flag(expanded(invoice, "customer", "invoice"), "deleted", "invoice.customer"),
        disputed=any(flag(charge, "disputed", "charge") for charge in made),
        subscription_method=own_method(subscription, "subscription"),
        subscription_why=subscription_why(subscription),
        customer_method=default_of_customer(expanded(invoice, "customer", "invoice")),
    )


def _decline(intent: Object, made: list[Object]) -> Decline | None:
    if intent:
        succeeded = text(intent, "status", "payment_intent") == "succeeded"
        return None if succeeded else decline_of_intent(intent)
    failed = [charge for charge in made if text(charge, "status", "charge") == "failed"]
    return decline_of_charge(failed[-1]) if failed else None


def _card_tried(intent: Object) -> Card | None:
    """The card of the last attempt: the error names it even when no charge was made."""
    charge = part_if_expanded(intent, "latest_charge", "payment_intent")
    error = part(intent, "last_payment_error", "payment_intent")
    tried = part_if_expanded(error, "payment_method", "payment_intent.last_payment_error")
    named, charged = card_of_method(tried), card_of_charge(charge)
    if charged and (named is None or named.method == charged.method):
        return charged  # of the same card, the charge tells more
    return named or card_of_method(part_if_expanded(intent, "payment_method", "payment_intent"))


def _charges(invoice: Object, more: Iterable[Object]) -> list[Object]:
    """All expanded charges, each once, oldest first."""
    intents = [intent for _, intent in _payments(invoice)] or [expanded(invoice, "payment_intent", "invoice")]
    listed_here = {needed_text(charge, "id", "charge"): charge for charge in more}
    for intent in intents:
        if id_of(intent, "latest_charge", "payment_intent") not in listed_here:
            _add(listed_here, expanded(intent, "latest_charge", "payment_intent"))
    _add(listed_here, part_if_expanded(invoice, "charge", "invoice"))
    return sorted(listed_here.values(), key=lambda charge: (whole(charge, "created", "charge"), text(charge, "id", "charge")))


def _add(known: dict[str, Object], charge: Object) -> None:
    if charge:
        known[needed_text(charge, "id", "charge")] = charge


def _subscription(invoice: Object) -> Object:
    details = part(part(invoice, "parent", "invoice"), "subscription_details", "invoice.parent")
    return expanded(details, "subscription", "invoice.parent.subscription_details") or expanded(invoice, "subscription", "invoice")

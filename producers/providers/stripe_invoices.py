"""The short way for events about invoices, which are nearly all there are: bytes to a typed event, and that to its fact.

It takes only what it knows to be right. All else (another object, something expanded, a value of another kind) it leaves to stripe.py,
which alone says what an unknown shape is. A property test holds both ways to the same fact.
"""

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec

from recovery.contracts.facts import (
    InvoiceChanged,
    InvoiceFact,
    InvoicePaid,
    InvoicePaymentSucceeded,
    InvoiceState,
    InvoiceVoided,
    InvoiceWrittenOff,
    PaymentActionRequired,
    PaymentFailed,
)
from recovery.contracts.limits import COUNT, ID_LENGTH
from recovery.ids import webhook_fact_id
from recovery.stripe.fields import EARLIEST_SECOND, LARGEST, LATEST_SECOND

INVOICE_FACTS: dict[str, type[InvoiceFact]] = {
    "invoice.payment_failed": PaymentFailed,
    "invoice.payment_action_required": PaymentActionRequired,
    "invoice.paid": InvoicePaid,
    "invoice.payment_succeeded": InvoicePaymentSucceeded,
    "invoice.updated": InvoiceChanged,
    "invoice.payment_attempt_required": InvoiceChanged,
    "invoice.voided": InvoiceVoided,
    "invoice.marked_uncollectible": InvoiceWrittenOff,
}
"""Event types about an invoice, and what each becomes."""

Needed = Annotated[str, msgspec.Meta(min_length=1, max_length=ID_LENGTH)]
Word = Annotated[str, msgspec.Meta(max_length=ID_LENGTH)]
Whole = Annotated[int, msgspec.Meta(ge=-LARGEST, le=LARGEST)]
Few = Annotated[int, msgspec.Meta(ge=-COUNT, le=COUNT)]
Seconds = Annotated[int, msgspec.Meta(ge=EARLIEST_SECOND, le=LATEST_SECOND)]


class _Named(msgspec.Struct, frozen=True):
    """An expanded object, of which the id is wanted."""

    id: Needed


class _Details(msgspec.Struct, frozen=True):
    subscription: Word | _Named | None = None


class _Parent(msgspec.Struct, frozen=True):
    subscription_details: _Details | None = None


class _Period(msgspec.Struct, frozen=True):
    end: Seconds | None = None


class _LineDetails(msgspec.Struct, frozen=True):
    subscription: Word | _Named | None = None


class _LineParent(msgspec.Struct, frozen=True):
    subscription_item_details: _LineDetails | None = None


class _Line(msgspec.Struct, frozen=True):
    """A line: whether it is a subscription's, and until when it pays (stripe_lines.renews_at)."""

    period: _Period | None = None
    parent: _LineParent | None = None
    subscription: Word | _Named | None = None


class _Lines(msgspec.Struct, frozen=True):
    data: tuple[_Line, ...] | None = None


class _Invoice(msgspec.Struct, frozen=True, kw_only=True, tag_field="object", tag="invoice"):
    """An invoice of any API version; the fields are those of stripe_shapes.invoice_state, with `payment_intent` as an id only."""

    id: Needed
    customer: Word | _Named | None = None
    status: Needed
    currency: Needed
    amount_due: Whole | None = None
    amount_paid: Whole | None = None
    amount_remaining: Whole | None = None
    attempt_count: Few | None = None
    next_payment_attempt: Seconds | None = None
    billing_reason: Word | None = None
    collection_method: Word | None = None
    auto_advance: bool | None = None
    parent: _Parent | None = None
    subscription: Word | _Named | None = None
    payment_intent: Word | None = None
    created: Seconds
    paid_out_of_band: bool | None = None
    amount_paid_off_stripe: Whole | None = None
    lines: _Lines | None = None
    default_payment_method: Word | _Named | None = None
    default_source: Word | _Named | None = None


class _Previous(msgspec.Struct, frozen=True):
    """The invoice before a change, as far as it shows who collects it."""

    auto_advance: bool | None = None
    attempt_count: Any = msgspec.UNSET


class _Data(msgspec.Struct, frozen=True):
    object: _Invoice
    previous_attributes: _Previous | None = None


class _Request(msgspec.Struct, frozen=True):
    id: Word | None = None
    idempotency_key: Word | None = None


class InvoiceEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event about an invoice, its type one of INVOICE_FACTS."""

    id: Needed
    type: Word
    account: Word | None = None
    livemode: bool
    created: Seconds
    request: _Request | Word | None = None  # very old versions give its id alone
    data: _Data


_decode = msgspec.json.Decoder(InvoiceEvent).decode


def invoice_event(body: bytes) -> InvoiceEvent | None:
    """The event in a webhook's body when it is about an invoice in a shape known here; None when the body must be read as plain data."""
    try:
        event = _decode(body)
        body.decode()  # the decoder looks at the text that it keeps, not at the text that it passes over
    except (ValueError, RecursionError):
        return None
    return event if event.type in INVOICE_FACTS else None


def invoice_fact(account: str, event: InvoiceEvent, received_at: datetime) -> InvoiceFact:
    """The fact that an event of an account is; the same as the long way's."""
    invoice, request = event.data.object, event.request
    if isinstance(request, str):
        request = _Request(id=request)
    fact_id, kind = webhook_fact_id(account, event.id), INVOICE_FACTS[event.type]
    more = {"switched_off": True} if kind is InvoiceChanged and _switched_off(invoice, event.data.previous_attributes) else {}
    return kind(
        id=fact_id,
        account=account,
        occurred_at=datetime.fromtimestamp(event.created, UTC),
        received_at=received_at,
        customer=_id(invoice.customer),
        invoice=invoice.id,
        cause=event.id,
        trace=fact_id,
        state=_state(invoice),
        livemode=event.livemode,
        request_id=(request and request.id) or "",
        request_key=(request and request.idempotency_key) or "",
        **more,
    )


def _switched_off(invoice: _Invoice, previous: _Previous | None) -> bool:
    before = previous is not None and previous.auto_advance is True and previous.attempt_count is msgspec.UNSET
    return before and invoice.auto_advance is False


def _state(invoice: _Invoice) -> InvoiceState:
    attempt, details = invoice.next_payment_attempt, invoice.parent and invoice.parent.subscription_details
    return InvoiceState(
        status=invoice.status,
        currency=invoice.currency,
        amount_due=invoice.amount_due or 0,
        amount_paid=invoice.amount_paid or 0,
        amount_remaining=invoice.amount_remaining or 0,
        attempt_count=invoice.attempt_count or 0,
        next_payment_attempt=None if attempt is None else datetime.fromtimestamp(attempt, UTC),
        billing_reason=invoice.billing_reason or "",
        collection_method=invoice.collection_method or "",
        auto_advance=invoice.auto_advance is not False,
        subscription=(details and _id(details.subscription)) or _id(invoice.subscription),
        created=datetime.fromtimestamp(invoice.created, UTC),
        paid_out_of_band=bool(invoice.paid_out_of_band) or (invoice.amount_paid_off_stripe or 0) > 0,
        paid_off_stripe=invoice.amount_paid_off_stripe or 0,
        renews_at=_renews_at(invoice),
        own_method=_id(invoice.default_payment_method) or _id(invoice.default_source),
    )


def _renews_at(invoice: _Invoice) -> datetime | None:
    lines = invoice.lines.data if invoice.lines is not None else None
    ends = [line.period.end or 0 for line in lines or () if line.period is not None and _of_subscription(line)]
    latest = max((end for end in ends if end > invoice.created), default=None)
    return None if latest is None else datetime.fromtimestamp(latest, UTC)


def _of_subscription(line: _Line) -> bool:
    details = line.parent and line.parent.subscription_item_details
    return bool((details and _id(details.subscription)) or _id(line.subscription))


def _id(named: _Named | str | None) -> str:
    return named.id if isinstance(named, _Named) else named or ""

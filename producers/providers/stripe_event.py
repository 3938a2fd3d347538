"""An event of Stripe as plain data: its envelope, read once, and what is said of one that means nothing to us."""

from datetime import datetime
from typing import Any

import msgspec

from recovery.ids import webhook_fact_id
from recovery.stripe.fields import Object, flag, needed_moment, needed_text, part, text


class Ignored(msgspec.Struct, frozen=True):
    """An event that means nothing to us; `why` in words."""

    why: str


class StripeEvent(msgspec.Struct, frozen=True):
    """An event's envelope, read once: the header of its fact, and the object it is about."""

    id: str
    livemode: bool
    request_id: str
    request_key: str
    object: Object
    previous: Object
    header: dict[str, Any]

    def about(self, customer: str, invoice: str = "") -> dict[str, Any]:
        """The header of the fact, with whom and what it is about."""
        return {**self.header, "customer": customer, "invoice": invoice}


def envelope(account: str, event: Object, received_at: datetime) -> StripeEvent:
    """The envelope of an event of an account. Raises UnknownShape."""
    id = needed_text(event, "id", "event")
    data = part(event, "data", "event")
    # Very old versions give the request's id alone.
    alone = event.get("request") if isinstance(event.get("request"), str) else None
    request = {"id": alone} if alone is not None else part(event, "request", "event")
    fact_id = webhook_fact_id(account, id)
    return StripeEvent(
        id=id,
        livemode=flag(event, "livemode", "event"),
        request_id=text(request, "id", "event.request"),
        request_key=text(request, "idempotency_key", "event.request"),
        object=part(data, "object", "event.data"),
        previous=part(data, "previous_attributes", "event.data"),
        header={
            "id": fact_id,
            "account": account,
            "occurred_at": needed_moment(event, "created", "event"),
            "received_at": received_at,
            "cause": id,
            "trace": fact_id,
        },
    )

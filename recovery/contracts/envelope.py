"""The header that every message carries, whatever it says."""

import msgspec

from recovery.contracts.field_types import CustomerId, DerivedId, ShortText
from recovery.vocabulary import Moment


class Header(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """Who and what a message is about, when it happened, and what it follows from.

    `occurred_at` is business time (Stripe's `created`, a timer's due time), `received_at` wall time; both aware UTC.
    `cause` is the id of the message it follows from; `trace` ties a request's messages together.
    """

    id: DerivedId
    account: ShortText
    occurred_at: Moment
    received_at: Moment
    customer: CustomerId = ""
    invoice: ShortText = ""
    cause: DerivedId = ""
    trace: DerivedId = ""
    version: int = 1

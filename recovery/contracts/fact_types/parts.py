"""What facts are made of: an invoice, a decline, a card, an attempt, and the base of every fact."""

from typing import Annotated

import msgspec

from recovery.contracts.envelope import Header
from recovery.contracts.field_types import Amount, Count, ShortText
from recovery.contracts.limits import LAST_YEAR
from recovery.vocabulary import Moment


class InvoiceState(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice as Stripe last showed it. Amounts are minor units of `currency`; the shape is the same for every API version.

    `amount_paid` includes `paid_off_stripe`, the amount paid outside Stripe, in API versions that report it. `own_method`: the payment
    method that the invoice itself names, which is charged before any other (B36); empty where it names no method.
    """

    status: ShortText
    currency: ShortText
    amount_due: Amount = 0
    amount_paid: Amount = 0
    amount_remaining: Amount = 0
    attempt_count: Count = 0
    next_payment_attempt: Moment | None = None
    billing_reason: ShortText = ""
    collection_method: ShortText = ""
    auto_advance: bool = True
    subscription: ShortText = ""
    created: Moment
    paid_out_of_band: bool = False
    paid_off_stripe: Amount = 0
    renews_at: Moment | None = None
    own_method: ShortText = ""


class Decline(msgspec.Struct, frozen=True, kw_only=True):
    """Why a payment failed, in Stripe's raw words; empty where Stripe said nothing. Never interpreted here."""

    code: ShortText = ""
    decline_code: ShortText = ""
    advice_code: ShortText = ""
    network_advice_code: ShortText = ""
    network_decline_code: ShortText = ""
    outcome_type: ShortText = ""
    outcome_reason: ShortText = ""
    network_status: ShortText = ""
    intent_status: ShortText = ""
    method_type: ShortText = ""


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """A card as far as we may know it: no number, only Stripe's fingerprint (B94)."""

    fingerprint: ShortText = ""
    brand: ShortText = ""
    country: ShortText = ""
    funding: ShortText = ""
    exp_month: Annotated[int, msgspec.Meta(ge=0, le=12)] = 0
    exp_year: Annotated[int, msgspec.Meta(ge=0, le=LAST_YEAR)] = 0
    method: ShortText = ""


class Fact(Header, frozen=True, kw_only=True):
    """Base of everything on the `facts` topic."""


class InvoiceFact(Fact, frozen=True, kw_only=True):
    """A webhook about an invoice. `request_key` is the idempotency key of the API call that caused it, empty for Stripe's own doing;
    `request_id` is empty when Stripe acted by itself."""

    state: InvoiceState
    livemode: bool = False
    request_id: ShortText = ""
    request_key: ShortText = ""


class SeenAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """One charge on an invoice as Stripe lists it, made by us or not. `reached_network` is False for Radar blocks (B23)."""

    charge: ShortText
    at: Moment
    succeeded: bool
    fingerprint: ShortText = ""
    brand: ShortText = ""
    reached_network: bool = True

"""What facts are made of: an invoice, a decline, a card, an attempt, and the base of every fact."""

from typing import Annotated

import msgspec

from recovery.contracts.bounded import Amount, Count, Word
from recovery.contracts.envelope import Header
from recovery.contracts.limits import LAST_YEAR
from recovery.vocabulary import Moment


class InvoiceState(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice as Stripe last showed it. Amounts are minor units of `currency`; the shape is the same for every API version.

    `amount_paid` includes `paid_off_stripe`, what was paid outside Stripe in an API version that tells it (stripe.md 4.4).
    `own_method`: the payment method that the invoice itself names, which is charged before any other (B36); empty where it names none.
    """

    status: Word
    currency: Word
    amount_due: Amount = 0
    amount_paid: Amount = 0
    amount_remaining: Amount = 0
    attempt_count: Count = 0
    next_payment_attempt: Moment | None = None
    billing_reason: Word = ""
    collection_method: Word = ""
    auto_advance: bool = True
    subscription: Word = ""
    created: Moment
    paid_out_of_band: bool = False
    paid_off_stripe: Amount = 0
    renews_at: Moment | None = None
    own_method: Word = ""


class Decline(msgspec.Struct, frozen=True, kw_only=True):
    """Why a payment failed, in Stripe's raw words (stripe.md 1.1); empty where Stripe said nothing. Never interpreted here."""

    code: Word = ""
    decline_code: Word = ""
    advice_code: Word = ""
    network_advice_code: Word = ""
    network_decline_code: Word = ""
    outcome_type: Word = ""
    outcome_reason: Word = ""
    network_status: Word = ""
    intent_status: Word = ""
    method_type: Word = ""


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """A card as far as we may know it: no number, only Stripe's fingerprint (B94)."""

    fingerprint: Word = ""
    brand: Word = ""
    country: Word = ""
    funding: Word = ""
    exp_month: Annotated[int, msgspec.Meta(ge=0, le=12)] = 0
    exp_year: Annotated[int, msgspec.Meta(ge=0, le=LAST_YEAR)] = 0
    method: Word = ""


class Fact(Header, frozen=True, kw_only=True):
    """Base of everything on the `facts` topic."""


class InvoiceFact(Fact, frozen=True, kw_only=True):
    """A webhook about an invoice. `request_key` is the idempotency key of the API call that caused it, empty for Stripe's own doing;
    `request_id` is empty when Stripe acted by itself (stripe.md 3.1)."""

    state: InvoiceState
    livemode: bool = False
    request_id: Word = ""
    request_key: Word = ""


class SeenAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """One charge on an invoice as Stripe lists it, whoever made it. `reached_network` is False for Radar blocks (B23)."""

    charge: Word
    at: Moment
    succeeded: bool
    fingerprint: Word = ""
    brand: Word = ""
    reached_network: bool = True

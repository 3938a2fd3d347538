"""What facts are made of: an invoice, a decline, a card, an attempt, and the base of every fact."""

import msgspec

from recovery.contracts.envelope import Header
from recovery.vocabulary import Moment


class InvoiceState(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice as Stripe last showed it. Amounts are minor units of `currency`; the shape is the same for every API version.

    `amount_paid` includes `paid_off_stripe`, what was paid outside Stripe in an API version that tells it (stripe.md 4.4).
    `own_method`: the payment method that the invoice itself names, which is charged before any other (B36); empty where it names none.
    """

    status: str
    currency: str
    amount_due: int = 0
    amount_paid: int = 0
    amount_remaining: int = 0
    attempt_count: int = 0
    next_payment_attempt: Moment | None = None
    billing_reason: str = ""
    collection_method: str = ""
    auto_advance: bool = True
    subscription: str = ""
    created: Moment
    paid_out_of_band: bool = False
    paid_off_stripe: int = 0
    renews_at: Moment | None = None
    own_method: str = ""


class Decline(msgspec.Struct, frozen=True, kw_only=True):
    """Why a payment failed, in Stripe's raw words (stripe.md 1.1); empty where Stripe said nothing. Never interpreted here."""

    code: str = ""
    decline_code: str = ""
    advice_code: str = ""
    network_advice_code: str = ""
    network_decline_code: str = ""
    outcome_type: str = ""
    outcome_reason: str = ""
    network_status: str = ""
    intent_status: str = ""
    method_type: str = ""


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """A card as far as we may know it: no number, only Stripe's fingerprint (B94)."""

    fingerprint: str = ""
    brand: str = ""
    country: str = ""
    funding: str = ""
    exp_month: int = 0
    exp_year: int = 0
    method: str = ""


class Fact(Header, frozen=True, kw_only=True):
    """Base of everything on the `facts` topic."""


class InvoiceFact(Fact, frozen=True, kw_only=True):
    """A webhook about an invoice. `request_key` is the idempotency key of the API call that caused it, empty for Stripe's own doing;
    `request_id` is empty when Stripe acted by itself (stripe.md 3.1)."""

    state: InvoiceState
    livemode: bool = False
    request_id: str = ""
    request_key: str = ""


class SeenAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """One charge on an invoice as Stripe lists it, whoever made it. `reached_network` is False for Radar blocks (B23)."""

    charge: str
    at: Moment
    succeeded: bool
    fingerprint: str = ""
    brand: str = ""
    reached_network: bool = True

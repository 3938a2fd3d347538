"""What we learn about whether and how a customer may be written to, and about a card that is about to expire."""

from typing import Literal

from recovery.contracts.fact_types.parts import Card, Fact
from recovery.contracts.field_types import Amount, Count, DerivedId, ShortText, Text
from recovery.vocabulary import Medium, Moment


class MessageBounced(Fact, frozen=True, kw_only=True, tag="message_bounced"):
    """A message bounced. `hard`: the address does not exist. `contact` names one of several billing contacts and is empty for the
    customer's own address: one address that bounces must not silence the others (B53, B56). `remaining`: how many of the customer's
    contacts can still receive mail; -1 where the reporter does not know, then the customer's own address counts for all."""

    medium: Medium = "email"
    message: DerivedId = ""
    hard: bool
    contact: ShortText = ""
    why: Text = ""
    remaining: Count = -1


class MessageComplained(Fact, frozen=True, kw_only=True, tag="message_complained"):
    """The customer called a message of ours unwanted: nothing more is sent that way (B53)."""

    medium: Medium = "email"
    message: DerivedId = ""


class ContactSuppressed(Fact, frozen=True, kw_only=True, tag="contact_suppressed"):
    """A request that the customer receive no more messages. `medium` `all` covers every medium."""

    medium: Medium | Literal["all"] = "all"
    why: Literal["unsubscribed", "do_not_contact"] = "do_not_contact"
    who: Text


class ContactAllowed(Fact, frozen=True, kw_only=True, tag="contact_allowed"):
    """The customer may be written to again, for instance at a new address: lifts every suppression of the medium."""

    medium: Medium | Literal["all"] = "all"
    who: Text
    why: Text = ""


class ConsentGiven(Fact, frozen=True, kw_only=True, tag="consent_given"):
    """The customer agreed to messages of a medium; `proof` says where that is recorded (B53). `zone` is the recipient's IANA time zone,
    `country` the ISO code of their telephone number, both empty where unknown."""

    medium: Medium = "sms"
    proof: Text
    zone: ShortText = ""
    country: ShortText = ""


class ConsentWithdrawn(Fact, frozen=True, kw_only=True, tag="consent_withdrawn"):
    """The customer took the consent back, for instance by STOP; it ends that medium only (B53)."""

    medium: Medium = "sms"
    why: Text = "stop"


class CardExpiring(Fact, frozen=True, kw_only=True, tag="card_expiring"):
    """The last month of the card that pays a subscription's next charge at `next_charge_at` is known. `updater_covers`: the card's network
    gives Stripe the renewed card by itself, so no warning is needed."""

    card: Card
    subscription: ShortText
    next_charge_at: Moment
    amount_minor: Amount
    currency: ShortText
    updater_covers: bool = False

"""What we learn about whether and how a customer may be written to, and about a card that is about to expire."""

from typing import Literal

from recovery.contracts.bounded import Amount, Count, DerivedId, Text, Word
from recovery.contracts.fact_words import Card, Fact
from recovery.vocabulary import Medium, Moment


class MessageBounced(Fact, frozen=True, kw_only=True, tag="message_bounced"):
    """A message came back. `hard`: the address is no good. `contact` names one of several billing contacts, empty for the customer's own
    address: one that bounces must not silence the others (B53, B56). `remaining`: how many of the customer's contacts can still be written
    to; -1 where the one who tells does not know, then the customer's own address counts for all."""

    medium: Medium = "email"
    message: DerivedId = ""
    hard: bool
    contact: Word = ""
    why: Text = ""
    remaining: Count = -1


class MessageComplained(Fact, frozen=True, kw_only=True, tag="message_complained"):
    """The customer called a message of ours unwanted: nothing more is sent that way (B53)."""

    medium: Medium = "email"
    message: DerivedId = ""


class ContactSuppressed(Fact, frozen=True, kw_only=True, tag="contact_suppressed"):
    """Somebody asked that the customer be written to no more; `medium` `all` means every way."""

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
    zone: Word = ""
    country: Word = ""


class ConsentWithdrawn(Fact, frozen=True, kw_only=True, tag="consent_withdrawn"):
    """The customer took the consent back, for instance by STOP; it ends that medium only (B53)."""

    medium: Medium = "sms"
    why: Text = "stop"


class CardExpiring(Fact, frozen=True, kw_only=True, tag="card_expiring"):
    """The card that pays a subscription next at `next_charge_at` is one whose last month is known. `updater_covers`: its network tells
    Stripe the renewed card by itself, so that nobody need be alarmed (F68)."""

    card: Card
    subscription: Word
    next_charge_at: Moment
    amount_minor: Amount
    currency: Word
    updater_covers: bool = False

"""What we say to a payer, as data: three tones that grow more urgent (decision 33), worded by the decline (B51). Pure.

Never a raw code, never an accusation, nothing about a balance in the subject. Lost, stolen and suspected fraud read like any decline, as
Stripe asks (stripe.md 1.3).
"""

from typing import Literal

import msgspec

Situation = Literal["generic", "expired", "funds", "authentication"]
"""What the wording distinguishes."""

EXPIRED = frozenset({"expired_card", "invalid_expiry_month", "invalid_expiry_year"})
FUNDS = frozenset({"insufficient_funds", "card_velocity_exceeded", "withdrawal_count_limit_exceeded"})
AUTHENTICATION = frozenset({"authentication_required", "authentication_not_handled", "invoice_payment_intent_requires_action"})


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """The sentences of one mail; `{merchant}`, `{amount}`, `{service}` and `{month}` are filled in later. `label` names the amount."""

    subject: str
    preview: str
    heading: str
    opening: str
    reason: str
    ask: str
    button: str
    closing: str
    label: str = "Amount due"


class _Tone(msgspec.Struct, frozen=True, kw_only=True):
    subject: str
    preview: str
    heading: str
    opening: str
    closing: str


_TONES = {
    1: _Tone(
        subject="Your payment to {merchant} didn’t go through",
        preview="It happens. It takes a minute to put right.",
        heading="Your payment didn’t go through",
        opening="We tried to collect your payment of {amount} for {service}, and it didn’t go through. "
        "This happens, and it is quick to put right.",
        closing="Nothing has changed for you so far. If you have already taken care of it, please ignore this message.",
    ),
    2: _Tone(
        subject="Please update your payment details for {merchant}",
        preview="Your access may be affected if the payment stays open.",
        heading="Your payment is still open",
        opening="Your payment of {amount} for {service} is still open. Without it, your access may be affected soon.",
        closing="If you have paid in the meantime, thank you, and please ignore this message.",
    ),
    3: _Tone(
        subject="Last reminder: your payment to {merchant} is still open",
        preview="This is the last notice before {service} may be cancelled.",
        heading="This is our last reminder",
        opening="We have not been able to collect your payment of {amount}. "
        "This is the last notice before {service} may be cancelled. We would be sorry to see you go.",
        closing="If you have paid in the last few hours, thank you: everything is fine and you need not do anything.",
    ),
}
_REASONS: dict[Situation, tuple[str, str, str]] = {
    "generic": (
        "Your bank did not approve the payment. It does not always tell us why.",
        "Please pay with another card, or check the details of the one you use.",
        "Update payment details",
    ),
    "expired": (
        "The card we have on file seems to have expired.",
        "Please add your new card; if your bank has sent you one, its details are all you need.",
        "Add a new card",
    ),
    "funds": (
        "Your bank could not approve this amount at that moment.",
        "Please pay with another card, or with the same one when it suits you better.",
        "Complete payment",
    ),
    "authentication": (
        "Your bank would like you to confirm this payment yourself.",
        "Please open the secure payment page and follow your bank’s steps; this usually takes less than a minute.",
        "Confirm payment",
    ),
}
_SUBJECT_TO_CONFIRM = {1: "Please confirm your payment to {merchant}", 2: "Your payment to {merchant} still needs your confirmation"}
_HEADING_TO_CONFIRM = {1: "Please confirm your payment"}
_SUBJECT_NEW_CARD = {1: "Your card for {merchant} needs an update"}


NOTICES: dict[str, Words] = {
    "payment_recovered": Words(
        subject="Thank you: your payment to {merchant} was received",
        preview="Everything is settled. There is nothing you need to do.",
        heading="Your payment was received",
        opening="Thank you. Your payment of {amount} for {service} has gone through, and everything is settled.",
        reason="Earlier we wrote that a payment was open; you can disregard those messages.",
        ask="There is nothing you need to do.",
        button="View your invoice",
        closing="Thank you for staying with us.",
        label="Amount paid",
    ),
    "cancelled_for_non_payment": Words(
        subject="{merchant}: your subscription has ended",
        preview="A payment stayed open, so the subscription has ended.",
        heading="Your subscription has ended",
        opening="We were not able to collect your payment of {amount}, so {service} has ended.",
        reason="We are sorry to see you go.",
        ask="If you would like to come back, please pay the open amount and write to us; we will be glad to help.",
        button="Pay the open amount",
        closing="If you have paid in the meantime, thank you, and please let us know.",
    ),
    "card_expiring": Words(
        subject="Your card for {merchant} expires soon",
        preview="A new card now keeps {service} running.",
        heading="Your card expires soon",
        opening="The card we have on file for {service} is good until the end of {month}, before your next payment of {amount} is due.",
        reason="If your bank has sent you a new card, please add it in your account with {merchant}.",
        ask="It takes a minute, and nothing is charged before the payment is due.",
        button="Add a new card",
        closing="If you have already added a new card, thank you: everything is fine, and please ignore this message.",
        label="Next payment",
    ),
}
"""The mails that are no reminder, by template: the payment came, the subscription ended unpaid, a card will not live to the next charge."""


def situation(decline_kind: str, decline_reason: str) -> Situation:
    """What the payer may know about the decline; anything but three harmless cases is generic."""
    if decline_kind == "fraud":
        return "generic"
    if decline_kind == "needs_auth" or decline_reason in AUTHENTICATION:
        return "authentication"
    if decline_reason in EXPIRED:
        return "expired"
    return "funds" if decline_reason in FUNDS else "generic"


def words(step: int, why: Situation) -> Words:
    """The sentences for a dunning step; a step before the first or after the third speaks like its neighbour."""
    number = min(max(step, 1), 3)
    tone, (reason, ask, button) = _TONES[number], _REASONS[why]
    subject = {"authentication": _SUBJECT_TO_CONFIRM, "expired": _SUBJECT_NEW_CARD}.get(why, {}).get(number, tone.subject)
    return Words(
        subject=subject,
        preview=tone.preview,
        heading=_HEADING_TO_CONFIRM.get(number, tone.heading) if why == "authentication" else tone.heading,
        opening=tone.opening,
        reason=reason,
        ask=ask,
        button=button,
        closing=tone.closing,
    )

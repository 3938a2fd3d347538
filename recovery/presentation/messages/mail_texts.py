"""The texts of mails as data: three tones of growing urgency, worded by the decline (B51). Pure.

No raw code, no accusation, nothing about a balance in the subject. Lost, stolen and suspected fraud read like any decline, as Stripe
requires (https://docs.stripe.com/declines/codes). The text in `N_( )` is English and the key of the catalogue; translations are in
`locale/`, and docs/mail.md says how to edit them. Sentences are whole, so that each language can build its own: only names, amounts and
months are filled in.
"""

from typing import Literal

import msgspec

from recovery.presentation.messages.languages import N_

Situation = Literal["generic", "expired", "funds", "authentication"]
"""What the wording distinguishes."""

EXPIRED = frozenset({"expired_card", "invalid_expiry_month", "invalid_expiry_year"})
FUNDS = frozenset({"insufficient_funds", "card_velocity_exceeded", "withdrawal_count_limit_exceeded"})
AUTHENTICATION = frozenset({"authentication_required", "authentication_not_handled", "invoice_payment_intent_requires_action"})


class MailTexts(msgspec.Struct, frozen=True, kw_only=True):
    """The sentences of one mail; `{merchant}`, `{amount}` and `{month}` are filled in later. `label` names the amount."""

    subject: str
    preview: str
    heading: str
    opening: str
    reason: str
    request: str
    button: str
    closing: str
    label: str = N_("Amount due")


class _Tone(msgspec.Struct, frozen=True, kw_only=True):
    """`for_order` replaces sentences where the payer owes for an order and not for a subscription."""

    subject: str
    preview: str
    heading: str
    opening: str
    closing: str
    for_order: dict[str, str]


_TONES = {
    1: _Tone(
        subject=N_("Your payment to {merchant} didn’t go through"),
        preview=N_("It happens. It takes a minute to put right."),
        heading=N_("Your payment didn’t go through"),
        opening=N_(
            "We tried to collect your payment of {amount} for your {merchant} subscription, and it didn’t go through. "
            "This happens, and it is quick to put right."
        ),
        closing=N_("Nothing has changed for you so far. If you have already taken care of it, please ignore this message."),
        for_order={
            "opening": N_(
                "We tried to collect your payment of {amount} for your order with {merchant}, and it didn’t go through. "
                "This happens, and it is quick to put right."
            ),
        },
    ),
    2: _Tone(
        subject=N_("Please update your payment details for {merchant}"),
        preview=N_("Your access may be affected if the payment stays open."),
        heading=N_("Your payment is still open"),
        opening=N_(
            "Your payment of {amount} for your {merchant} subscription is still open. Without it, your access may be affected soon."
        ),
        closing=N_("If you have paid in the meantime, thank you, and please ignore this message."),
        for_order={
            "preview": N_("Your order may be affected if the payment stays open."),
            "opening": N_(
                "Your payment of {amount} for your order with {merchant} is still open. Without it, your order may be affected soon."
            ),
        },
    ),
    3: _Tone(
        subject=N_("Last reminder: your payment to {merchant} is still open"),
        preview=N_("This is the last notice before your {merchant} subscription may be cancelled."),
        heading=N_("This is our last reminder"),
        opening=N_(
            "We have not been able to collect your payment of {amount}. "
            "This is the last notice before your {merchant} subscription may be cancelled. We would be sorry to see you go."
        ),
        closing=N_("If you have paid in the last few hours, thank you: everything is fine and you need not do anything."),
        for_order={
            "preview": N_("This is the last notice before your order with {merchant} may be cancelled."),
            "opening": N_(
                "We have not been able to collect your payment of {amount}. "
                "This is the last notice before your order with {merchant} may be cancelled."
            ),
        },
    ),
}
_REASONS: dict[Situation, tuple[str, str, str]] = {
    "generic": (
        N_("Your bank did not approve the payment. It does not always tell us why."),
        N_("Please pay with another card, or check the details of the one you use."),
        N_("Update payment details"),
    ),
    "expired": (
        N_("The card we have on file seems to have expired."),
        N_("Please add your new card; if your bank has sent you one, its details are all you need."),
        N_("Add a new card"),
    ),
    "funds": (
        N_("Your bank could not approve this amount at that moment."),
        N_("Please pay with another card, or with the same one when it suits you better."),
        N_("Complete payment"),
    ),
    "authentication": (
        N_("Your bank would like you to confirm this payment yourself."),
        N_("Please open the secure payment page and follow your bank’s steps; this usually takes less than a minute."),
        N_("Confirm payment"),
    ),
}
_SUBJECT_TO_CONFIRM = {
    1: N_("Please confirm your payment to {merchant}"),
    2: N_("Your payment to {merchant} still needs your confirmation"),
}
_HEADING_TO_CONFIRM = {1: N_("Please confirm your payment")}
_SUBJECT_NEW_CARD = {1: N_("Your card for {merchant} needs an update")}


NOTICES: dict[str, MailTexts] = {
    "payment_recovered": MailTexts(
        subject=N_("Thank you: your payment to {merchant} was received"),
        preview=N_("Everything is settled. There is nothing you need to do."),
        heading=N_("Your payment was received"),
        opening=N_("Thank you. Your payment of {amount} to {merchant} has gone through, and everything is settled."),
        reason=N_("Earlier we wrote that a payment was open; you can disregard those messages."),
        request=N_("There is nothing you need to do."),
        button=N_("View your invoice"),
        closing=N_("Thank you for staying with us."),
        label=N_("Amount paid"),
    ),
    "cancelled_for_non_payment": MailTexts(
        subject=N_("{merchant}: your subscription has ended"),
        preview=N_("A payment stayed open, so the subscription has ended."),
        heading=N_("Your subscription has ended"),
        opening=N_("We were not able to collect your payment of {amount}, so your {merchant} subscription has ended."),
        reason=N_("We are sorry to see you go."),
        request=N_("If you would like to come back, please pay the open amount and write to us; we will be glad to help."),
        button=N_("Pay the open amount"),
        closing=N_("If you have paid in the meantime, thank you, and please let us know."),
    ),
    "card_expiring": MailTexts(
        subject=N_("Your card for {merchant} expires soon"),
        preview=N_("A new card now keeps your subscription running."),
        heading=N_("Your card expires soon"),
        opening=N_(
            "The card we have on file for your {merchant} subscription is good until the end of {month}, "
            "before your next payment of {amount} is due."
        ),
        reason=N_("If your bank has sent you a new card, please add it in your account with {merchant}."),
        request=N_("It takes a minute, and nothing is charged before the payment is due."),
        button=N_("Add a new card"),
        closing=N_("If you have already added a new card, thank you: everything is fine, and please ignore this message."),
        label=N_("Next payment"),
    ),
}
"""The mails that are no reminder, by template: the payment came, the subscription ended unpaid, a card will not live to the next charge."""

AROUND: dict[str, str] = {
    "hello": N_("Hello,"),
    "hello_name": N_("Hello {name},"),
    "labelled": N_("{label}: {amount}"),
    "also_open": N_("Also open:"),
    "also_view": N_("Also open: view and pay"),
    "further": N_("Further open invoices ({count}):"),
    "in_all": N_("Open in all:"),
    "questions": N_("Questions? Write to us:"),
    "regards": N_("Kind regards"),
    "mention": N_("Sent by Dunlin on behalf of {merchant}"),
}
"""The texts around those sentences, in every mail."""


def situation(decline_kind: str, decline_reason: str) -> Situation:
    """What the payer may know about the decline; anything but three harmless cases is generic."""
    if decline_kind == "fraud":
        return "generic"
    if decline_kind == "needs_auth" or decline_reason in AUTHENTICATION:
        return "authentication"
    if decline_reason in EXPIRED:
        return "expired"
    return "funds" if decline_reason in FUNDS else "generic"


def texts_of(step: int, why: Situation, *, subscription: bool = True) -> MailTexts:
    """The sentences for a dunning step; a step before the first or after the third speaks like its neighbour."""
    number = min(max(step, 1), 3)
    tone, (reason, request, button) = _TONES[number], _REASONS[why]
    subject = {"authentication": _SUBJECT_TO_CONFIRM, "expired": _SUBJECT_NEW_CARD}.get(why, {}).get(number, tone.subject)
    texts = MailTexts(
        subject=subject,
        preview=tone.preview,
        heading=_HEADING_TO_CONFIRM.get(number, tone.heading) if why == "authentication" else tone.heading,
        opening=tone.opening,
        reason=reason,
        request=request,
        button=button,
        closing=tone.closing,
    )
    return texts if subscription else msgspec.structs.replace(texts, **tone.for_order)

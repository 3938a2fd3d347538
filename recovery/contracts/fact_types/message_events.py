"""What comes back from a message after it left: it was delivered, opened, clicked, or answered. Signs, never reasons to act (B81)."""

from typing import Literal

from recovery.contracts.fact_types.parts import Fact
from recovery.contracts.field_types import DerivedId, ShortText, Text
from recovery.vocabulary import Medium


class MessageOpened(Fact, frozen=True, kw_only=True, tag="message_opened"):
    """The image of a mail was fetched; recorded once an hour for each message. `machine` is the sign of a program (head, prefetch, agent,
    no_agent, too_soon, many_links) and is empty for what may be a person. Mail programs fetch images on their own: an opening proves
    nothing (B81)."""

    effect: DerivedId
    medium: Medium = "email"
    contact: ShortText = ""
    machine: ShortText = ""


class MessageClicked(Fact, frozen=True, kw_only=True, tag="message_clicked"):
    """A link of a message was followed; recorded once an hour for each message. `machine` is as in MessageOpened; clicks by programs are
    left out of every figure (B81)."""

    effect: DerivedId
    medium: Medium = "email"
    contact: ShortText = ""
    machine: ShortText = ""


class MessageDelivered(Fact, frozen=True, kw_only=True, tag="message_delivered"):
    """The provider says that the message reached the recipient. `message` is the provider's id of it."""

    effect: DerivedId
    medium: Medium
    message: DerivedId = ""


class MessageUndelivered(Fact, frozen=True, kw_only=True, tag="message_undelivered"):
    """The provider says that the message did not reach the recipient; `why` is its code."""

    effect: DerivedId
    medium: Medium
    message: DerivedId = ""
    why: Text = ""


class MessageReceived(Fact, frozen=True, kw_only=True, tag="message_received"):
    """An SMS was received. `word` is the keyword; neither the text nor the number is stored (B94). Without a customer the number is unknown
    to us; `message` is the provider's id, under which the provider shows the text."""

    medium: Medium = "sms"
    message: DerivedId = ""
    word: Literal["stop", "start", "help", "other"]

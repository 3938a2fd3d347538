"""What comes back from a message after it left: it was delivered, opened, clicked, or answered. Signs, never reasons to act (B81)."""

from typing import Literal

from recovery.contracts.bounded import DerivedId, Text, Word
from recovery.contracts.fact_words import Fact
from recovery.vocabulary import Medium


class MessageOpened(Fact, frozen=True, kw_only=True, tag="message_opened"):
    """The image of a mail was fetched; told once an hour for each message. `machine` says why it looks like a program (head, prefetch,
    agent, no_agent, too_soon, many_links), empty for what may be a person. Mail programs fetch images unasked: an opening proves nothing
    (B81)."""

    effect: DerivedId
    medium: Medium = "email"
    contact: Word = ""
    machine: Word = ""


class MessageClicked(Fact, frozen=True, kw_only=True, tag="message_clicked"):
    """A link of a message was followed; told once an hour for each message. `machine` as for MessageOpened; such clicks are left out of
    every figure (B81)."""

    effect: DerivedId
    medium: Medium = "email"
    contact: Word = ""
    machine: Word = ""


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
    """Somebody wrote to us by SMS: `word` is what they wanted, the text itself and the number are not kept (B94). Without a customer the
    number is none that we know; `message` is the provider's id, by which the text can be looked up there."""

    medium: Medium = "sms"
    message: DerivedId = ""
    word: Literal["stop", "start", "help", "other"]

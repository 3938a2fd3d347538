"""The sandbox's world behind the doors that the effects sink knows: calls instead of a network, with the same meanings and errors."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from random import Random
from typing import Any

import msgspec

from recovery.presentation.brand import Brand
from sandbox.api.errors import Refusal
from sandbox.api.objects import Objects
from sandbox.api.payment_shapes import charge as shown_charge
from sandbox.simulation.records import Request
from sandbox.simulation.world import World
from sinks.effects.mail.smtp import DeliveryUnknown, TemporaryFailure
from sinks.effects.stripe.client import (
    INVOICE_EXPANDS,
    PAY_EXPANDS,
    Declined,
    Object,
    ObjectGone,
    RateLimited,
    RequestRefused,
    StripeUnreachable,
)

LINK = re.compile(r"(?:/|%2F)i(?:/|%2F)([0-9A-Za-z]{32})")
MESSAGE_ID = re.compile(rb"^Message-ID: (\S+)\r?$", re.MULTILINE | re.IGNORECASE)


class Door:
    """Answers like StripeDoor. `trouble` is the share of pay calls that end without an answer, done or not."""

    def __init__(self, world: World, now: Callable[[], datetime], luck: Random, trouble: float = 0.0) -> None:
        self._world, self._objects, self._now, self._luck, self._trouble = world, Objects(world), now, luck, trouble
        self._answers: dict[str, Object | Refusal] = {}
        self._calls = 0

    def invoice(self, _account: str, invoice: str) -> Object:
        shown = self._given(lambda: self._objects.expand(self._objects.get("invoice", invoice), INVOICE_EXPANDS))
        self._world.books.invoices[invoice].opened_at = self._now().timestamp()
        return shown

    def charges_of(self, _account: str, invoice: Object) -> list[Object]:
        bill = self._world.books.invoices[invoice["id"]]
        made = [taken for taken in reversed(bill.charges) if taken.outcome != "requires_action"]
        return [_plain(shown_charge(taken)) for taken in made]

    def charge(self, _account: str, charge: str) -> Object:
        return self._given(lambda: self._objects.get("charge", charge))

    def invoice_of_charge(self, _account: str, charge: Object) -> str:
        return self._world.books.charges[charge["id"]].invoice

    def customer(self, _account: str, customer: str) -> Object:
        return self._given(lambda: self._objects.get("customer", customer))

    def cancel(self, _account: str, subscription: str, key: str) -> None:
        self._given(lambda: {"id": self._world.cancel(subscription, self._now().timestamp(), Request("req_end", key)).id})

    def pause_collection(self, _account: str, _subscription: str, _key: str) -> None:
        raise RequestRefused("the sandbox pauses nothing")

    def mark_uncollectible(self, _account: str, invoice: str, key: str) -> None:
        self._given(lambda: {"id": self._world.mark_uncollectible(invoice, self._now().timestamp(), Request("req_end", key)).id})

    def pay(self, _account: str, invoice: str, key: str) -> Object:
        lost = self._luck.random() < self._trouble
        if lost and self._luck.random() < 0.3:
            raise RateLimited("rate limit")
        if lost and self._luck.random() < 0.4:
            raise StripeUnreachable("the line broke before Stripe heard of it")
        answer = self._once(invoice, key)
        if lost:
            raise StripeUnreachable("the line broke after Stripe had acted")
        if isinstance(answer, Refusal):
            raise _meaning(answer)
        return answer

    def event_of_key(self, _account: str, invoice: str, key: str, since: datetime) -> Object | None:
        told = {"invoice.paid", "invoice.payment_failed", "invoice.payment_action_required"}
        for event in reversed(self._world.announce.events.values()):
            if event.type in told and event.invoice == invoice and event.request.idempotency_key == key:
                return event.shown("2026-09-30.endive") if event.created >= since.timestamp() - 60 else None
        return None

    def _once(self, invoice: str, key: str) -> Object | Refusal:
        if key not in self._answers:
            answer = self._performed(invoice, key)
            if isinstance(answer, Refusal) and answer.status in {400, 404}:
                return answer  # Stripe keeps no answer of a call that it never executed
            self._answers[key] = answer
        return self._answers[key]

    def _performed(self, invoice: str, key: str) -> Object | Refusal:
        self._calls += 1
        try:
            bill = self._world.pay(invoice, self._now().timestamp(), Request(f"req_{self._calls}", key))
        except Refusal as refusal:
            return refusal
        return _plain(self._objects.expand(self._objects.invoice(bill), PAY_EXPANDS))

    def _given(self, find: Callable[[], Object]) -> Object:
        try:
            return _plain(find())
        except Refusal as refusal:
            raise _meaning(refusal) from refusal


class Postbox:
    """Takes mails like MailServer, and puts them before their readers. `trouble` is the share that is not plainly taken."""

    def __init__(self, world: World, now: Callable[[], datetime], luck: Random, trouble: float = 0.0) -> None:
        self._world, self._now, self._luck, self._trouble = world, now, luck, trouble

    def deliver(self, _sender: str, recipient: str, mail: bytes, claim: Callable[[], object], _others: Sequence[str]) -> tuple[str, ...]:
        bad = self._luck.random() < self._trouble
        if bad and self._luck.random() < 0.7:
            raise TemporaryFailure("the mail server rests")
        claim()
        found, link = MESSAGE_ID.search(mail), LINK.search(mail.decode("ascii", "replace").replace("=\r\n", ""))
        assert found is not None, "a mail without its id"
        assert link is not None, "a mail without its link"
        at = self._now().timestamp()
        token = link.group(1)
        self._world.behaviour.receive(found.group(1).decode(), to=recipient, token=token, subject="", wall=at, at=at)
        if bad:
            raise DeliveryUnknown("the mail server hung up after the last byte")
        return ()


class Merchant:
    """The one account: may be charged, has a name, and keeps no contacts."""

    def __init__(self, account: str) -> None:
        self._account = account

    def accounts(self) -> list[str]:
        return [self._account]

    def secrets(self, _account: str) -> tuple[str, ...]:
        return ("whsec_x",)

    def livemode(self, _account: str) -> bool:
        return False

    def may_charge(self, _account: str) -> bool:
        return True

    def name(self, _account: str) -> str:
        return "Wader Supply Co."

    def support_email(self, _account: str) -> str:
        return ""

    def brand(self, _account: str) -> Brand:
        return Brand()

    def remember(self, *_told: object) -> None: ...

    def replace_billing_contacts(self, *_told: object) -> None: ...


def moment(at: float) -> datetime:
    """Unix seconds as business time."""
    return datetime.fromtimestamp(at, UTC)


def _plain(shown: Any) -> Object:
    answer: Object = msgspec.json.decode(msgspec.json.encode(shown))
    return answer


def _meaning(refusal: Refusal) -> Exception:
    text = str(refusal)
    if refusal.status == 402:
        return Declined(_plain(refusal.error))
    return ObjectGone(text) if refusal.status == 404 or refusal.error.get("code") == "resource_missing" else RequestRefused(text)

"""A validly signed webhook becomes one fact, whatever it says, and the messages that store it."""

import hashlib
import logging
from datetime import datetime
from typing import Any, Protocol

import msgspec

from producers.gateway.kafka_delivery import OutgoingMessage
from producers.providers.stripe import DEAUTHORIZED, WITHOUT_MEANING, Ignored, key_object, refuse_thin, translate
from producers.providers.stripe_invoices import InvoiceEvent, invoice_event
from recovery.contracts.dead_letters import DeadLetter
from recovery.contracts.encoding.codec import decode_fact, encode
from recovery.contracts.facts import Fact, PauseSet, WebhookIgnored, WebhookParked
from recovery.contracts.limit_checks import Unprocessable, check_arrived
from recovery.contracts.limits import AHEAD_OF_ARRIVAL, ID_LENGTH
from recovery.contracts.topics import FACTS, PARKED_GATEWAY, RAW
from recovery.ids import stream_key, stub_key, trace_of, webhook_fact_id
from recovery.stripe.fields import UnknownShape, moment_at

log = logging.getLogger(__name__)
_decode = msgspec.json.Decoder().decode


class WebhookAccounts(Protocol):
    """What the gateway must know of accounts."""

    def accounts(self) -> list[str]:
        """All account ids."""

    def secrets(self, account: str) -> tuple[str, ...]:
        """The account's endpoint secrets; none when it is unknown."""

    def livemode(self, account: str) -> bool:
        """Whether the account is connected in live mode."""


def read(body: bytes) -> Any:
    """What a webhook's body says, typed when it is an event about an invoice, else as plain data.

    Raises:
        ValueError: it is not JSON in UTF-8.
        RecursionError: it is nested too deeply to be read.

    """
    event = invoice_event(body)
    return _decode(body) if event is None else event


def messages_of(
    accounts: WebhookAccounts, path: str, signers: list[str], event: Any, body: bytes, received_at: datetime, traceparent: bytes = b""
) -> tuple[Fact, list[OutgoingMessage]]:
    """The one fact of a validly signed body, and the messages to store it with: raw, fact, and parked when it cannot be translated.

    `path` is the account in the address, empty at the platform's endpoint; `signers` are the accounts whose secret matched;
    `traceparent` is the header of that name, which the fact then carries.
    """
    named = _field(event, "account")
    account = named if named in signers else signers[0]
    why = _misdirected(path, signers, named)
    fact = _fact(accounts, account, event, body, received_at, why)
    if traceparent:
        fact = msgspec.structs.replace(fact, trace=trace_of(traceparent, fact.trace))
    fact, value = _within_limits(fact, account, event, body)
    key = stream_key(account, fact.customer) if fact.customer else stub_key(account, key_object(fact))
    messages = [OutgoingMessage(RAW.name, account.encode(), body), OutgoingMessage(FACTS.name, key, value)]
    if isinstance(fact, WebhookParked):
        messages.append(OutgoingMessage(PARKED_GATEWAY.name, account.encode(), encode(_parked(account, fact, body))))
    if isinstance(fact, WebhookIgnored) and fact.event_type == DEAUTHORIZED and fact.why == WITHOUT_MEANING[DEAUTHORIZED]:
        messages.append(OutgoingMessage(FACTS.name, stub_key(account, "switch"), encode(_stopped(fact)), everywhere=True))
    return fact, messages


def _stopped(fact: WebhookIgnored) -> PauseSet:
    """The account has taken our access away: everything stops at once, on every partition (B9)."""
    return PauseSet(
        id=f"{fact.id}:switch",
        account=fact.account,
        occurred_at=fact.occurred_at,
        received_at=fact.received_at,
        cause=fact.cause,
        trace=fact.trace,
        paused=True,
        who="Stripe",
        why="deauthorized",
    )


def _fact(accounts: WebhookAccounts, account: str, event: Any, body: bytes, received_at: datetime, why: str) -> Fact:
    try:
        if not isinstance(event, (dict, InvoiceEvent)):
            raise UnknownShape("event is not an object.")
        if why:
            return _ignored(account, event, body, received_at, why)
        refuse_thin(event)
        if _field(event, "livemode") is not accounts.livemode(account):
            mode = "live" if _field(event, "livemode") else "test"
            return _ignored(account, event, body, received_at, f"wrong mode: a {mode} event for an account in the other mode")
        made = translate(account, event, received_at)
        return _ignored(account, event, body, received_at, made.why) if isinstance(made, Ignored) else made[0]
    except Exception as error:  # noqa: BLE001 - whatever a body does to the translator: its bytes are parked, nothing is lost
        return _unread(account, event, body, received_at, error)


def _within_limits(fact: Fact, account: str, event: Any, body: bytes) -> tuple[Fact, bytes]:
    """The fact and its bytes; where the streams would refuse it (docs/limits.md), the fact that its webhook is dead-lettered."""
    value = encode(fact)
    try:
        if isinstance(event, InvoiceEvent):  # nearly all; what its decoder took is within the limits of every field
            check_arrived(fact, value)
        else:
            decode_fact(value)
    except Unprocessable as error:
        fact = _unread(account, event, body, fact.received_at, error)
        value = encode(fact)
    return fact, value


def _misdirected(path: str, signers: list[str], named: object) -> str:
    """Why a validly signed event belongs to none of our accounts; empty when it does."""
    if named is not None and named not in signers:
        return "it names an account that this secret does not speak for"
    if not path and named is None and len(signers) > 1:
        return "it names no account, and several share this secret"
    return ""


def _ignored(account: str, event: Any, body: bytes, received_at: datetime, why: str) -> WebhookIgnored:
    return WebhookIgnored(**_header(account, event, body, received_at), event_type=_word(event, "type"), why=why)


def _unread(account: str, event: Any, body: bytes, received_at: datetime, error: Exception) -> WebhookParked:
    why = str(error) if isinstance(error, UnknownShape | Unprocessable) else f"{type(error).__name__} while it was read"
    log.warning("parked a webhook of %s: %s", account, why)
    return WebhookParked(**_header(account, event, body, received_at), event_type=_word(event, "type"), why=why)


def _header(account: str, event: Any, body: bytes, received_at: datetime) -> dict[str, Any]:
    # A body without an event id gets one derived from its bytes: sent again, it is the same fact.
    event_id = _word(event, "id") or f"body-{hashlib.sha256(body).hexdigest()[:32]}"
    fact_id = webhook_fact_id(account, event_id)
    return {
        "id": fact_id,
        "account": account,
        "occurred_at": _created(event, received_at),
        "received_at": received_at,
        "cause": event_id,
        "trace": fact_id,
    }


def _created(event: Any, received_at: datetime) -> datetime:
    """When the event happened, as far as that can be believed; else when it arrived."""
    try:
        created = moment_at({"created": _field(event, "created")}, "created", "event")
    except UnknownShape:
        return received_at
    return received_at if created is None or created > received_at + AHEAD_OF_ARRIVAL else created


def _field(event: Any, name: str) -> Any:
    """The value of the event at `name`; None when it is absent, or the body is not an event."""
    return event.get(name) if isinstance(event, dict) else getattr(event, name, None)


def _word(event: Any, name: str) -> str:
    value = _field(event, name)
    fits = isinstance(value, str) and value.isprintable() and len(value.encode(errors="replace")) <= ID_LENGTH
    return value if fits else ""


def _parked(account: str, fact: WebhookParked, body: bytes) -> DeadLetter:
    return DeadLetter(
        stage="gateway",
        topic=RAW.name,
        partition=-1,  # the raw message travels at the same time; its place is not known yet
        offset=-1,
        key=account.encode(),
        value=body,
        headers={"fact": fact.id, "event_type": fact.event_type},
        why=fact.why,
        at=fact.received_at,
        trace=fact.trace,
        replay_topic=FACTS.name,
    )

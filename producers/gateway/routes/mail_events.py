"""The route for mail providers: bounces and complaints in one documented form, signed as Standard Webhooks (docs/intake.md)."""

import logging
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Literal

import msgspec
from standardwebhooks import Webhook, WebhookVerificationError

from producers.gateway.lookup_pool import LookupPool, PoolBusy
from producers.gateway.router import Request, Response, Route, plainly
from producers.mailbox.bounce_attribution import BounceResolver, DeliveryReport
from producers.providers.dsn import is_hard
from recovery.contracts.facts import Fact
from recovery.vocabulary import Clock

log = logging.getLogger(__name__)
AT_ONCE = 50
"""Lookups of one turn; a request with more waits for the turns of other accounts in between."""


class MailEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event of a provider. `list_unsubscribe`, or `message_id` with `recipient`, as they were in the mail, identify the mail. `hard`
    true: the address does not exist; without it, the `status` (`5.1.1`) decides."""

    type: Literal["bounced", "complained"]
    message_id: str = ""
    recipient: str = ""
    list_unsubscribe: str = ""
    status: str = ""
    hard: bool | None = None
    why: str = ""


class _Body(msgspec.Struct, frozen=True):
    events: list[MailEvent]


_decode = msgspec.json.Decoder(_Body).decode


class MailEventRoutes:
    """Answers at `/api/mail/events/ACCOUNT`. `secrets` are an account's, none when it takes no such events."""

    def __init__(self, secrets: Callable[[str], tuple[str, ...]], resolver: BounceResolver, business: Clock, wall: Clock) -> None:
        self._secrets, self._resolver, self._business, self._wall = secrets, resolver, business, wall
        self._lane = LookupPool("mail-look-ups")

    def routes(self) -> list[Route]:
        """The one route."""
        return [Route("mail", "/api/mail/events/", frozenset({"POST"}), self._events)]

    async def _events(self, request: Request) -> Response:
        account = request.rest
        secrets = self._secrets(account)
        if not any(_signed(secret, request) for secret in secrets):
            return plainly(HTTPStatus.UNAUTHORIZED, "forged" if secrets else "no_account")
        try:
            events = _decode(request.body).events
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return Response(400, "unreadable", f"The body cannot be read: {error}.\n".encode())
        try:
            found: list[list[Fact]] = []
            for first in range(0, len(events), AT_ONCE):
                found += await self._lane.run(account, partial(self._facts, account, events[first : first + AT_ONCE]))
        except PoolBusy:
            return Response(503, "busy", b"Too many requests of this account at once. Please send it again.\n")
        except Exception as error:  # noqa: BLE001 - whatever ails the contacts' database: the provider sends it again
            log.warning("the contacts do not answer: %s", type(error).__name__)
            return Response(503, "contacts", b"The contacts do not answer. Please send it again.\n")
        facts = [fact for group in found for fact in group]
        unknown = sum(not group for group in found)
        if unknown:
            log.warning("%d of %d mail events of %s concern no known customer", unknown, len(events), account)
        body = b'{"taken":%d,"unknown":%d}\n' % (len(events) - unknown, unknown)
        return Response(200, "told" if facts else "unknown", body, b"application/json", facts=facts)

    def _facts(self, account: str, events: list[MailEvent]) -> list[list[Fact]]:
        return [self._resolver.facts(notice_of(event), [account], self._business(), self._wall()) for event in events]


def notice_of(event: MailEvent) -> DeliveryReport:
    """The delivery report in a provider's event."""
    hard = event.type == "bounced" and (is_hard(event.status, event.why) if event.hard is None else event.hard)
    return DeliveryReport(
        kind=event.type,
        hard=hard,
        why=f"{event.status} {event.why}".strip(),
        message_id=event.message_id,
        recipient=event.recipient,
        unsubscribe=event.list_unsubscribe,
    )


def _signed(secret: str, request: Request) -> bool:
    try:
        Webhook(secret).verify(request.body, request.headers, json_parse=False)
    except (WebhookVerificationError, ValueError):  # ValueError: a signature or body that is no text at all
        return False
    return True

"""The routes for Twilio: replies to texts, and the status of texts. Both are authenticated by Twilio's signature alone."""

import logging
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Protocol
from urllib.parse import parse_qs, parse_qsl

from twilio.request_validator import RequestValidator
from twilio.twiml.messaging_response import MessagingResponse

from producers.gateway.lookup_pool import LookupPool, PoolBusy
from producers.gateway.router import Request, Response, Route, plainly
from producers.providers.twilio_facts import Text, Word, status_facts, text_facts, word_of
from recovery.signed_links import LinkSigner
from recovery.vocabulary import Clock

log = logging.getLogger(__name__)
_XML = b"text/xml; charset=utf-8"
_POST = frozenset({"POST"})
REPLY_PAUSE_SECONDS = 3600.0
"""How long a number gets no second automatic answer: two machines must not talk to each other for ever."""
_REMEMBERED = 10_000
_POLITE = (
    "This number only sends payment reminders; replies are not read. For questions, please contact the merchant. Reply STOP to opt out."
)


class Numbers(Protocol):
    """Whose telephone number it is (control.contacts)."""

    def customers_with_phone(self, account: str, phone: str) -> tuple[str, ...]:
        """The account's customers with this number (E.164)."""


class TwilioRoutes:
    """Answers at `/api/twilio/`. `public_url` is the address that Twilio calls, which its signature covers; `accounts` are all."""

    def __init__(
        self,
        token: str,
        public_url: str,
        links: LinkSigner,
        numbers: Numbers,
        accounts: Callable[[], list[str]],
        clocks: tuple[Clock, Clock],
        seconds: Callable[[], float],
    ) -> None:
        self._validator, self._base, self._links = RequestValidator(token), public_url, links
        self._numbers, self._accounts, self._seconds = numbers, accounts, seconds
        self._business, self._wall = clocks
        self._answered: OrderedDict[str, float] = OrderedDict()
        self._lane = LookupPool("text-look-ups")

    def routes(self) -> list[Route]:
        """The routes for texts and for statuses."""
        return [
            Route("sms", "/api/twilio/sms", _POST, self._text),
            Route("sms_status", "/api/twilio/status/", _POST, self._status),
        ]

    async def _text(self, request: Request) -> Response:
        """A text to our number. Without an account in the path it concerns all accounts, which then share the number."""
        params, account = self._believed(request), request.rest.strip("/")
        if params is None:
            return plainly(HTTPStatus.FORBIDDEN, "forged")
        accounts = self._accounts()
        if account and account not in accounts:
            return plainly(HTTPStatus.NOT_FOUND, "no_account")
        number, message = params.get("From", "")[:32], params.get("MessageSid", "")[:64]
        if not message or not accounts:
            return plainly(HTTPStatus.BAD_REQUEST, "no_message")
        text = Text(message, number, word_of(params), self._business(), self._wall())
        try:
            owners = await self._lane.run(number, partial(self._owners, [account] if account else accounts, number))
        except PoolBusy:
            return Response(503, "busy", b"Too many texts of this number at once. Please send it again.\n")
        except Exception as error:  # noqa: BLE001 - whatever ails the contacts' database: a STOP must not pass for heard
            log.warning("the contacts do not answer: %s", type(error).__name__)
            return Response(503, "contacts", b"The contacts do not answer. Please send it again.\n")
        facts = text_facts(text, owners, account or accounts[0])
        return Response(200, text.word if owners else f"{text.word}_unknown", self._twiml(text.word, number), _XML, facts=facts)

    def _owners(self, accounts: list[str], number: str) -> list[tuple[str, str]]:
        if not number:
            return []
        return [(account, customer) for account in accounts for customer in self._numbers.customers_with_phone(account, number)]

    def _twiml(self, word: Word, number: str) -> bytes:
        """STOP, START and HELP are answered by Twilio itself; anything else politely, once an hour."""
        answer, now = MessagingResponse(), self._seconds()
        last = self._answered.get(number)
        if word == "other" and (last is None or now - last >= REPLY_PAUSE_SECONDS):
            self._answered[number] = now
            self._answered.move_to_end(number)
            if len(self._answered) > _REMEMBERED:
                self._answered.popitem(last=False)
            answer.message(_POLITE)
        return str(answer).encode()

    async def _status(self, request: Request) -> Response:
        params = self._believed(request)
        if params is None:
            return plainly(HTTPStatus.FORBIDDEN, "forged")
        token = parse_qs(request.query).get("m", [""])[0]
        link = self._links.read("status", token)
        if link is None or link.sending.account != request.rest:
            return plainly(HTTPStatus.NOT_FOUND, "no_link")
        facts = status_facts(link.sending, params, self._business(), self._wall())
        return Response(200, "told" if facts else "on_its_way", str(MessagingResponse()).encode(), _XML, facts=facts)

    def _believed(self, request: Request) -> dict[str, str] | None:
        """The form's fields when Twilio signed them for this address, else None."""
        try:
            params = dict(parse_qsl(request.body.decode(), keep_blank_values=True, max_num_fields=200))
        except ValueError:
            return None
        url = self._base + request.path + (f"?{request.query}" if request.query else "")
        signed = self._validator.validate(url, params, request.headers.get("x-twilio-signature", ""))
        return params if signed else None

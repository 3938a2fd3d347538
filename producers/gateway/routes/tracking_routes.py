"""The routes of links in messages: the image that records an opening, the redirect that records a click, and the unsubscribe.

A link that we did not sign gets the response of an unknown page. Losing an opening is acceptable, losing an unsubscribe is not.
"""

import base64
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from http import HTTPStatus

from producers.gateway.router import Request, Response, Route, plainly
from producers.gateway.unsubscribe_page import page
from producers.mailbox.bot_detection import machine
from recovery.contracts.facts import ContactSuppressed, MessageClicked, MessageOpened
from recovery.ids import kind_of
from recovery.signed_links import Kind, Link, LinkSigner
from recovery.vocabulary import Clock, Medium

_GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
_PRIVATE = ((b"cache-control", b"no-store, private"), (b"referrer-policy", b"no-referrer"), (b"x-robots-tag", b"noindex, nofollow"))
REMEMBERED = 50_000
"""Openings and clicks, and as many unsubscribes, that are remembered so that they are published once; older ones may be published again,
under the same id."""
MOST_PER_SECOND = 500
"""Openings and clicks published in one second; more get their response and are dropped."""
AT_ONCE = 2.0
"""Seconds within which no person follows two links of one mail."""
HOUR = 3600


class TrackingRoutes:
    """Answers at `/o/`, `/c/` and `/u/`. `business` and `wall` are the two clocks, `seconds` a monotonic one."""

    def __init__(self, links: LinkSigner, business: Clock, wall: Clock, seconds: Callable[[], float]) -> None:
        self._links, self._business, self._wall, self._seconds = links, business, wall, seconds
        self._recorded: OrderedDict[str, None] = OrderedDict()
        self._opted_out: OrderedDict[str, None] = OrderedDict()
        self._followed: OrderedDict[str, tuple[str, float]] = OrderedDict()
        self._second, self._count = 0, 0

    def routes(self) -> list[Route]:
        """The three routes."""
        return [
            Route("open", "/o/", frozenset({"GET", "HEAD"}), self._open),
            Route("click", "/c/", frozenset({"GET", "HEAD"}), self._click),
            Route("unsubscribe", "/u/", frozenset({"GET", "HEAD", "POST"}), self._unsubscribe),
        ]

    async def _open(self, request: Request) -> Response:
        if (link := self._read("open", request)) is None:
            return plainly(HTTPStatus.NOT_FOUND, "no_link")
        why = machine(request.method, request.headers, self._since(link), False)
        facts, reason = self._once(MessageOpened, "opened", link, why)
        return Response(200, reason, _GIF, b"image/gif", _PRIVATE, facts, durable=False)

    async def _click(self, request: Request) -> Response:
        if (link := self._read("click", request)) is None:
            return plainly(HTTPStatus.NOT_FOUND, "no_link")
        why = machine(request.method, request.headers, self._since(link), self._another(link, request.rest))
        facts, reason = self._once(MessageClicked, "clicked", link, why)
        where = ((b"location", link.target.encode()), *_PRIVATE)
        return Response(302, reason, headers=where, facts=facts, durable=False)

    async def _unsubscribe(self, request: Request) -> Response:
        if (link := self._read("unsubscribe", request)) is None:
            return plainly(HTTPStatus.NOT_FOUND, "no_link")
        done = request.method == "POST"
        html = page(request.headers.get("accept-language", ""), done=done)
        opt_out = self._opt_out(link)
        if not done or opt_out.id in self._opted_out:
            return Response(200, "repeated" if done else "asked", html, b"text/html; charset=utf-8", _PRIVATE)
        published = partial(self._remember, self._opted_out, opt_out.id)
        return Response(200, "unsubscribed", html, b"text/html; charset=utf-8", _PRIVATE, [opt_out], on_published=published)

    def _read(self, kind: Kind, request: Request) -> Link | None:
        return self._links.read(kind, request.rest)

    def _since(self, link: Link) -> float:
        return self._business().timestamp() - link.sending.at

    def _another(self, link: Link, token: str) -> bool:
        """Whether another link of the same message was followed just now."""
        effect, now = link.sending.effect, self._seconds()
        before = self._followed.pop(effect, None)
        self._followed[effect] = (token, now)
        if len(self._followed) > REMEMBERED:
            self._followed.popitem(last=False)
        return before is not None and before[0] != token and now - before[1] < AT_ONCE

    def _once(
        self, fact: type[MessageOpened] | type[MessageClicked], what: str, link: Link, why: str
    ) -> tuple[list[MessageOpened | MessageClicked], str]:
        """The fact, once an hour for each message and each sort of reader; its id says so too, for the other gateways."""
        sending, business = link.sending, self._business()
        id = f"{what}:{sending.effect}:{sending.contact}:{why}:{int(business.timestamp()) // HOUR}"
        if id in self._recorded:
            return [], "repeated"
        if self._flooded():
            return [], "flood"
        self._remember(self._recorded, id)
        made = fact(
            id=id,
            account=sending.account,
            customer=sending.customer,
            invoice=sending.invoice,
            occurred_at=business,
            received_at=self._wall(),
            cause=sending.effect,
            trace=id,
            effect=sending.effect,
            medium=_medium(sending.effect),
            contact=sending.contact,
            machine=why,
        )
        return [made], "machine" if why else what

    def _remember(self, ids: OrderedDict[str, None], id: str) -> None:
        ids[id] = None
        if len(ids) > REMEMBERED:
            ids.popitem(last=False)

    def _flooded(self) -> bool:
        second = int(self._seconds())
        self._count = self._count + 1 if second == self._second else 1
        self._second = second
        return self._count > MOST_PER_SECOND

    def _opt_out(self, link: Link) -> ContactSuppressed:
        sending, business = link.sending, self._business()
        id = f"unsubscribed:{sending.effect}:{sending.contact}:{int(business.timestamp()) // HOUR}"
        return ContactSuppressed(
            id=id,
            account=sending.account,
            customer=sending.customer,
            occurred_at=business,
            received_at=self._wall(),
            cause=sending.effect,
            trace=id,
            medium="email",
            why="unsubscribed",
            who="customer",
        )


def _medium(effect: str) -> Medium:
    return "sms" if kind_of(effect) == "sms" else "email"

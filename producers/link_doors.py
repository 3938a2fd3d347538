"""The doors of links in messages: the image that tells of an opening, the redirect that tells of a click, and the wish for silence.

A link that is none of ours is answered like a page that is not there. Losing an opening is allowed, losing a wish for silence is not.
"""

import base64
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from http import HTTPStatus

from producers.intake import Door, Reply, Request, plainly
from producers.machines import machine
from producers.unsubscribe_page import page
from recovery.contracts.facts import ContactSuppressed, MessageClicked, MessageOpened
from recovery.ids import kind_of
from recovery.links import Kind, Link, Links
from recovery.vocabulary import Clock, Medium

_GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
_PRIVATE = ((b"cache-control", b"no-store, private"), (b"referrer-policy", b"no-referrer"), (b"x-robots-tag", b"noindex, nofollow"))
REMEMBERED = 50_000
"""Openings and clicks, and as many wishes for silence, that are remembered so as to be told once; older ones may be told again, under the
same id."""
MOST_PER_SECOND = 500
"""Openings and clicks told in one second; more are answered and dropped."""
AT_ONCE = 2.0
"""Seconds within which nobody follows two links of one mail."""
HOUR = 3600


class LinkDoors:
    """Answers at `/o/`, `/c/` and `/u/`. `business` and `wall` are the two clocks, `seconds` a monotonic one."""

    def __init__(self, links: Links, business: Clock, wall: Clock, seconds: Callable[[], float]) -> None:
        self._links, self._business, self._wall, self._seconds = links, business, wall, seconds
        self._told: OrderedDict[str, None] = OrderedDict()
        self._wished: OrderedDict[str, None] = OrderedDict()
        self._followed: OrderedDict[str, tuple[str, float]] = OrderedDict()
        self._second, self._count = 0, 0

    def doors(self) -> list[Door]:
        """The three doors."""
        return [
            Door("open", "/o/", frozenset({"GET", "HEAD"}), self._open),
            Door("click", "/c/", frozenset({"GET", "HEAD"}), self._click),
            Door("unsubscribe", "/u/", frozenset({"GET", "HEAD", "POST"}), self._unsubscribe),
        ]

    async def _open(self, request: Request) -> Reply:
        if (link := self._read("open", request)) is None:
            return plainly(HTTPStatus.NOT_FOUND, "no_link")
        why = machine(request.method, request.headers, self._since(link), False)
        facts, reason = self._once(MessageOpened, "opened", link, why)
        return Reply(200, reason, _GIF, b"image/gif", _PRIVATE, facts, surely=False)

    async def _click(self, request: Request) -> Reply:
        if (link := self._read("click", request)) is None:
            return plainly(HTTPStatus.NOT_FOUND, "no_link")
        why = machine(request.method, request.headers, self._since(link), self._another(link, request.rest))
        facts, reason = self._once(MessageClicked, "clicked", link, why)
        where = ((b"location", link.target.encode()), *_PRIVATE)
        return Reply(302, reason, headers=where, facts=facts, surely=False)

    async def _unsubscribe(self, request: Request) -> Reply:
        if (link := self._read("unsubscribe", request)) is None:
            return plainly(HTTPStatus.NOT_FOUND, "no_link")
        done = request.method == "POST"
        html = page(request.headers.get("accept-language", ""), done=done)
        wish = self._wish(link)
        if not done or wish.id in self._wished:
            return Reply(200, "repeated" if done else "asked", html, b"text/html; charset=utf-8", _PRIVATE)
        heard = partial(self._remember, self._wished, wish.id)
        return Reply(200, "unsubscribed", html, b"text/html; charset=utf-8", _PRIVATE, [wish], when_told=heard)

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
        if id in self._told:
            return [], "repeated"
        if self._flooded():
            return [], "flood"
        self._remember(self._told, id)
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

    def _wish(self, link: Link) -> ContactSuppressed:
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

"""The inbox as a person looks at it: a list with search and paging, and one page per mail."""

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from sandbox.inbox import Mailbox
from sandbox.pages.looks import moment, page

PER_PAGE = 50


def routes(box: Mailbox) -> list[Route]:
    """`/inbox?to=&page=` and `/inbox/{n}`."""

    async def listing(http: Request) -> HTMLResponse:
        to, number = http.query_params.get("to", ""), _page_number(http.query_params.get("page", "1"))
        found = box.search(to)
        shown = found[(number - 1) * PER_PAGE : number * PER_PAGE]
        return HTMLResponse(
            page(
                "inbox",
                title="Inbox",
                to=to,
                letters=shown,
                total=len(found),
                page=number,
                more=len(found) > number * PER_PAGE,
                query=lambda other: urlencode({"to": to, "page": other}),
                time=moment,
            )
        )

    async def letter(http: Request) -> HTMLResponse:
        one = box.find(http.path_params["number"])
        if one is None:
            told = "There is no mail of this number, or it has left the memory: see mails.jsonl."
            return HTMLResponse(page("nothing", title="No such mail", told=told), 404)
        return HTMLResponse(page("letter", title=one.subject, one=one, time=moment))

    return [Route("/inbox", listing), Route("/inbox/{number:int}", letter)]


def _page_number(text: str) -> int:
    return max(int(text), 1) if text.isdigit() else 1

"""The inbox as a web page: a list with search and paging, and one page per mail."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from sandbox.mail.inbox import Letter, Mailbox
from sandbox.pages import bills
from sandbox.pages.rendering import page
from sandbox.runtime import Runtime

PER_PAGE = 50
# a link in a mail opens in a window of its own: inside the sandboxed frame the pay form could not be sent
_FRAME = '<base target="_blank">'


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the list; `at` is business time in Unix seconds."""

    number: int
    name: str
    address: str
    subject: str
    bill: bills.Bill | None
    at: float


def routes(machine: Runtime, box: Mailbox) -> list[Route]:
    """`/inbox?to=&page=` and `/inbox/{n}`."""

    def common() -> dict[str, Any]:
        return {"merchant": machine.world.setting.merchant, "now": machine.world.now, "here": "inbox"}

    async def listing(http: Request) -> HTMLResponse:
        to = http.query_params.get("to", "").strip()
        found = [letter for letter in box.newest() if _matches(letter, _name(machine, letter), to)]
        pages = max(-(-len(found) // PER_PAGE), 1)
        number = min(_page_number(http.query_params.get("page", "1")), pages)
        shown = found[(number - 1) * PER_PAGE : number * PER_PAGE]
        return HTMLResponse(
            page(
                "inbox",
                **common(),
                title=f"Inbox ({len(found):,})",
                to=to,
                rows=[_row(machine, letter) for letter in shown],
                total=len(found),
                page=number,
                pages=pages,
                more=number < pages,
                query=lambda other: urlencode({"to": to, "page": other}),
                waiting=_waiting(machine),
            )
        )

    async def letter(http: Request) -> HTMLResponse:
        one = box.find(http.path_params["number"])
        if one is None:
            message = "There is no mail of this number, or it is so old that only mails.jsonl still has it."
            return HTMLResponse(page("nothing", title="No such mail", message=message, way="/inbox", way_name="All mail"), 404)
        title, name, bill = one.subject or "(no subject)", _name(machine, one), _bill(machine, one)
        return HTMLResponse(page("letter", **common(), title=title, one=one, name=name, bill=bill, framed=_FRAME + one.html))

    return [Route("/inbox", listing), Route("/inbox/{number:int}", letter)]


def _row(machine: Runtime, letter: Letter) -> Row:
    return Row(
        number=letter.number,
        name=_name(machine, letter),
        address=", ".join(letter.recipients),
        subject=letter.subject,
        bill=_bill(machine, letter),
        at=letter.at_business,
    )


def _name(machine: Runtime, letter: Letter) -> str:
    person = machine.world.books.customers.get(letter.customer or "")
    return person.name if person else ""


def _bill(machine: Runtime, letter: Letter) -> bills.Bill | None:
    bill = machine.world.books.invoices.get(letter.invoice or "")
    return bills.bill_of(bill) if bill else None


def _matches(letter: Letter, name: str, wanted: str) -> bool:
    return wanted.lower() in f"{name} {' '.join(letter.recipients)}".lower()


def _waiting(machine: Runtime) -> str:
    if not machine.clock.started:
        return "Business time has not been started."
    failures = machine.world.payments.failures
    return f"So far {failures:,} payment{' has' if failures == 1 else 's have'} failed; mails to their payers will show up here."


def _page_number(text: str) -> int:
    return max(int(text), 1) if text.isdecimal() and len(text) < 10 else 1

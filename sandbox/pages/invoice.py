"""The hosted invoice page. Looking never changes anything; paying is a deliberate POST."""

from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from sandbox.api.payment_shapes import message
from sandbox.pages import bills
from sandbox.pages.rendering import page
from sandbox.runtime import Runtime
from sandbox.simulation.records import Charge, Invoice

_CHOICES = frozenset({"saved", "good", "insufficient_funds", "lost_card", "generic_decline"})


def routes(machine: Runtime) -> list[Route]:
    """`/i/{token}`: GET and HEAD show, POST pays."""

    async def show(http: Request) -> HTMLResponse:
        bill = machine.world.books.by_token.get(http.path_params["token"])
        return _unknown() if bill is None else HTMLResponse(_page(machine, bill))

    async def pay(http: Request) -> HTMLResponse:
        bill = machine.world.books.by_token.get(http.path_params["token"])
        if bill is None:
            return _unknown()
        choice = str((await http.form()).get("choice", ""))
        if choice not in _CHOICES:
            return HTMLResponse(_page(machine, bill, "Please choose a card first.", bad=True), 400)
        at = machine.catch_up()
        if not bill.payable:
            return HTMLResponse(_page(machine, bill))
        taken = machine.world.behaviour.pay_on_page(bill, choice, at)
        machine.flush()
        return HTMLResponse(_page(machine, bill, *_result(taken)), 200 if taken.decline is None else 402)

    return [Route("/i/{token}", show, methods=["GET"]), Route("/i/{token}", pay, methods=["POST"])]


def _result(taken: Charge) -> tuple[str, bool]:
    if taken.decline is None:
        return "Thank you! The payment went through and this invoice is paid.", False
    return f"{message(taken.decline)} Please try another card.", True


def _page(machine: Runtime, bill: Invoice, message: str = "", bad: bool = False) -> str:
    person = machine.world.books.customers[bill.customer]
    return page(
        "invoice",
        title=f"Invoice {bill.number}",
        merchant=machine.world.setting.merchant,
        bill=bills.bill_of(bill),
        person=person,
        card=person.card,
        message=message,
        bad=bad,
    )


def _unknown() -> HTMLResponse:
    message = "This link does not belong to an invoice. Please open your latest mail."
    return HTMLResponse(page("nothing", title="No such invoice", message=message, way=""), 404)

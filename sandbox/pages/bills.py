"""An invoice as the pages show it: amount, state and what became of it, in words."""

from dataclasses import dataclass

from sandbox.pages.rendering import moment, money
from sandbox.simulation.records import Invoice

_STATES = {"open": ("Open", "open"), "paid": ("Paid", "paid"), "void": ("Cancelled", "off"), "uncollectible": ("Written off", "off")}
_PAYERS = {
    "initial": "at the first attempt",
    "stripe_retry": "by Stripe's own retry",
    "api": "by a retry through the API",
    "hosted_page": "on the invoice page",
    "out_of_band": "outside Stripe",
    "nothing_due": "as nothing was due",
}


@dataclass(frozen=True, slots=True)
class Bill:
    """The fields of one invoice's page; `tone` is the CSS class of its state, times are Unix seconds."""

    number: str
    status: str
    state: str
    tone: str
    amount: str
    request: str
    story: str
    link: str
    created: float
    paid_at: float | None
    paid_with: str
    payable: bool


def bill_of(bill: Invoice) -> Bill:
    """The present state of the invoice."""
    state, tone = _STATES[bill.status]
    failed = bill.status == "open" and bill.first_failed_at is not None
    return Bill(
        number=bill.number,
        status=bill.status,
        state="Unpaid" if failed else state,
        tone=tone,
        amount=money(bill.amount_due, bill.currency),
        request=_request(bill.status, failed),
        story=_story(bill),
        link=f"/i/{bill.token}",
        created=bill.created,
        paid_at=bill.paid_at,
        paid_with=_paid_with(bill),
        payable=bill.payable,
    )


def _request(status: str, failed: bool) -> str:
    if status == "paid":
        return "Nothing is left to pay."
    if status == "void":
        return "This amount is no longer due."
    return "The payment did not go through. Please pay below." if failed else "Please pay below."


def _story(bill: Invoice) -> str:
    if bill.paid_at is not None and bill.paid_by is not None:
        return f"{_PAYERS[bill.paid_by]}, {moment(bill.paid_at)}"
    ended = bill.voided_at or bill.uncollectible_at
    return f"since {moment(ended)}" if ended else f"after {bill.attempt_count} attempt{'' if bill.attempt_count == 1 else 's'}"


def _paid_with(bill: Invoice) -> str:
    taken = next((one for one in reversed(bill.charges) if one.decline is None), None)
    return f"{taken.card.brand.title()} ending in {taken.card.last4}" if taken else ""

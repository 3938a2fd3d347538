"""Where each limit of the table is met: for its name, an input that is below, at or beyond it."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from recovery.contracts import limits

if TYPE_CHECKING:
    from tests.support.hostile.inputs import Draw, Input

RESELLING = "acct_hostile_1"
"""The tenant that has customers with very many invoices."""

Place = Callable[["Draw", str, int, int], "Input"]
"""The input for a drawer, a tenant, the present in unix seconds, and what to add to the limit: -1, 0 or 1."""


def moment(seconds: float) -> str:
    """A time as our messages write it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _nested(levels: int) -> Any:
    deep: Any = "end"
    for level in range(levels):
        deep = [deep] if level % 2 else {"a": deep}
    return deep


def _id(draw: "Draw", tenant: str, now: int, delta: int) -> "Input":
    length = limits.ID_LENGTH + delta
    field = draw.luck.choice(("id of the event", "id", "customer", "subscription", "payment_intent", "currency", "status"))
    if field == "id of the event":
        return draw.about(tenant, now, id="e" * length)
    return draw.about(tenant, now, **{field: "x" * length})


def _body(draw: "Draw", tenant: str, now: int, delta: int) -> "Input":
    made = draw.about(tenant, now, description="")
    return made._replace(body=made.body[:-1] + b" " * (limits.BODY_BYTES + delta - len(made.body)) + b"}")


def _fact_of(size: Callable[[], int]) -> Place:
    def place(draw: "Draw", tenant: str, now: int, delta: int) -> "Input":
        made = draw.fact(tenant, now)
        return made._replace(body=made.body[:-1] + b" " * (size() + delta - len(made.body)) + b"}")

    return place


def _unreadable(draw: "Draw", tenant: str, now: int, delta: int) -> "Input":
    made = draw.fact(tenant, now)
    return made._replace(way=draw.luck.choice(("facts", "effects.stripe", "recovery.events")), body=b"x" * (limits.PARKED_BYTES + delta))


def _reseller(draw: "Draw", tenant: str, now: int, delta: int) -> "Input":
    """One customer has more and more open invoices; drawn often enough, they pass any limit of the state record."""
    return draw.about(RESELLING, now, customer="cus_reseller")


def _paying_reseller(draw: "Draw", tenant: str, now: int, delta: int) -> "Input":
    """Another customer has more and more invoices that failed and are paid."""
    kind = draw.luck.choice(("invoice.payment_failed", "invoice.paid"))
    number = draw.luck.randrange(10_000)
    return draw.about(RESELLING, now, kind, customer="cus_reseller_2", **{"id of the object": f"in_r{number}"})


def _card_year(draw: "Draw", tenant: str, now: int, delta: int) -> "Input":
    card = {"brand": "visa", "fingerprint": "fp_1", "exp_month": 12, "exp_year": limits.LAST_YEAR + delta}
    return draw.about(tenant, now, "payment_method.automatically_updated", card=card)


def _time(of: str, limit: Callable[[int], float]) -> Place:
    def place(draw: "Draw", tenant: str, now: int, delta: int) -> "Input":
        at = int(limit(now)) + delta
        if of == "created":
            return draw.about(tenant, now, created=at) if draw.luck.random() < 0.5 else draw.fact(tenant, now, occurred_at=moment(at))
        if of == "next_payment_attempt":
            return draw.about(tenant, now, next_payment_attempt=at)
        return draw.fact(tenant, now, type="time_passed", account="", customer="", occurred_at=moment(at), key=b"time")

    return place


def _whole(*fields: str) -> Callable[[str], Place]:
    def of(name: str) -> Place:
        def place(draw: "Draw", tenant: str, now: int, delta: int) -> "Input":
            sign = draw.luck.choice((1, -1))
            return draw.about(tenant, now, **{draw.luck.choice(fields): sign * (int(getattr(limits, name)) + delta)})

        return place

    return of


def _nesting(draw: "Draw", tenant: str, now: int, delta: int) -> "Input":
    made = draw.about(tenant, now, metadata={}) if draw.luck.random() < 0.5 else draw.fact(tenant, now, more=0)
    marker, above = (b'"metadata": {}', 3) if made.way == "webhook" else (b'"more": 0', 1)
    inner = json.dumps(_nested(limits.NESTING + delta - above)).encode()
    return made._replace(body=made.body.replace(marker, marker.split(b":")[0] + b": " + inner))


def _items(draw: "Draw", tenant: str, now: int, delta: int) -> "Input":
    slots = [{"at": moment(now), "probability": 0.5}] * (limits.LIST_ITEMS + delta)
    return draw.fact(tenant, now, type="retry_times_offered", invoice="in_1", slots=slots, source="model")


PLACES: dict[str, Place] = {
    "ID_LENGTH": _id,
    "DERIVED_ID_LENGTH": lambda draw, tenant, now, delta: draw.fact(tenant, now, id="i" * (limits.DERIVED_ID_LENGTH + delta)),
    "TEXT_LENGTH": lambda draw, tenant, now, delta: draw.fact(tenant, now, why="w" * (limits.TEXT_LENGTH + delta)),
    "KEY_BYTES": lambda draw, tenant, now, delta: draw.fact(tenant, now, key=b"k" * (limits.KEY_BYTES + delta)),
    "NESTING": _nesting,
    "AMOUNT": _whole("amount_due", "amount_paid", "amount_remaining")("AMOUNT"),
    "COUNT": _whole("attempt_count")("COUNT"),
    "LIST_ITEMS": _items,
    "FIRST_MOMENT": _time("created", lambda _: limits.FIRST_MOMENT.timestamp()),
    "LAST_MOMENT": _time("created", lambda _: limits.LAST_MOMENT.timestamp()),
    "AHEAD_OF_ARRIVAL": _time("created", lambda now: now + limits.AHEAD_OF_ARRIVAL.total_seconds()),
    "HORIZON": _time("next_payment_attempt", lambda now: now + limits.HORIZON.total_seconds()),
    "CLOCK_AHEAD": _time("tick", lambda now: now + limits.CLOCK_AHEAD.total_seconds()),
    "TICK_STEP": _time("tick", lambda now: now + limits.TICK_STEP.total_seconds()),
    "BODY_BYTES": _body,
    "MESSAGE_BYTES": _fact_of(lambda: limits.MESSAGE_BYTES),
    "TOPIC_BYTES": _fact_of(lambda: limits.TOPIC_BYTES - 1_000),
    "PARKED_BYTES": _unreadable,
    "LARGEST_BYTES": _fact_of(lambda: limits.LARGEST_BYTES - 1_000),
    "LAST_YEAR": _card_year,
    "ROW_BYTES": _reseller,
    "OPEN_CASES": _reseller,
    "ENDED_CASES": _paying_reseller,
}
LARGE = ("BODY_BYTES", "MESSAGE_BYTES", "TOPIC_BYTES", "LARGEST_BYTES", "PARKED_BYTES")
"""Those that take up to two megabytes each: drawn seldom."""
CROWDED = ("ROW_BYTES", "OPEN_CASES", "ENDED_CASES")
"""Those that are reached by thousands of inputs about one customer, each of which costs as much as the customer's state is large."""
SMALL = tuple(name for name in PLACES if name not in (*LARGE, *CROWDED))

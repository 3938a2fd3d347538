"""Finding, listing and expanding Stripe objects by id."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from sandbox.api import payment_shapes, shapes
from sandbox.api.errors import invalid, missing
from sandbox.simulation.records import Invoice, Json
from sandbox.simulation.world import World

T = TypeVar("T")
_EXPAND_DEPTH = 8


class Objects:
    """Read access to a world in Stripe's shapes; raises 404 and 400 refusals."""

    def __init__(self, world: World) -> None:
        self._world = world
        books = world.books
        self._finders: dict[str, tuple[str, Callable[[str], Json | None]]] = {
            "in": ("invoice", lambda key: _found(books.invoices.get(key), self.invoice)),
            "cus": ("customer", lambda key: _found(books.customers.get(key), shapes.customer)),
            "sub": ("subscription", lambda key: _found(books.subscriptions.get(key), shapes.subscription)),
            "ch": ("charge", lambda key: _found(books.charges.get(key), payment_shapes.charge)),
            "pi": ("payment_intent", lambda key: _found(books.by_intent.get(key), payment_shapes.payment_intent)),
            "inpay": ("invoice_payment", lambda key: _found(books.by_payment.get(key), payment_shapes.invoice_payment)),
            "pm": ("payment_method", self._payment_method),
        }

    def invoice(self, bill: Invoice) -> Json:
        """An invoice as this account shows it."""
        person = self._world.books.customers[bill.customer]
        return shapes.invoice(bill, person, self._world.announce.base, self._world.announce.merchant)

    def payments_of(self, bill: Invoice) -> Json:
        """The list of an invoice's payments: one, or none where nothing was due."""
        data = [payment_shapes.invoice_payment(bill)] if bill.amount_due else []
        return {"object": "list", "data": data, "has_more": False, "url": f"/v1/invoice_payments?invoice={bill.id}"}

    def get(self, kind: str, key: str) -> Json:
        """The object of this kind and id."""
        prefix, _, _ = key.partition("_")
        what, find = self._finders.get(prefix, (kind, _nothing))
        shown = find(key) if what == kind else None
        if shown is None:
            raise missing(kind, key)
        return shown

    def expand(self, shown: Json, paths: object) -> Json:
        """Replace ids by objects along each path, like `payments.data.payment.payment_intent.latest_charge`."""
        if paths is not None and not isinstance(paths, list):
            raise invalid("Invalid array", "expand")
        for path in paths or []:
            parts = str(path).split(".")
            if len(parts) > _EXPAND_DEPTH:
                raise invalid(f"You cannot expand more than {_EXPAND_DEPTH} levels of a property.", "expand")
            self._expand(shown, parts)
        return shown

    def _expand(self, shown: Any, parts: list[str]) -> None:
        if isinstance(shown, list):
            for each in shown:
                self._expand(each, parts)
            return
        if not parts or not isinstance(shown, dict):
            return
        name = parts[0]
        if name == "payments" and shown.get("object") == "invoice" and name not in shown:
            shown[name] = self.payments_of(self._world.books.invoices[shown["id"]])
        value = shown.get(name)
        if isinstance(value, str):
            prefix = value.partition("_")[0]
            found = self._finders[prefix][1](value) if prefix in self._finders else None
            if found is None:
                raise invalid(f"This property cannot be expanded ({name}).", "expand")
            shown[name] = value = found
        self._expand(value, parts[1:])

    def _payment_method(self, key: str) -> Json | None:
        card = self._world.books.cards.get(key)
        return shapes.payment_method(card, self._world.books.customers[card.customer]) if card else None


def page(newest_first: Iterable[T], params: Json, url: str, *, key: Callable[[T], str], shape: Callable[[T], Json]) -> Json:
    """One page of a list: `limit`, `starting_after` (older ones), `ending_before` (newer ones)."""
    limit = _limit(params)
    items = list(newest_first)
    after, before = params.get("starting_after"), params.get("ending_before")
    if before is not None:
        end = _position(items, key, str(before), "ending_before")
        chosen, more = items[max(end - limit, 0) : end], end > limit
    else:
        begin = 0 if after is None else _position(items, key, str(after), "starting_after") + 1
        chosen, more = items[begin : begin + limit], len(items) > begin + limit
    return {"object": "list", "data": [shape(item) for item in chosen], "has_more": more, "url": url}


def created_within(params: Json) -> Callable[[float], bool]:
    """The `created` filter: an exact second, or gt, gte, lt, lte."""
    wanted = params.get("created")
    if wanted is None:
        return lambda _: True
    try:
        bounds = {name: int(value) for name, value in wanted.items()} if isinstance(wanted, dict) else {"eq": int(wanted)}
    except ValueError:
        raise invalid("Invalid timestamp in created.", "created") from None
    return lambda at: all(_BOUNDS[name](int(at), bound) for name, bound in bounds.items() if name in _BOUNDS)


_BOUNDS: dict[str, Callable[[int, int], bool]] = {
    "eq": lambda at, bound: at == bound,
    "gt": lambda at, bound: at > bound,
    "gte": lambda at, bound: at >= bound,
    "lt": lambda at, bound: at < bound,
    "lte": lambda at, bound: at <= bound,
}


def _limit(params: Json) -> int:
    text = str(params.get("limit", "10"))
    if not text.isdigit() or not 1 <= int(text) <= 100:
        raise invalid("Invalid limit: must be between 1 and 100.", "limit")
    return int(text)


def _position(items: list[T], key: Callable[[T], str], wanted: str, param: str) -> int:
    for place, item in enumerate(items):
        if key(item) == wanted:
            return place
    raise missing("object", wanted, param, 400)


def _found(thing: Any, shape: Callable[[Any], Json]) -> Json | None:
    return None if thing is None else shape(thing)


def _nothing(_: str) -> Json | None:
    return None

"""What each API call does, as plain functions: path names, parameters and the call's context in, an object out."""

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter

from sandbox.api import payment_shapes, shapes
from sandbox.api.errors import invalid, missing
from sandbox.api.objects import Objects, created_within, page
from sandbox.runtime import Runtime
from sandbox.simulation.events import Event
from sandbox.simulation.records import Charge, Invoice, Json, Request

_TEST_CARDS = {
    "pm_card_visa": "good",
    "pm_card_mastercard": "good",
    "pm_card_chargeCustomerFail": "generic_decline",
    "pm_card_visa_chargeDeclinedInsufficientFunds": "insufficient_funds",
    "pm_card_chargeDeclinedInsufficientFunds": "insufficient_funds",
    "pm_card_authenticationRequired": "authentication_required",
}
_PAY_PARAMETERS = {"payment_method", "source", "off_session", "mandate", "paid_out_of_band", "forgive", "expand"}


@dataclass(frozen=True, slots=True)
class Call:
    """One API call: the ids in its path, its parameters, business time and the request it will be known by."""

    machine: Runtime
    objects: Objects
    path: dict[str, str]
    params: Json
    at: float
    request: Request
    url: str

    @property
    def id(self) -> str:
        """The id in the path."""
        return self.path["id"]


Operation = Callable[[Call], Json]


def retrieve(kind: str) -> Operation:
    """`GET /v1/<kind>s/{id}`."""
    return lambda call: call.objects.get(kind, call.id)


def retrieve_invoice(call: Call) -> Json:
    """`GET /v1/invoices/{id}`; the invoice remembers when it was last read, so that the truth shows who acted without reading it."""
    shown = call.objects.get("invoice", call.id)
    call.machine.world.books.invoices[call.id].opened_at = call.at
    return shown


def pay_invoice(call: Call) -> Json:
    """`POST /v1/invoices/{id}/pay`."""
    params = call.params
    unknown = sorted(params.keys() - _PAY_PARAMETERS)
    if unknown:
        raise invalid(f"Received unknown parameter: {unknown[0]}", unknown[0], "parameter_unknown")
    bill = call.machine.world.pay(
        call.id,
        call.at,
        call.request,
        payment_method=params.get("payment_method"),
        out_of_band=str(params.get("paid_out_of_band", "")).lower() == "true",
    )
    return call.objects.invoice(bill)


def modify_invoice(call: Call) -> Json:
    """`POST /v1/invoices/{id}`: switches Stripe's own collection by `auto_advance`."""
    wanted = str(call.params.get("auto_advance", "")).lower()
    if wanted not in ("true", "false"):
        raise invalid("Only auto_advance can be changed here: true or false.", "auto_advance")
    bill = call.machine.world.set_auto_advance(call.id, call.at, call.request, wanted == "true")
    return call.objects.invoice(bill)


def void_invoice(call: Call) -> Json:
    """`POST /v1/invoices/{id}/void`."""
    return call.objects.invoice(call.machine.world.void(call.id, call.at, call.request))


def mark_uncollectible(call: Call) -> Json:
    """`POST /v1/invoices/{id}/mark_uncollectible`."""
    return call.objects.invoice(call.machine.world.mark_uncollectible(call.id, call.at, call.request))


def list_invoices(call: Call) -> Json:
    """`GET /v1/invoices`: status, customer, subscription, collection_method, created."""
    fits = _matches(call.params, "status", "customer", "subscription", "collection_method")
    within, books = created_within(call.params), call.machine.world.books
    found = (bill for bill in reversed(books.invoices.values()) if fits(bill) and within(bill.created))
    return page(found, call.params, call.url, key=attrgetter("id"), shape=call.objects.invoice)


def list_invoice_payments(call: Call) -> Json:
    """`GET /v1/invoice_payments` by invoice or by payment."""
    books, params = call.machine.world.books, call.params
    payment = params.get("payment")
    bills: list[Invoice] = []
    if "invoice" in params:
        bills = [call.machine.world.invoice(str(params["invoice"]))]
    elif isinstance(payment, dict):
        found = books.by_intent.get(str(payment.get("payment_intent")))
        bills = [found] if found else []
    else:
        bills = list(reversed(books.by_payment.values()))
    owed = (bill for bill in bills if bill.amount_due)
    return page(owed, params, call.url, key=attrgetter("payment"), shape=payment_shapes.invoice_payment)


def list_payment_intents(call: Call) -> Json:
    """`GET /v1/payment_intents`: customer, created."""
    fits, within = _matches(call.params, "customer"), created_within(call.params)
    intents = call.machine.world.books.by_intent
    found = (bill for bill in reversed(intents.values()) if fits(bill) and within(bill.created))
    return page(found, call.params, call.url, key=attrgetter("payment_intent"), shape=payment_shapes.payment_intent)


def list_charges(call: Call) -> Json:
    """`GET /v1/charges`: customer, payment_intent, created."""
    fits, within = _matches(call.params, "customer", "payment_intent"), created_within(call.params)
    charges = call.machine.world.books.charges
    made = (taken for taken in reversed(charges.values()) if taken.outcome != "requires_action")
    found = (taken for taken in made if fits(taken) and within(taken.at))
    return page(found, call.params, call.url, key=attrgetter("id"), shape=payment_shapes.charge)


def list_customers(call: Call) -> Json:
    """`GET /v1/customers`: email, created."""
    fits, within = _matches(call.params, "email"), created_within(call.params)
    people = call.machine.world.books.customers
    here = (one for one in reversed(people.values()) if not one.deleted and one.created <= call.at)
    found = (one for one in here if fits(one) and within(one.created))
    return page(found, call.params, call.url, key=attrgetter("id"), shape=shapes.customer)


def modify_customer(call: Call) -> Json:
    """`POST /v1/customers/{id}`."""
    return shapes.customer(call.machine.world.modify_customer(call.id, call.at, call.request, call.params))


def delete_customer(call: Call) -> Json:
    """`DELETE /v1/customers/{id}`."""
    return shapes.customer(call.machine.world.delete_customer(call.id, call.at, call.request))


def list_customer_cards(call: Call) -> Json:
    """`GET /v1/customers/{id}/payment_methods`."""
    person = call.machine.world.customer(call.id)

    return page(
        reversed(person.cards),
        call.params,
        call.url,
        key=attrgetter("id"),
        shape=lambda card: shapes.payment_method(card, person),
    )


def attach_card(call: Call) -> Json:
    """`POST /v1/payment_methods/{id}/attach` of one of Stripe's test payment methods."""
    outcome = _TEST_CARDS.get(call.id)
    if outcome is None:
        raise missing("PaymentMethod", call.id)
    world = call.machine.world
    card = world.attach_card(str(call.params.get("customer")), call.at, call.request, outcome)
    return shapes.payment_method(card, world.books.customers[card.customer])


def list_subscriptions(call: Call) -> Json:
    """`GET /v1/subscriptions`: customer, status (cancelled ones only by request), created."""
    wanted = call.params.get("status")
    names = ("customer",) if wanted in (None, "all") else ("customer", "status")
    fits, within = _matches(call.params, *names), created_within(call.params)
    plans = reversed(call.machine.world.books.subscriptions.values())
    begun = (plan for plan in plans if plan.created <= call.at and fits(plan) and within(plan.created))
    found = (plan for plan in begun if wanted is not None or plan.status != "canceled")
    return page(found, call.params, call.url, key=attrgetter("id"), shape=shapes.subscription)


def cancel_subscription(call: Call) -> Json:
    """`DELETE /v1/subscriptions/{id}`."""
    return shapes.subscription(call.machine.world.cancel(call.id, call.at, call.request))


def retrieve_event(call: Call) -> Json:
    """`GET /v1/events/{id}`."""
    event = call.machine.world.announce.events.get(call.id)
    if event is None:
        raise missing("event", call.id)
    return event.shown(shapes.API_VERSION)


def list_events(call: Call) -> Json:
    """`GET /v1/events`: type, types[] (at most 20), created, delivery_success."""
    params = call.params
    types = params.get("types") or ([params["type"]] if "type" in params else None)
    if types is not None and (not isinstance(types, list) or len(types) > 20):
        raise invalid("You may pass up to 20 types.", "types")
    within, delivered = created_within(params), params.get("delivery_success")

    def fits(event: Event) -> bool:
        if delivered is not None and (not event.subscribed or (event.accepted > 0) != (delivered == "true")):
            return False
        return (types is None or event.type in types) and within(event.created)

    found = (event for event in reversed(call.machine.world.announce.events.values()) if fits(event))
    return page(found, params, call.url, key=attrgetter("id"), shape=lambda event: event.shown(shapes.API_VERSION))


def create_endpoint(call: Call) -> Json:
    """`POST /v1/webhook_endpoints`; the only answer that shows the secret."""
    endpoint = call.machine.endpoints.create(call.params, call.at)
    return {**endpoint.shown(), "secret": endpoint.secret}


def retrieve_endpoint(call: Call) -> Json:
    """`GET /v1/webhook_endpoints/{id}`."""
    return call.machine.endpoints.get(call.id).shown()


def delete_endpoint(call: Call) -> Json:
    """`DELETE /v1/webhook_endpoints/{id}`; what still waits for it is dropped."""
    endpoint = call.machine.endpoints.get(call.id)
    del call.machine.endpoints.known[endpoint.id]
    return {"id": endpoint.id, "object": "webhook_endpoint", "deleted": True}


def list_endpoints(call: Call) -> Json:
    """`GET /v1/webhook_endpoints`."""
    known = reversed(call.machine.endpoints.known.values())
    return page(known, call.params, call.url, key=attrgetter("id"), shape=lambda endpoint: endpoint.shown())


def create_refund(call: Call) -> Json:
    """`POST /v1/refunds` of a charge or a payment intent."""
    text = str(call.params.get("amount", ""))
    if text and not text.isdigit():
        raise invalid(f"Invalid integer: {text}", "amount")
    amount = int(text) if text else None
    taken = call.machine.world.refund(_charge_to_refund(call), call.at, call.request, amount)
    return {
        "id": "re_3" + call.machine.luck.token(23, taken.id, "refund", taken.refunded),
        "object": "refund",
        "amount": amount or taken.amount,
        "charge": taken.id,
        "created": int(call.at),
        "currency": taken.currency,
        "payment_intent": taken.payment_intent,
        "status": "succeeded",
    }


def retrieve_account(call: Call) -> Json:
    """`GET /v1/account`: the one merchant of the sandbox."""
    setting = call.machine.world.setting
    if call.path.get("id", setting.account) != setting.account:
        raise missing("account", call.id)
    return {
        "id": setting.account,
        "object": "account",
        "business_profile": {"name": setting.merchant, "support_email": None, "url": None},
        "charges_enabled": True,
        "country": "US",
        "default_currency": "usd",
        "details_submitted": True,
        "email": "owner@merchant.example",
        "settings": {"dashboard": {"display_name": setting.merchant, "timezone": "Etc/UTC"}},
        "type": "standard",
    }


def _charge_to_refund(call: Call) -> str:
    intent = call.params.get("payment_intent")
    bill = call.machine.world.books.by_intent.get(str(intent))
    paid: list[Charge] = [taken for taken in bill.charges if taken.decline is None] if bill else []
    return paid[-1].id if paid else str(call.params.get("charge"))


def _matches(params: Json, *names: str) -> Callable[[object], bool]:
    wanted = [(name, str(params[name])) for name in names if params.get(name) is not None]
    return lambda thing: all(getattr(thing, name) == value for name, value in wanted)

"""The HTTP side of the API: keys, limits, idempotency, ordered faults, and Stripe's way of answering."""

import asyncio
import base64
from collections.abc import Awaitable, Callable

import msgspec
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from sandbox.api import forms, operations
from sandbox.api.errors import Refusal
from sandbox.api.idempotency import Answer, Keys
from sandbox.api.objects import Objects
from sandbox.api.operations import Call, Operation
from sandbox.api.shapes import API_VERSION
from sandbox.faults import PayFault
from sandbox.runtime import Runtime
from sandbox.simulation.records import Json, Request

_encode = msgspec.json.Encoder().encode
_pay = operations.pay_invoice
_TABLE: list[tuple[str, str, Operation]] = [
    ("GET", "/v1/account", operations.retrieve_account),
    ("GET", "/v1/accounts/{id}", operations.retrieve_account),
    ("GET", "/v1/invoices", operations.list_invoices),
    ("GET", "/v1/invoices/{id}", operations.retrieve_invoice),
    ("POST", "/v1/invoices/{id}", operations.modify_invoice),
    ("POST", "/v1/invoices/{id}/pay", _pay),
    ("POST", "/v1/invoices/{id}/void", operations.void_invoice),
    ("POST", "/v1/invoices/{id}/mark_uncollectible", operations.mark_uncollectible),
    ("GET", "/v1/invoice_payments", operations.list_invoice_payments),
    ("GET", "/v1/invoice_payments/{id}", operations.retrieve("invoice_payment")),
    ("GET", "/v1/payment_intents", operations.list_payment_intents),
    ("GET", "/v1/payment_intents/{id}", operations.retrieve("payment_intent")),
    ("GET", "/v1/charges", operations.list_charges),
    ("GET", "/v1/charges/{id}", operations.retrieve("charge")),
    ("GET", "/v1/customers", operations.list_customers),
    ("GET", "/v1/customers/{id}", operations.retrieve("customer")),
    ("POST", "/v1/customers/{id}", operations.modify_customer),
    ("DELETE", "/v1/customers/{id}", operations.delete_customer),
    ("GET", "/v1/customers/{id}/payment_methods", operations.list_customer_cards),
    ("GET", "/v1/payment_methods/{id}", operations.retrieve("payment_method")),
    ("POST", "/v1/payment_methods/{id}/attach", operations.attach_card),
    ("GET", "/v1/subscriptions", operations.list_subscriptions),
    ("GET", "/v1/subscriptions/{id}", operations.retrieve("subscription")),
    ("DELETE", "/v1/subscriptions/{id}", operations.cancel_subscription),
    ("GET", "/v1/events", operations.list_events),
    ("GET", "/v1/events/{id}", operations.retrieve_event),
    ("GET", "/v1/webhook_endpoints", operations.list_endpoints),
    ("POST", "/v1/webhook_endpoints", operations.create_endpoint),
    ("GET", "/v1/webhook_endpoints/{id}", operations.retrieve_endpoint),
    ("DELETE", "/v1/webhook_endpoints/{id}", operations.delete_endpoint),
    ("POST", "/v1/refunds", operations.create_refund),
]


class _Cut(Response):
    """An answer that breaks off: the client sees a lost connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"65536")]})
        await send({"type": "http.response.body", "body": b"{", "more_body": True})


class Api:
    """Answers `/v1/...` for one machine."""

    def __init__(self, machine: Runtime) -> None:
        self._machine = machine
        self._objects = Objects(machine.world)
        self._keys = Keys()
        self._locked: set[str] = set()

    def routes(self) -> list[Route]:
        """The routes, and a 404 in Stripe's words for every other address under /v1."""
        known = [Route(path, self._endpoint(operation), methods=[method]) for method, path, operation in _TABLE]
        every = ["GET", "POST", "DELETE", "PUT", "PATCH"]
        return [*known, Route("/v1/{rest:path}", self._endpoint(_unknown), methods=every)]

    def _endpoint(self, operation: Operation) -> Callable[[HttpRequest], Awaitable[Response]]:
        async def answer(http: HttpRequest) -> Response:
            key = http.headers.get("idempotency-key") if http.method == "POST" else None
            request = self._machine.request(key)
            body = (await http.body()).decode("utf-8", "replace")
            await self._machine.courier.begun_are_done()
            try:
                self._admit(http)
                params = forms.decode(http.url.query, body)
                return await self._keyed(operation, http, params, request, body)
            except Refusal as refusal:
                return _response(refusal_answer(refusal), request)

        return answer

    def _admit(self, http: HttpRequest) -> None:
        given = _key_of(http.headers.get("authorization", ""))
        if given != self._machine.api_key:
            shown = given[:8] + "*" * max(len(given) - 12, 0) + given[-4:] if given else ""
            message = f"Invalid API Key provided: {shown}" if given else "You did not provide an API key."
            raise Refusal(401, "invalid_request_error", message)
        account = http.headers.get("stripe-account")
        if account is not None and account != self._machine.world.setting.account:
            text = f"The provided key does not have access to account '{account}' (or that account does not exist)."
            raise Refusal(403, "invalid_request_error", text, "account_invalid")
        bucket = self._machine.faults.bucket
        if bucket is not None and not bucket.take(self._machine.clock.wall()):
            raise _rate_limited()

    async def _keyed(self, operation: Operation, http: HttpRequest, params: Json, request: Request, body: str) -> Response:
        key, at = request.idempotency_key, self._machine.catch_up()
        if key is None:
            return await self._perform(operation, http, params, request)
        first = self._keys.begin(key, f"{http.method} {http.url.path}?{body}", at)
        if first is not None:
            return _response(first, request, replayed=True)
        response = Response(status_code=503)  # what stays when the caller hangs up: nothing is remembered
        try:
            response = await self._perform(operation, http, params, request)
        finally:
            kept = getattr(response, "kept", None) or Answer(response.status_code, bytes(response.body))
            self._keys.end(key, self._machine.world.now, kept)
        return response

    async def _perform(self, operation: Operation, http: HttpRequest, params: Json, request: Request) -> Response:
        fault = self._machine.faults.next_pay() if operation is _pay else None
        target = http.path_params.get("id", "")
        if operation is _pay and target in self._locked:
            raise _busy()
        if fault is None:
            return _response(self._run(operation, http, params, request), request)
        self._locked.add(target)
        try:
            return await self._disturbed(fault, operation, http, params, request)
        finally:
            self._locked.discard(target)

    async def _disturbed(self, fault: PayFault, operation: Operation, http: HttpRequest, params: Json, request: Request) -> Response:
        await asyncio.sleep(fault.seconds)
        if fault.kind == "rate_limit":
            return _response(refusal_answer(_rate_limited()), request)
        if fault.kind == "cut_before":
            return _cut(None)
        done = self._run(operation, http, params, request)
        if fault.kind == "cut_after":
            return _cut(done)
        if fault.kind == "error_after":
            broken = Refusal(500, "api_error", "An unknown error occurred")
            return _response(refusal_answer(broken), request)
        return _response(done, request)

    def _run(self, operation: Operation, http: HttpRequest, params: Json, request: Request) -> Answer:
        at = self._machine.catch_up()
        call = Call(self._machine, self._objects, dict(http.path_params), params, at, request, http.url.path)
        try:
            shown = operation(call)
            return Answer(200, _encode(self._objects.expand(shown, params.get("expand"))))
        except Refusal as refusal:
            return refusal_answer(refusal)
        finally:
            self._machine.flush()


def refusal_answer(refusal: Refusal) -> Answer:
    """An error as its HTTP answer."""
    return Answer(refusal.status, _encode({"error": refusal.error}))


def _response(answer: Answer, request: Request, *, replayed: bool = False) -> Response:
    headers = {"Request-Id": request.id or "", "Stripe-Version": API_VERSION}
    if request.idempotency_key is not None:
        headers["Idempotency-Key"] = request.idempotency_key
    if replayed:
        headers["Idempotent-Replayed"] = "true"
    if b'"lock_timeout"' in answer.body[:400] and answer.status == 429:
        headers["Stripe-Should-Retry"] = "true"
    return Response(answer.body, answer.status, headers, "application/json")


def _cut(done: Answer | None) -> Response:
    response = _Cut()
    # a cut before performing leaves no trace under the key; one after it is replayed to the repeat
    response.kept = done or Answer(503, b"")  # type: ignore[attr-defined]  # read back by _keyed
    return response


def _key_of(authorization: str) -> str:
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value + "==").decode("utf-8", "replace").partition(":")[0]
        except ValueError:
            return ""
    return value if scheme.lower() == "bearer" else ""


def _rate_limited() -> Refusal:
    text = "Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits."
    return Refusal(429, "invalid_request_error", text, "rate_limit")


def _busy() -> Refusal:
    text = "This object cannot be accessed right now because another API request or Stripe process is accessing it."
    return Refusal(429, "invalid_request_error", text, "lock_timeout")


def _unknown(call: Call) -> Json:
    raise Refusal(404, "invalid_request_error", f"Unrecognized request URL ({call.url}).")

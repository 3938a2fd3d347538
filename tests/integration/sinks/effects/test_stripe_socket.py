"""The real Stripe package against a server that answers as ordered: what each answer means, and what leaves the socket."""

import http.server
import json
import threading
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

import pytest

from recovery.contracts.effects import ChargeRequested
from sinks.effects.performer import Clocks, EffectRun
from sinks.effects.stripe.charges import Charges
from sinks.effects.stripe.client import (
    API_VERSION,
    Declined,
    EffectsStripeClient,
    KeyReused,
    NotAllowed,
    ObjectGone,
    RateLimited,
    RequestRefused,
    StripeUnreachable,
)

NOW = datetime(2026, 11, 1, tzinfo=UTC)


class OrderedStripe(http.server.ThreadingHTTPServer):
    """Answers every request with the ordered status and body, or cuts the line; remembers what it was sent."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status, self.body, self.cut = 200, {}, False
        self.requests = []
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def order(self, status, error):
        self.status, self.body = status, {"error": error}


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        self.server.requests.append((self.command, self.path, dict(self.headers), body))
        if self.server.cut:
            self.close_connection = True
            return
        answer = json.dumps(self.server.body).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_POST = do_DELETE = do_GET

    def log_message(self, *_):
        """Say nothing."""


class Account:
    def __init__(self, may=True):
        self.may = may

    def api_key(self, account):
        return "sk_test_1"

    def may_charge(self, account):
        return self.may


@pytest.fixture
def server():
    server = OrderedStripe()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (402, {"type": "card_error", "code": "card_declined", "decline_code": "do_not_honor", "charge": "ch_1"}, Declined),
        (400, {"type": "invalid_request_error", "message": "Invoice is already paid"}, RequestRefused),
        (404, {"type": "invalid_request_error", "code": "resource_missing", "message": "No such invoice"}, ObjectGone),
        (
            400,
            {"type": "idempotency_error", "message": "Keys for idempotent requests can only be used with the same parameters"},
            KeyReused,
        ),
        (401, {"type": "invalid_request_error", "code": "platform_api_key_expired", "message": "Expired"}, NotAllowed),
        (403, {"type": "invalid_request_error", "message": "Not allowed"}, NotAllowed),
        (409, {"type": "idempotency_error", "code": "idempotency_key_in_use", "message": "In use"}, StripeUnreachable),
        (429, {"type": "invalid_request_error", "code": "rate_limit", "message": "Slow down"}, RateLimited),
        (429, {"type": "invalid_request_error", "code": "lock_timeout", "message": "Busy"}, RateLimited),
        (500, {"type": "api_error", "message": "Oops"}, StripeUnreachable),
    ],
)
def test_each_answer_means_one_thing_and_is_asked_for_once(server, status, error, kind):
    server.order(status, error)
    with pytest.raises(kind):
        EffectsStripeClient(Account(), server.url).pay("acct_1", "in_1", "key-1")
    assert len(server.requests) == 1


def test_a_cut_line_is_unknown_and_not_repeated_by_the_package(server):
    server.cut = True
    with pytest.raises(StripeUnreachable):
        EffectsStripeClient(Account(), server.url).pay("acct_1", "in_1", "key-1")
    assert len(server.requests) == 1


def test_a_payment_carries_key_version_and_off_session(server):
    server.body = {"id": "in_1", "object": "invoice", "status": "paid"}
    assert EffectsStripeClient(Account(), server.url).pay("acct_1", "in_1", "key-1")["status"] == "paid"
    ((method, path, headers, body),) = server.requests
    assert (method, path) == ("POST", "/v1/invoices/in_1/pay")
    assert (headers["Idempotency-Key"], headers["Stripe-Version"], headers["Authorization"]) == ("key-1", API_VERSION, "Bearer sk_test_1")
    assert "off_session=true" in body


@pytest.mark.parametrize(
    ("call", "request_line", "said"),
    [
        ("cancel", ("DELETE", "/v1/subscriptions/x_1"), ("prorate=false", "invoice_now=false")),
        ("pause_collection", ("POST", "/v1/subscriptions/x_1"), ("pause_collection[behavior]=keep_as_draft",)),
        ("mark_uncollectible", ("POST", "/v1/invoices/x_1/mark_uncollectible"), ()),
    ],
)
def test_an_end_action_is_one_call_under_its_key(server, call, request_line, said):
    """B73, B67: no proration credit for a cycle that nobody paid."""
    getattr(EffectsStripeClient(Account(), server.url), call)("acct_1", "x_1", "key-1")
    ((method, path, headers, body),) = server.requests
    assert (method, path.partition("?")[0], headers["Idempotency-Key"]) == (*request_line, "key-1")
    assert all(words in unquote(path + body) for words in said)


@pytest.mark.parametrize(
    ("charge", "found", "invoice", "asked"),
    [
        ({"invoice": "in_7", "payment_intent": "pi_1"}, [], "in_7", []),  # acacia
        ({"payment_intent": "pi_1"}, [{"invoice": "in_8"}], "in_8", ["pi_1"]),  # basil and later
        ({"payment_intent": {"id": "pi_1"}}, [{"invoice": {"id": "in_8"}}], "in_8", ["pi_1"]),
        ({"payment_intent": "pi_1"}, [], "", ["pi_1"]),
        ({"payment_intent": None}, [], "", []),
    ],
)
def test_the_invoice_of_a_charge_is_found_in_every_version(server, charge, found, invoice, asked):
    """Stripe took the charge's own field away with basil."""
    server.body = {"object": "list", "data": found, "has_more": False}
    assert EffectsStripeClient(Account(), server.url).invoice_of_charge("acct_1", charge) == invoice
    assert ["pi_1" for _, path, *_ in server.requests if "payment_intent]=pi_1" in unquote(path)] == asked


def test_a_customer_is_read(server):
    server.body = {"id": "cus_1", "object": "customer", "email": "a@payer.example"}
    assert EffectsStripeClient(Account(), server.url).customer("acct_1", "cus_1")["email"] == "a@payer.example"


def test_nothing_is_written_to_stripe_for_an_account_that_only_observes(server):
    customer, subscription = {"id": "cus_1"}, {"subscription_details": {"subscription": {"id": "sub_1", "status": "past_due"}}}
    money = {"status": "open", "currency": "eur", "amount_due": 100, "amount_remaining": 100, "created": 1_790_000_000}
    server.body = {"id": "in_1", "object": "invoice", **money, "customer": customer, "parent": subscription, "payments": {"data": []}}
    head = {"account": "acct_1", "customer": "cus_1", "invoice": "in_1", "occurred_at": NOW, "received_at": NOW}
    effect = ChargeRequested(id="e", **head, not_after=NOW + timedelta(days=1), attempt=1, amount_minor=100, currency="eur")
    charges = Charges(EffectsStripeClient(Account(), server.url), Account(may=False), Clocks(lambda: NOW, lambda: NOW))
    answer = charges(EffectRun(effect=effect, claim=lambda: NOW))
    assert answer.fact.why == "observe"
    assert {method for method, *_ in server.requests} == {"GET"}

"""Stripe's API: one client per account, errors by what they mean for us, a rate limit per account (B42)."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import quote

import stripe

from sinks.effects.stripe.event_search import Search, search_from

API_VERSION = "2026-09-30.endive"
"""The version whose shapes we ask for; Stripe keeps answering in it whatever the account's default is."""
TIMEOUT = (5.0, 20.0)
"""Wall seconds to connect and to wait for bytes."""
LIVE_RATE, TEST_RATE, SANDBOX_RATE = 45.0, 20.0, 500.0
"""Requests per second and account. Stripe allows 100 live (25 per endpoint; ours spread over three) and 25 in test mode; our own sandbox
has no such limit unless a fault sets one."""
ECHOES = {"types": ["invoice.paid", "invoice.payment_failed", "invoice.payment_action_required"]}
"""The events that show how a pay call ended."""
INVOICE_EXPANDS = ["payments.data.payment.payment_intent.latest_charge", "customer", "parent.subscription_details.subscription"]
PAY_EXPANDS = ["payments.data.payment.payment_intent.latest_charge"]
EVENT_PAGES = 30
"""Pages of events that one try reads; the next try goes on where it stopped."""
SEARCHES = 1000
"""Searches whose place is remembered. One that is forgotten begins anew."""

Object = dict[str, Any]


class Keys(Protocol):
    """Who may act for an account (control.tenants.Tenants)."""

    def api_key(self, account: str) -> str:
        """The secret key of an account. Raises LookupError when the account is unknown."""


class NotAllowed(Exception):
    """The account's key is missing, revoked or too small in scope; trying again changes nothing."""


class ObjectGone(Exception):
    """The object does not exist."""


class RequestRefused(Exception):
    """Stripe will not do this in the present state of the object, for instance pay a paid invoice; nothing was done."""


class KeyReused(Exception):
    """An idempotency key was used with other parameters before: something was done under it."""


class RateLimited(Exception):
    """Nothing was done: rate limit or lock."""


class StripeUnreachable(Exception):
    """No usable answer, or our key is in use at this moment (409): a POST may have been performed or not."""


class Declined(Exception):
    """The attempt was made and failed; `error` is Stripe's error object."""

    def __init__(self, error: Object) -> None:
        super().__init__(str(error.get("code")))
        self.error = error


class TokenBucket:
    """A token bucket in wall time: `take` may overdraw it, `wait` says how long until it is not overdrawn. Thread-safe."""

    def __init__(self, per_second: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._monotonic = per_second, monotonic
        self._tokens, self._at = per_second, monotonic()
        self._lock = threading.Lock()

    def take(self) -> None:
        """Spend one token."""
        with self._lock:
            self._refill()
            self._tokens -= 1.0

    def wait(self) -> float:
        """Seconds until a token is there, 0 when one is."""
        with self._lock:
            self._refill()
            return max(0.0, (1.0 - self._tokens) / self._rate)

    def _refill(self) -> None:
        now = self._monotonic()
        self._tokens = min(self._rate, self._tokens + (now - self._at) * self._rate)
        self._at = now


class EffectsStripeClient:
    """All calls that the effects sink makes. Each raises the exceptions of this module and no other of the Stripe package.

    `base` is the address of another Stripe (a sandbox); empty for the real one.
    """

    def __init__(self, keys: Keys, base: str = "") -> None:
        self._keys, self._base = keys, base.rstrip("/")
        self._http = stripe.RequestsClient(timeout=TIMEOUT)  # keeps connections per thread
        self._clients: dict[str, stripe.StripeClient] = {}
        self._buckets: dict[tuple[str, float], TokenBucket] = {}
        self._searches: dict[tuple[str, str], Search] = {}

    def wait(self, account: str) -> float:
        """Wall seconds until the account may be called again; 0 for an unknown account, which the call itself will refuse."""
        try:
            return self._bucket(account, self._key(account)).wait()
        except NotAllowed:
            return 0.0

    def invoice(self, account: str, invoice: str) -> Object:
        """The invoice with its payments, customer and subscription expanded."""
        with self._errors_translated(account) as client:
            return _call(client, "get", ("invoices", invoice), expand=INVOICE_EXPANDS)

    def charges_of(self, account: str, invoice: Object) -> list[Object]:
        """Every charge on the invoice's payment intents, made by us or not."""
        found: list[Object] = []
        for intent in payment_intents(invoice):
            with self._errors_translated(account) as client:
                found += _call(client, "get", ("charges",), payment_intent=intent["id"], limit=100)["data"]
        return found

    def charge(self, account: str, charge: str) -> Object:
        """One charge."""
        with self._errors_translated(account) as client:
            return _call(client, "get", ("charges", charge))

    def invoice_of_charge(self, account: str, charge: Object) -> str:
        """The id of the invoice that a charge paid, in either shape; empty for a charge without one."""
        named, intent = _id(charge.get("invoice")), _id(charge.get("payment_intent"))
        if named or not intent:
            return named
        with self._errors_translated(account) as client:
            payment: Object = {"payment": {"type": "payment_intent", "payment_intent": intent}, "limit": 1}
            found = _call(client, "get", ("invoice_payments",), **payment)["data"]
        return _id(found[0].get("invoice")) if found else ""

    def cancel(self, account: str, subscription: str, key: str) -> None:
        """End a subscription now, without proration and without a last invoice. A repetition finds it ended and raises Refused or Gone."""
        with self._errors_translated(account) as client:
            client.v1.subscriptions.cancel(subscription, {"invoice_now": False, "prorate": False}, {"idempotency_key": key})

    def pause_collection(self, account: str, subscription: str, key: str) -> None:
        """Leave the subscription's new invoices as drafts."""
        with self._errors_translated(account) as client:
            client.v1.subscriptions.update(subscription, {"pause_collection": {"behavior": "keep_as_draft"}}, {"idempotency_key": key})

    def mark_uncollectible(self, account: str, invoice: str, key: str) -> None:
        """Write an invoice off."""
        with self._errors_translated(account) as client:
            client.v1.invoices.mark_uncollectible(invoice, None, {"idempotency_key": key})

    def customer(self, account: str, customer: str) -> Object:
        """One customer."""
        with self._errors_translated(account) as client:
            return _call(client, "get", ("customers", customer))

    def subscription(self, account: str, subscription: str) -> Object:
        """One subscription."""
        with self._errors_translated(account) as client:
            return _call(client, "get", ("subscriptions", subscription))

    def pay(self, account: str, invoice: str, key: str) -> Object:
        """Pay the invoice off session under an idempotency key; the same key always means the same parameters.

        Raises:
            Declined: the attempt failed.
            Refused, Gone, NotAllowed, Busy: no attempt was made by this call.
            Unreachable, KeyReused: an attempt may have been made.

        """
        with self._errors_translated(account) as client:
            return _call(client, "post", ("invoices", invoice, "pay"), off_session=True, expand=PAY_EXPANDS, idempotency_key=key)

    def event_of_key(self, account: str, invoice: str, key: str, since: datetime) -> Object | None:
        """The event that shows how a pay call of ours ended, found by its idempotency key; None without one.

        Raises:
            StripeUnreachable: the events are not searched to their end yet; the next call continues from there.
        """
        first = search_from(since.timestamp())
        resumed = self._searches.pop((account, key), None)
        search = resumed or first
        for _ in range(EVENT_PAGES):
            found, search = self._echo_in(account, invoice, key, search)
            if found is not None:
                return found
            if search.over:
                return None if resumed is None else self._written_late(account, invoice, key, first)
        self._remember((account, key), search)
        raise StripeUnreachable(f"the echo of the attempt is not among {EVENT_PAGES} pages of Stripe's events; the search goes on")

    def _written_late(self, account: str, invoice: str, key: str, first: Search) -> Object | None:
        """The event, if Stripe wrote it while the search was going on: it is near the claim, where the search began."""
        search = first
        while search.low == first.low:
            found, search = self._echo_in(account, invoice, key, search)
            if found is not None:
                return found
        return None

    def _echo_in(self, account: str, invoice: str, key: str, search: Search) -> tuple[Object | None, Search]:
        """The event on the page at the search's position, and the search after that page."""
        with self._errors_translated(account) as client:
            page = _plain(client.v1.events.list({**ECHOES, **search.parameters()}))  # type: ignore[arg-type]  # not as the typed dict
        for event in page["data"]:
            if event["data"]["object"].get("id") == invoice and (event.get("request") or {}).get("idempotency_key") == key:
                return dict(event), search
        return None, search.beyond(page["data"][-1]["id"] if page["data"] else "", has_more=bool(page.get("has_more")))

    def _remember(self, place: tuple[str, str], search: Search) -> None:
        if len(self._searches) >= SEARCHES:
            self._searches.pop(next(iter(self._searches)), None)
        self._searches[place] = search

    def _key(self, account: str) -> str:
        try:
            return self._keys.api_key(account)
        except LookupError as error:
            raise NotAllowed(str(error)) from error

    def _bucket(self, account: str, key: str) -> TokenBucket:
        rate = SANDBOX_RATE if self._base else LIVE_RATE if "_live_" in key[:10] else TEST_RATE
        return self._buckets.setdefault((account, rate), TokenBucket(rate))

    def _client(self, key: str) -> stripe.StripeClient:
        if key not in self._clients:
            self._clients[key] = stripe.StripeClient(
                key,
                stripe_version=API_VERSION,
                base_addresses={"api": self._base} if self._base else None,
                max_network_retries=0,  # a repetition is the ledger's business
                http_client=self._http,
            )
        return self._clients[key]

    @contextmanager
    def _errors_translated(self, account: str) -> Iterator[stripe.StripeClient]:
        key = self._key(account)
        self._bucket(account, key).take()
        try:
            yield self._client(key)
        except stripe.StripeError as error:
            raise meaning(error) from error


def meaning(error: stripe.StripeError) -> Exception:
    """What one of the Stripe package's errors means for an effect."""
    text = str(error)
    if isinstance(error, stripe.CardError):
        return Declined(_error_object(error))
    if isinstance(error, stripe.IdempotencyError):
        return KeyReused(text)
    if isinstance(error, stripe.RateLimitError):
        return RateLimited(text)
    if isinstance(error, stripe.AuthenticationError | stripe.PermissionError):
        return NotAllowed(text)
    if isinstance(error, stripe.InvalidRequestError):
        return ObjectGone(text) if error.http_status == 404 or error.code == "resource_missing" else RequestRefused(text)
    return StripeUnreachable(text)


def payment_intents(invoice: Object) -> list[Object]:
    """The expanded payment intents of an invoice."""
    payments = (invoice.get("payments") or {}).get("data") or []
    intents = [(payment.get("payment") or {}).get("payment_intent") for payment in payments]
    return [intent for intent in intents if isinstance(intent, dict)]


def _id(value: Any) -> str:
    """The id of an object that is given by id or expanded."""
    return str(value.get("id") or "") if isinstance(value, dict) else str(value or "")


def _error_object(error: stripe.StripeError) -> Object:
    body = error.json_body
    return dict(body["error"]) if isinstance(body, dict) and isinstance(body.get("error"), dict) else {"code": error.code or ""}


def _call(client: stripe.StripeClient, method: str, path: tuple[str, ...], **params: Any) -> Object:
    """The JSON that Stripe answers. The package's tree of objects cost more than all the rest of a request (docs/performance.md)."""
    url = "/v1/" + "/".join(quote(name, safe="") for name in path)
    answer = client.raw_request(method, url, **params).data
    if not isinstance(answer, dict):
        raise StripeUnreachable("Stripe's answer has no readable body.")
    return answer


def _plain(answer: stripe.StripeObject) -> Object:
    response = answer.last_response
    if response is None or not isinstance(response.data, dict):
        raise StripeUnreachable("Stripe's answer has no readable body.")
    return response.data

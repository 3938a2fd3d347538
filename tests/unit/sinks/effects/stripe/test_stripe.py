"""Stripe's errors by their meaning, and the pace of requests."""

import pytest
import stripe

from sinks.effects.mail.smtp import Address, address
from sinks.effects.stripe.client import (
    Declined,
    EffectsStripeClient,
    KeyReused,
    NotAllowed,
    ObjectGone,
    RateLimited,
    RequestRefused,
    StripeUnreachable,
    TokenBucket,
    meaning,
)

BODY = {"error": {"code": "card_declined", "decline_code": "do_not_honor"}}


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (stripe.CardError("no", None, "card_declined", None, 402, BODY), Declined),
        (stripe.IdempotencyError("other parameters", None, 400), KeyReused),
        (stripe.RateLimitError("slow down", None, 429), RateLimited),
        (stripe.APIError("key in use", None, 409), StripeUnreachable),
        (stripe.APIError("oops", None, 500), StripeUnreachable),
        (stripe.APIConnectionError("cut"), StripeUnreachable),
        (stripe.AuthenticationError("no", None, 401), NotAllowed),
        (stripe.PermissionError("no", None, 403), NotAllowed),
        (stripe.InvalidRequestError("none", None, "resource_missing", None, 404), ObjectGone),
        (stripe.InvalidRequestError("no such method", None, "resource_missing", None, 400), ObjectGone),
        (stripe.InvalidRequestError("Invoice is already paid", None, None, None, 400), RequestRefused),
    ],
)
def test_an_error_means_one_thing(error, kind):
    assert type(meaning(error)) is kind


def test_a_decline_keeps_stripes_error_object():
    declined = meaning(stripe.CardError("no", None, "card_declined", None, 402, BODY))
    assert isinstance(declined, Declined)
    assert declined.error == BODY["error"]


def test_a_bucket_that_is_empty_says_how_long_to_wait_and_fills_again():
    now = [0.0]
    bucket = TokenBucket(10.0, lambda: now[0])
    for _ in range(12):
        bucket.take()
    assert bucket.wait() == pytest.approx(0.3)
    now[0] = 0.31
    assert bucket.wait() == 0.0


class Keys:
    def api_key(self, account):
        if account == "unknown":
            raise LookupError("unknown account")
        return "sk_live_x"


def test_a_charge_leaves_the_payment_method_to_the_invoice(monkeypatch):
    """B43: no other method of the customer is ever named, so that none is used without consent, and none that was detached or disputed."""
    asked = {}

    def request(self, method, url, **params):
        asked[method, url] = params
        raise stripe.APIConnectionError("cut")

    monkeypatch.setattr(stripe.StripeClient, "raw_request", request)
    with pytest.raises(StripeUnreachable):
        EffectsStripeClient(Keys(), "http://127.0.0.1:1").pay("acct_1", "in_1", "dunlin-key")
    said = {name: value for name, value in asked["post", "/v1/invoices/in_1/pay"].items() if name != "expand"}
    assert said == {"off_session": True, "idempotency_key": "dunlin-key"}


def test_an_unknown_account_is_refused_without_a_request_and_without_a_wait():
    door = EffectsStripeClient(Keys(), "http://127.0.0.1:1")
    assert door.wait("unknown") == 0.0
    with pytest.raises(NotAllowed, match="unknown account"):
        door.invoice("unknown", "in_1")


@pytest.mark.parametrize(
    ("url", "expected", "local"),
    [
        ("smtp://127.0.0.1:2525", Address("127.0.0.1", 2525), True),
        ("smtp://localhost", Address("localhost", 25), True),
        ("smtps://a%40b:p%3Aw@mail.example.com", Address("mail.example.com", 465, "a@b", "p:w", True), False),
    ],
)
def test_a_mail_servers_address_is_read_from_its_url(url, expected, local):
    assert address(url) == expected
    assert expected.is_this_machine is local


@pytest.mark.parametrize("url", ["http://x", "mail.example.com", "smtp://"])
def test_what_is_no_mail_server_is_refused(url):
    with pytest.raises(ValueError, match="DUNLIN_SMTP_URL"):
        address(url)

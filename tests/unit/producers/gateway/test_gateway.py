"""The webhook endpoint: what is accepted is stored whole and as one fact; everything else is refused with its reason."""

import asyncio
import hmac

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from producers.gateway import stripe_webhook
from producers.gateway import webhook_endpoint as gateway_module
from producers.gateway.deadlines import Deadlines
from recovery.contracts.encoding.codec import decode_parked
from recovery.contracts.facts import PaymentFailed, WebhookIgnored, WebhookParked
from tests.support.secrets import a_secret
from tests.unit.producers.stripe_objects import NOW, SECRET, a_dispute, an_event, an_invoice, dumped, signed

FAILED = dumped(an_event("invoice.payment_failed", an_invoice()))
PATHS = ("/api/stripe/webhook", "/api/stripe/webhook/acct_1")


def signature_of(body: bytes, secret: str = SECRET) -> bytes:
    return f"t={NOW},v1={hmac.new(secret.encode(), f'{NOW}.'.encode() + body, 'sha256').hexdigest()}".encode()


@pytest.mark.parametrize("path", PATHS)
def test_a_signed_webhook_is_stored_raw_and_as_one_fact(client, delivery, path):
    assert client.post(FAILED, signed(FAILED), path).status == 200
    [raw], [fact] = delivery.on("raw"), delivery.on("facts")
    assert (raw.key, raw.value) == (b"acct_1", FAILED)
    assert fact.key == b"acct_1/cus_1"
    assert [type(each) for each in delivery.facts] == [PaymentFailed]


def test_a_proxys_trace_is_carried_by_the_fact_and_a_made_up_one_is_not(client, delivery):
    trace = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    for sent in (trace, b"made up"):
        headers = [(b"stripe-signature", signed(FAILED)), (b"traceparent", sent)]
        asyncio.run(client.call("POST", "/api/stripe/webhook", headers, [FAILED]))
    assert [fact.trace for fact in delivery.facts] == [trace.decode(), "acct_1:evt_1"]


def test_a_body_in_pieces_is_put_together(client, delivery):
    assert client.post([FAILED[:10], FAILED[10:500], FAILED[500:]], signed(FAILED)).status == 200
    assert delivery.on("raw")[0].value == FAILED


def test_the_same_webhook_again_is_the_same_fact(client, delivery):
    client.post(FAILED, signed(FAILED))
    client.post(FAILED, signed(FAILED))
    first, second = delivery.facts
    assert first == second


def test_an_object_without_a_customer_is_keyed_by_itself(client, delivery):
    body = dumped(an_event("charge.dispute.created", a_dispute()))
    client.post(body, signed(body))
    assert delivery.on("facts")[0].key == b"acct_1/~du_1"


@pytest.mark.parametrize(
    ("signature", "words"),
    [
        (None, b"missing"),
        (b"nonsense", b"cannot be read"),
        (signed(FAILED, secret="whsec_forger"), b"No signature matches"),
        (signed(FAILED, at=NOW - 301), b"old"),
        (signed(FAILED, at=NOW + 301), b"ahead"),
    ],
    ids=["none", "malformed", "forged", "stale", "future"],
)
@pytest.mark.parametrize("path", PATHS)
def test_what_stripe_did_not_sign_just_now_is_refused_and_nothing_is_stored(client, delivery, signature, words, path):
    answered = client.post(FAILED, signature, path)
    assert answered.status == 400
    assert words in answered.body
    assert not delivery.messages


def test_an_unknown_account_in_the_path_is_refused_like_a_forged_signature(client, delivery):
    assert client.post(FAILED, signed(FAILED), "/api/stripe/webhook/acct_2").status == 400
    assert not delivery.messages


@pytest.mark.parametrize("body", [b"", b"not json", b"\xff\xfe", b'{"a": "\xff"}', b"[" * 200_000, b'{"a": 1} x', b'{"a": "\\ud800"}'])
def test_a_signed_body_that_is_not_json_in_utf8_is_refused(client, delivery, body):
    assert client.post(body, signature_of(body)).status == 400
    assert not delivery.messages


@pytest.mark.parametrize("in_pieces", [False, True])
def test_a_body_above_the_limit_is_too_large_and_the_connection_closed(client, delivery, in_pieces):
    body = b" " * (gateway_module.BODY_LIMIT + 1)
    answered = client.post([body[:1000], body[1000:]] if in_pieces else body, signature_of(body))
    assert (answered.status, answered.headers[b"connection"]) == (413, b"close")
    assert not delivery.messages


def test_a_body_announced_as_too_large_is_not_even_read(client):
    headers = [(b"content-length", str(gateway_module.BODY_LIMIT + 1).encode())]
    assert asyncio.run(client.call("POST", PATHS[0], headers, [])).status == 413


def test_a_body_of_the_limit_is_accepted(client):
    body = dumped(an_event("invoice.paid", an_invoice())).ljust(gateway_module.BODY_LIMIT)
    assert client.post(body, signature_of(body)).status == 200


def test_a_body_that_does_not_arrive_is_answered_408(client, monkeypatch):
    monkeypatch.setattr(client.gateway, "_reading", Deadlines(0.01))
    told = []

    async def call():
        async def receive():
            await asyncio.get_running_loop().create_future()

        async def send(message):
            told.append(message)

        await client.gateway({"type": "http", "method": "POST", "path": PATHS[0], "headers": []}, receive, send)

    asyncio.run(call())
    assert told[0]["status"] == 408


@pytest.mark.parametrize("refuses", ["at once", "later"])
def test_without_the_brokers_acknowledgement_stripe_is_told_to_come_back(client, delivery, refuses):
    delivery.refuses = refuses
    answered = client.post(FAILED, signed(FAILED))
    assert (answered.status, answered.headers[b"retry-after"]) == (503, b"5")


def test_no_answer_is_given_before_the_broker_has_both(client, delivery):
    delivery.refuses = "never"

    async def call():
        headers = [(b"content-length", b"1"), (b"stripe-signature", signed(FAILED))]
        task = asyncio.ensure_future(client.call("POST", PATHS[0], headers, [FAILED]))
        while not delivery.waiting:
            await asyncio.sleep(0)
        done, _ = await asyncio.wait([task], timeout=0.01)
        assert not done
        delivery.waiting[0].set_result(None)
        return await task

    assert asyncio.run(call()).status == 200


def test_more_requests_than_may_wait_are_told_to_come_back(client, delivery, monkeypatch):
    monkeypatch.setattr(gateway_module, "IN_FLIGHT_LIMIT", 1)
    delivery.refuses = "never"

    async def call():
        headers = [(b"content-length", b"1"), (b"stripe-signature", signed(FAILED))]
        first = asyncio.ensure_future(client.call("POST", PATHS[0], headers, [FAILED]))
        while not delivery.waiting:
            await asyncio.sleep(0)
        second = await client.call("POST", PATHS[0], headers, [FAILED])
        delivery.waiting[0].set_result(None)
        delivery.refuses = ""
        third = [await first, await client.call("POST", PATHS[0], headers, [FAILED])][1]
        return (await first).status, second.status, third.status

    assert asyncio.run(call()) == (200, 503, 200)


def test_an_account_that_sends_too_much_leaves_room_for_the_others(client, delivery, accounts, monkeypatch):
    monkeypatch.setattr(gateway_module, "IN_FLIGHT_LIMIT", 4)
    accounts.known = {"acct_1": (SECRET,), "acct_2": (a_secret("another"),)}
    delivery.refuses = "never"

    async def call():
        def post(account, secret=SECRET):
            headers = [(b"content-length", b"1"), (b"stripe-signature", signed(FAILED, secret=secret))]
            return asyncio.ensure_future(client.call("POST", f"{PATHS[0]}/{account}", headers, [FAILED]))

        held = post("acct_1")
        while not delivery.waiting:
            await asyncio.sleep(0)
        refused, other = await post("acct_1"), post("acct_2", a_secret("another"))
        while len(delivery.waiting) < 2:
            await asyncio.sleep(0)
        for future in delivery.waiting:
            future.set_result(None)
        return (await held).status, refused, (await other).status

    first, refused, other = asyncio.run(call())
    assert (first, refused.status, other) == (200, 503, 200)
    assert b"of this account" in refused.body


def test_a_large_body_is_hashed_in_a_thread_and_judged_alike(client, delivery):
    body = dumped(an_event("invoice.paid", an_invoice(), filler="x" * 3 * gateway_module.HASHED_INLINE))
    assert client.post(body, signed(body, secret=a_secret("a forger"))).status == 400
    assert client.post(body, signed(body)).status == 200
    assert len(delivery.facts) == 1


@pytest.mark.parametrize(("live_account", "live_event"), [(True, False), (False, True), (False, None)])
def test_an_event_of_the_wrong_mode_is_accepted_and_ignored(client, delivery, accounts, live_account, live_event):
    accounts.live = frozenset({"acct_1"} if live_account else ())
    body = dumped(an_event("invoice.paid", an_invoice(), livemode=live_event))
    assert client.post(body, signed(body)).status == 200
    [fact] = delivery.facts
    assert isinstance(fact, WebhookIgnored)
    assert fact.why.startswith("wrong mode")


def test_an_account_that_takes_our_access_away_is_stopped_on_every_partition(client, delivery):
    """B9: at once, with the reason; the webhook itself is a row like any other."""
    body = dumped(an_event("account.application.deauthorized", {"id": "ca_1", "object": "application"}))
    assert client.post(body, signed(body)).status == 200
    noted, switch = delivery.facts
    assert isinstance(noted, WebhookIgnored)
    assert (switch.account, switch.paused, switch.who, switch.why) == ("acct_1", True, "Stripe", "deauthorized")
    assert switch.received_at == noted.received_at
    assert [message.everywhere for message in delivery.on("facts")] == [False, True]
    assert switch.id != noted.id


def test_a_departure_that_is_not_meant_for_the_account_stops_nobody(client, delivery, accounts):
    """B1, B9: a test event in a live account."""
    accounts.live = frozenset({"acct_1"})
    body = dumped(an_event("account.application.deauthorized", {"id": "ca_1"}))
    assert client.post(body, signed(body)).status == 200
    assert [type(fact) for fact in delivery.facts] == [WebhookIgnored]


def test_an_unknown_type_is_accepted_and_ignored_with_its_business_time(client, delivery):
    body = dumped(an_event("made.up", {}, created=NOW - 86_400))
    assert client.post(body, signed(body)).status == 200
    [fact] = delivery.facts
    assert isinstance(fact, WebhookIgnored)
    assert (fact.event_type, fact.id) == ("made.up", "acct_1:evt_1")
    assert (fact.occurred_at.timestamp(), fact.received_at.timestamp()) == (NOW - 86_400, NOW)


@pytest.mark.parametrize("event", [an_event("invoice.paid", {"id": "in_1"}), {"type": "invoice.paid", "livemode": False}, [1, 2], 5, None])
def test_what_cannot_be_translated_is_accepted_and_parked_with_its_bytes(client, delivery, event):
    body = dumped(event)
    assert client.post(body, signed(body)).status == 200
    [fact], [message] = delivery.facts, delivery.on("parked.gateway")
    assert isinstance(fact, WebhookParked)
    parked = decode_parked(message.value)
    assert (parked.value, parked.stage, parked.headers["fact"]) == (body, "gateway", fact.id)
    assert parked.why == fact.why != ""


def test_a_fault_of_the_translator_parks_the_webhook(client, delivery, monkeypatch):
    monkeypatch.setattr(stripe_webhook, "translate", lambda *_: {}["jo@payer.example"])
    assert client.post(FAILED, signed(FAILED)).status == 200
    [fact] = delivery.facts
    assert isinstance(fact, WebhookParked)
    assert "payer" not in fact.why


def test_a_parked_body_without_an_id_gets_the_same_one_each_time(client, delivery):
    for _ in range(2):
        client.post(b"[1]", signature_of(b"[1]"))
    first, second = delivery.facts
    assert first.id == second.id


@pytest.mark.parametrize("named", ["acct_1", "acct_2"])
def test_a_platform_secret_speaks_for_the_account_that_the_body_names(client, delivery, accounts, named):
    accounts.known = {"acct_1": (SECRET,), "acct_2": (SECRET,)}
    body = dumped(an_event("invoice.paid", an_invoice(), account=named))
    assert client.post(body, signed(body)).status == 200
    assert [(fact.account, fact.customer) for fact in delivery.facts] == [(named, "cus_1")]


def test_an_account_is_found_by_its_secret_when_the_body_names_none(client, delivery, accounts):
    accounts.known = {"acct_1": ("whsec_else",), "acct_2": (SECRET,)}
    assert client.post(FAILED, signed(FAILED)).status == 200
    assert delivery.facts[0].account == "acct_2"


@pytest.mark.parametrize("path", PATHS)
def test_one_accounts_secret_never_speaks_for_another(client, delivery, accounts, path):
    accounts.known = {"acct_1": (SECRET,), "acct_2": ("whsec_else",)}
    body = dumped(an_event("invoice.paid", an_invoice(), account="acct_2"))
    assert client.post(body, signed(body), path).status == 200
    [fact] = delivery.facts
    assert isinstance(fact, WebhookIgnored)
    assert fact.account == "acct_1"


def test_an_event_without_an_account_under_a_shared_secret_is_ignored(client, delivery, accounts):
    accounts.known = {"acct_1": (SECRET,), "acct_2": (SECRET,)}
    assert client.post(FAILED, signed(FAILED)).status == 200
    assert isinstance(delivery.facts[0], WebhookIgnored)


def test_health_and_metrics_answer(client, delivery):
    client.post(FAILED, signed(FAILED))
    assert client.get("/health").status == 200
    told = client.get("/metrics").body
    assert b'dunlin_gateway_answers_total{reason="accepted",status="200"} 1.0' in told
    assert b'dunlin_gateway_facts_total{type="payment_failed"} 1.0' in told
    assert b"dunlin_gateway_accept_seconds_count 1.0" in told
    assert b'dunlin_gateway_accept_seconds_bucket{le="+Inf"} 1.0' in told
    assert b"dunlin_gateway_in_flight 0.0" in told


def test_health_says_503_while_the_broker_cannot_be_reached_and_200_again_after(client, delivery):
    delivery.healthy = False
    unwell = client.get("/health")
    assert (unwell.status, unwell.headers[b"retry-after"]) == (503, b"5")
    assert b"no answer" in unwell.body
    delivery.healthy = True
    assert client.get("/health").status == 200


@pytest.mark.parametrize("header", [b"x-forwarded-for", b"forwarded", b"via", b"x-real-ip"])
def test_figures_are_shown_to_nobody_from_outside(client, header):
    passed_on = [(header, b"192.0.2.1")]
    assert asyncio.run(client.call("GET", "/metrics", passed_on, [b""])).status == 404
    assert asyncio.run(client.call("GET", "/health", passed_on, [b""])).status == 200


@pytest.mark.parametrize(("method", "path", "status"), [("GET", PATHS[0], 405), ("POST", "/", 404), ("GET", "/api/stripe/webhookx", 404)])
def test_there_is_nothing_else(client, method, path, status):
    assert asyncio.run(client.call(method, path, [], [b""])).status == status


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.binary(max_size=300) | st.from_regex(rb'\{"(type|id|created|data)": ?.{0,20}\}'),
    genuine=st.booleans(),
    junk=st.binary(max_size=80),
)
def test_no_bytes_break_it_and_accepted_is_one_fact(client, delivery, body, genuine, junk):
    delivery.messages.clear()
    status = client.post(body, signature_of(body) if genuine else junk).status
    assert status in ({200, 400} if genuine else {400})
    assert len(delivery.on("facts")) == len(delivery.on("raw")) == (status == 200)

"""The real gateway in front of a real broker: what it accepted is stored, and what it could not store it did not accept."""

import re
import socket
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest

from producers.gateway.webhook_endpoint import BODY_LIMIT
from recovery.contracts.encoding.codec import decode_fact, decode_parked
from recovery.contracts.facts import PauseSet
from tests.support.waiting import until
from tests.unit.producers.stripe_objects import an_event, an_invoice, dumped

pytestmark = pytest.mark.real


def a_webhook(id):
    return dumped(an_event("invoice.paid", an_invoice(), id=id))


def stored(broker, ids):
    """Ids of facts on the broker, once all of `ids` are there."""
    wanted = {f"acct_1:{id}" for id in ids}
    values = broker.values("facts", lambda values: wanted <= {decode_fact(value).id for value in values})
    return {decode_fact(value).id for value in values} & wanted


def test_what_is_acknowledged_is_stored_raw_and_as_a_fact(broker, gateway):
    ids = [f"evt_many_{n}" for n in range(200)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda id: gateway.post(a_webhook(id)).status_code, ids))
    assert answers == [200] * 200
    assert len(stored(broker, ids)) == 200
    raw = broker.values("raw", lambda values: len({*values} & {a_webhook(id) for id in ids}) == 200)
    assert {*raw} >= {a_webhook(id) for id in ids}


def test_while_the_broker_is_down_nothing_is_accepted_and_afterwards_it_is(broker, gateway):
    assert gateway.post(a_webhook("evt_before")).status_code == 200
    broker.stop()
    try:
        refused = gateway.post(a_webhook("evt_during"))
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
        unwell = gateway.client.get("/health")
        assert (unwell.status_code, unwell.json()["broker"]) == (503, "no answer")
    finally:
        broker.start()
    until(lambda: gateway.post(a_webhook("evt_during")).status_code == 200, 60, "the gateway to accept again")
    assert len(stored(broker, ["evt_before", "evt_during"])) == 2
    until(lambda: gateway.client.get("/health").status_code == 200, 20, "the gateway to be well again")


def test_without_any_webhook_the_health_tells_whether_the_broker_is_there(broker, gateway):
    assert gateway.client.get("/health").status_code == 200
    broker.stop()
    try:
        until(lambda: gateway.client.get("/health").status_code == 503, 20, "the gateway to notice")
    finally:
        broker.start()
    until(lambda: gateway.client.get("/health").json() == {"status": "ok", "broker": "ok"}, 60, "the gateway to notice that it is back")


def test_a_head_that_is_too_large_is_refused_by_the_real_server(gateway):
    refused = gateway.client.get("/health", headers={"x": "a" * 20_000})
    assert (refused.status_code, refused.headers["connection"]) == (431, "close")
    assert gateway.post(a_webhook("evt_after_head")).status_code == 200


def test_requests_in_a_row_on_one_connection_are_answered_in_their_order(gateway):
    address = gateway.client.base_url
    with socket.create_connection((address.host, address.port), 10) as connection:
        connection.sendall(b"".join(b"GET %b HTTP/1.1\r\nhost: x\r\n\r\n" % path for path in (b"/health", b"/nowhere", b"/health")))
        answers = b""
        while answers.count(b"HTTP/1.1") < 3 or not answers.endswith(b"}\n"):
            answers += connection.recv(4096)
    assert re.findall(rb"HTTP/1.1 (\d+)", answers) == [b"200", b"404", b"200"]


def test_an_account_that_takes_our_access_away_is_stopped_in_every_partition(broker, gateway):
    """B9."""
    body = dumped(an_event("account.application.deauthorized", {"id": "ca_1"}, id="evt_leaves"))
    assert gateway.post(body).status_code == 200

    def stops(values):
        return [fact for value in values if isinstance(fact := decode_fact(value), PauseSet) and fact.cause == "evt_leaves"]

    assert len(stops(broker.values("facts", lambda values: len(stops(values)) >= 4))) == 4


def test_a_large_body_is_refused_by_the_real_server(gateway):
    assert gateway.post(b" " * (BODY_LIMIT + 1)).status_code == 413
    assert gateway.post(a_webhook("evt_after_large")).status_code == 200


def test_a_large_body_that_may_come_is_stored(broker, gateway):
    body = dumped(an_event("invoice.paid", an_invoice(), id="evt_large", filler="0123456789" * 40_000))
    assert gateway.post(body).status_code == 200
    assert len(stored(broker, ["evt_large"])) == 1


def filled(id, **changes):
    """A webhook of exactly the largest size, of bytes that no compression makes smaller."""
    event = an_event("invoice.paid", an_invoice(**changes), id=id, filler="")
    noise = b64encode(Random(id).randbytes(BODY_LIMIT)).decode()
    return dumped({**event, "filler": noise[: BODY_LIMIT - len(dumped(event))]})


def test_the_largest_body_is_stored_whole(broker, gateway):
    body = filled("evt_largest")
    assert len(body) == BODY_LIMIT
    assert gateway.post(body).status_code == 200
    assert len(stored(broker, ["evt_largest"])) == 1
    assert body in broker.values("raw", lambda values: body in values)


def test_the_largest_body_is_parked_whole_when_it_cannot_be_translated(broker, gateway):
    body = filled("evt_largest_parked", status=None)
    assert len(body) == BODY_LIMIT
    assert gateway.post(body).status_code == 200
    assert len(stored(broker, ["evt_largest_parked"])) == 1
    assert body in broker.values("raw", lambda values: body in values)
    assert broker.values("parked.gateway", lambda values: body in [decode_parked(value).value for value in values])


def test_it_stops_in_order(gateway):
    gateway.post(a_webhook("evt_last"))
    assert gateway.program.stop() == 0

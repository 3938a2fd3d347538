"""A message that each stage sets aside is listed, shown, and replayed when the cause is gone; what it asks for happens once."""

import json
import time

import httpx
import pytest
from confluent_kafka import TopicPartition

from recovery.adapters import clickhouse as adapter
from recovery.adapters.kafka import consumer
from recovery.contracts.encoding.codec import decode_fact
from sinks.warehouse import migrate
from tests.support.services.small_stack import SmallStack
from tests.support.waiting import until
from tests.unit.producers.stripe_objects import an_event, an_invoice, dumped, signed

pytestmark = [pytest.mark.real, pytest.mark.timeout(400)]

BROKEN_GATEWAY = """
import sys
import producers.gateway.stripe_webhook
from recovery.stripe.fields import UnknownShape
def unknown(*_):
    raise UnknownShape("invoice.novelty is not known here.")
producers.gateway.stripe_webhook.translate = unknown
sys.argv = ["producers", "gateway"]
import producers.__main__
sys.exit(producers.__main__.main())
"""
BROKEN_WORKER = """
import recovery.decide.advance
from recovery.contracts.facts import PaymentFailed
def broken(*_):
    raise ZeroDivisionError("a mistake of this version")
recovery.decide.advance.HANDLERS[PaymentFailed] = broken
"""
BROKEN_WAREHOUSE = """
import sys
import sinks.warehouse.rows
from recovery.contracts.encoding.codec import Unprocessable
line = sinks.warehouse.rows.line
def refuse(value, *place):
    if b'"event_type":"payment_failed"' in value:
        raise Unprocessable("a mistake of this version")
    return line(value, *place)
sinks.warehouse.rows.line = refuse
sys.argv = ["sinks", "warehouse"]
import sinks.__main__
sys.exit(sinks.__main__.main())
"""


@pytest.fixture
def stack(start, tmp_path):
    running = SmallStack(start, tmp_path, BROKEN_WORKER)
    yield running
    running.close()


def parked(stack, *options):
    return json.loads(stack.run("dunlin", "parked", "list", "--json", *options).stdout)


def waits(stack, count, *options):
    """The parked messages of the options, once there are so many."""
    until(lambda: len(parked(stack, *options)) >= count, 60, f"{count} parked messages")
    return parked(stack, *options)


def put_back(stack, *words, code=0):
    return stack.run("dunlin", "parked", "replay", *words, "--who", "ada", "--why", "mended", code=code).stdout


def facts_of(stack, event):
    """All facts of an event, as far as they are written now."""
    reader = consumer(stack.bootstrap, f"look-{time.monotonic_ns()}", **{"enable.partition.eof": True})
    reader.assign([TopicPartition("facts", number, 0) for number in range(2)])
    found, ended = [], set()
    while len(ended) < 2:
        for message in reader.consume(500, 0.2):
            if message.error() is not None:
                ended.add(message.partition())
            else:
                found.append(decode_fact(message.value()))
    reader.close()
    return [fact.__struct_config__.tag for fact in found if fact.cause == event]


def post_failure(stack, folder):
    ready = folder / "gateway.ready"
    settings = {**stack.environment, "DUNLIN_GATEWAY_PORT": "0", "DUNLIN_READY_FILE": str(ready)}
    gateway = stack.start("-c", BROKEN_GATEWAY, env=settings)
    until(ready.exists, 60, "the gateway to be ready")
    body = dumped(an_event("charge.refunded", {"id": "ch_1", "object": "charge"}, id="evt_0"))
    failed = dumped(an_event("invoice.payment_failed", an_invoice(), id="evt_1"))
    for each in (body, failed):
        header = signed(each, at=int(time.time())).decode()
        answer = httpx.post(f"http://{ready.read_text().strip()}/api/stripe/webhook", content=each, headers={"Stripe-Signature": header})
        assert answer.status_code == 200
    gateway.stop()
    return failed


def test_what_each_stage_sets_aside_is_put_back_once_its_cause_is_gone(stack, tmp_path, clickhouse):
    """B93."""
    stack.run("producers", "policies")
    body = post_failure(stack, tmp_path)

    # the gateway did not know the shape; this version does
    mine = next(one for one in waits(stack, 2, "--topic", "gateway") if one["size"] == len(body))
    assert (mine["account"], mine["topic"], mine["why"], mine["put_back"]) == ("acct_1", "raw", "invoice.novelty is not known here.", "")
    shown = stack.run("dunlin", "parked", "show", mine["name"]).stdout
    assert "invoice.novelty is not known here." in shown
    assert "evt_1" in shown
    assert "dunlin parked replay" in shown
    assert "would go to facts" in put_back(stack, mine["name"], "--dry-run")
    assert facts_of(stack, "evt_1") == ["webhook_parked"]
    assert "1 of 1 replayed" in put_back(stack, mine["name"])
    assert "replayed before" in put_back(stack, mine["name"])
    assert facts_of(stack, "evt_1") == ["webhook_parked", "payment_failed"]
    refused = put_back(stack, "--topic", "gateway", code=1)
    assert "still cannot be translated" in refused
    assert "1 was replayed before" in refused

    # the worker failed on the fact; another version does not
    [fact] = waits(stack, 1, "--topic", "parked.streams", "--reason", "zerodivision")
    assert (fact["topic"], fact["account"]) == ("facts", "acct_1")
    stack.worker.stop()
    stack.worker = stack.start_worker()
    assert "1 of 1 replayed" in put_back(stack, "--topic", "streams")
    assert len(stack.heard("payment_failed")) == 1
    assert len(stack.heard("read_requested")) == 1
    assert "1 of 1 replayed" in put_back(stack, fact["name"], "--again")
    assert stack.heard("duplicate_fact_ignored")[0].cause == "acct_1:evt_1"
    told = stack.heard("parked_replayed", 3)[-1]
    assert (told.details["who"], told.reason, told.details["message"]) == ("ada", "mended", fact["name"])

    # the warehouse refused the row; another version does not
    migrate.run(clickhouse.url("sink"), lambda _: None)
    database = adapter.client(clickhouse.url("admin"))
    database.command("TRUNCATE TABLE dunlin.events SYNC")

    def rows_of(event_type):
        return database.query(f"SELECT count() FROM dunlin.events WHERE event_type = '{event_type}'").result_rows[0][0]

    stack.environment["DUNLIN_CLICKHOUSE_URL"] = clickhouse.url("sink")
    broken = stack.start("-c", BROKEN_WAREHOUSE, env=stack.environment)
    [row] = waits(stack, 1, "--topic", "sinks")
    assert (row["topic"], row["why"]) == ("recovery.events", "a mistake of this version")
    broken.stop()
    until(lambda: rows_of("read_requested") == 1, 60, "the other rows")
    assert rows_of("payment_failed") == 0
    stack.start("-m", "sinks", "warehouse", env=stack.environment)
    put_back(stack, row["name"])
    until(lambda: rows_of("payment_failed") == 1, 60, "the row")
    put_back(stack, row["name"], "--again")
    assert len(stack.heard("parked_replayed", 5)) == 5
    until(lambda: rows_of("parked_replayed") == 5, 60, "what was told after it")
    assert rows_of("payment_failed") == 1
    assert [one["name"] for one in parked(stack, "--waiting")] == [one["name"] for one in parked(stack) if not one["put_back"]]
    assert len(parked(stack, "--waiting")) == 1
    database.close()


def test_nothing_is_put_back_unless_it_is_named(stack):
    refused = stack.run("dunlin", "parked", "replay", "--who", "ada", code=1)
    assert "--all means every message" in refused.stderr
    assert "0 of 0 replayed" in put_back(stack, "--all")
    assert "nothing is parked" in stack.run("dunlin", "parked", "list").stdout
    assert "names no parked message" in stack.run("dunlin", "parked", "show", "streams", code=1).stderr
    assert "Nothing is parked as streams-0-9" in stack.run("dunlin", "parked", "show", "streams-0-9", code=1).stderr

"""Each limit of the table at its value, below and beyond it: through the real translator, the real desk and the real writer of rows."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from producers.commands import build_command
from producers.gateway import stripe_webhook
from recovery.contracts import limits
from recovery.contracts.customer import Case
from recovery.contracts.dead_letters import DeadLetter, fitted
from recovery.contracts.encoding.codec import Unprocessable, decode_effect, decode_event, decode_fact, decode_parked, encode
from recovery.contracts.events import Event
from recovery.contracts.facts import PaymentFailed, StopRequested, WebhookParked
from recovery.decide.advance import advance
from recovery.ids import stream_key
from sinks.warehouse import rows
from streams.simulation import ShardInMemory
from tests.support import builders as a

REPOSITORY = Path(__file__).resolve().parents[2]
ARRIVED = datetime(2026, 3, 2, 9, tzinfo=UTC)
CREATED = int(ARRIVED.timestamp())


class Tenant:
    def livemode(self, account):
        return False


def body(id="evt_1", created=CREATED, kind="invoice.payment_failed", **invoice):
    fields = {
        "object": "invoice",
        "id": "in_1",
        "customer": "cus_1",
        "status": "open",
        "currency": "eur",
        "amount_due": 4900,
        "amount_paid": 0,
        "amount_remaining": 4900,
        "attempt_count": 1,
        "billing_reason": "subscription_cycle",
        "collection_method": "charge_automatically",
        "auto_advance": True,
        "created": CREATED,
        "subscription": "sub_1",
    }
    event = {"id": id, "object": "event", "type": kind, "livemode": False, "created": created, "data": {"object": fields | invoice}}
    return json.dumps(event, ensure_ascii=False).encode()


def through(raw):
    """A signed body through gateway, stream and warehouse: the fact, and the rows that come of it."""
    fact, messages = stripe_webhook.messages_of(Tenant(), "acct_1", ["acct_1"], stripe_webhook.read(raw), raw, ARRIVED)
    sent = {message.topic: message for message in messages}
    if isinstance(fact, WebhookParked):
        assert decode_parked(sent["parked.gateway"].value).value == raw
    record = SimpleNamespace(key=sent["facts"].key, value=sent["facts"].value, offset=1, timestamp=CREATED * 1000)
    outputs = ShardInMemory(0, "dunlin").take(record)
    assert not [output for output in outputs if output.topic == "parked.streams"]
    events = [output.value for output in outputs if output.topic == "recovery.events"]
    assert [rows.line(value, "recovery.events", 0, 1) for value in events]
    return fact, [decode_event(value).event_type for value in events]


def taken(raw):
    fact, told = through(raw)
    assert isinstance(fact, PaymentFailed)
    assert told[0] == "payment_failed"
    return fact


def parked(raw):
    fact, told = through(raw)
    assert isinstance(fact, WebhookParked)
    assert told == ["webhook_parked"]
    return fact.why


LONG = limits.ID_LENGTH


@pytest.mark.parametrize("length", [LONG - 1, LONG])
@pytest.mark.parametrize("field", ["id", "customer", "subscription", "currency", "status", "billing_reason"])
def test_an_id_or_word_up_to_its_limit_is_taken(field, length):
    taken(body(**{field: "x" * length}) if field != "status" else body(billing_reason="x" * length))


@pytest.mark.parametrize("length", [LONG + 1, 60_000, 400_000])
@pytest.mark.parametrize("field", ["id", "customer", "subscription", "currency", "status", "billing_reason"])
def test_an_id_or_word_beyond_its_limit_parks_the_webhook(field, length):
    why = parked(body(**{field: "x" * length}))
    assert f"{length:,}" in why


def test_an_events_own_id_has_the_limit_too():
    assert taken(body()).cause == "evt_1"
    raw = body().replace(b'"evt_1"', b'"%s"' % (b"e" * LONG))
    assert len(taken(raw).cause) == LONG
    fact, _ = through(body().replace(b'"evt_1"', b'"%s"' % (b"e" * (LONG + 1))))
    assert isinstance(fact, WebhookParked)
    assert fact.cause.startswith("body-")


@pytest.mark.parametrize("length", [LONG - 1, LONG])
def test_a_dispute_of_an_unknown_customer_at_the_limit_of_ids_asks_for_its_charge(length):
    raw = body(kind="charge.dispute.created").replace(b'"object": "invoice", "id": "in_1"', b'"object": "dispute", "id": "du_1"')
    raw = raw.replace(b'"customer": "cus_1"', b'"charge": "%s", "amount": 100' % (b"c" * length))
    _, messages = stripe_webhook.messages_of(Tenant(), "acct_1", ["acct_1"], stripe_webhook.read(raw), raw, ARRIVED)
    message = next(message for message in messages if message.topic == "facts")
    outputs = ShardInMemory(0, "dunlin").take(SimpleNamespace(key=message.key, value=message.value, offset=1, timestamp=0))
    (asked_for,) = [decode_effect(output.value) for output in outputs if output.topic == "effects.stripe"]
    assert len(asked_for.object) == length


@pytest.mark.parametrize("character", ["\n", "\r", "\t", "\x00", "\x1b", "\x7f", "\x85", "\u2028", "\u202e", "\u200b", "\ufeff"])
@pytest.mark.parametrize("field", ["id", "customer", "subscription", "currency", "billing_reason"])
def test_a_character_that_is_not_printable_parks_the_webhook(field, character):
    assert "not printable" in parked(body(**{field: f"x{character}y"}))


@pytest.mark.parametrize("kind", ["é" * 200, "x" * 256, "\x1b[2J", "unheard.of"])
def test_a_type_that_cannot_be_kept_is_left_out_of_the_fact(kind):
    fact, _ = through(body(kind=kind))
    assert fact.event_type == (kind if kind == "unheard.of" else "")


def test_letters_of_any_script_are_taken_up_to_so_many_bytes():
    assert taken(body(customer="kundin_é_東京")).customer == "kundin_é_東京"
    taken(body(customer="é" * 127))
    assert "bytes" in parked(body(customer="é" * 129))


@pytest.mark.parametrize("amount", [limits.AMOUNT - 1, limits.AMOUNT, -limits.AMOUNT])
def test_an_amount_up_to_its_limit_is_taken(amount):
    fact, _ = through(body(amount_remaining=amount))
    assert fact.state.amount_remaining == amount


@pytest.mark.parametrize("amount", [limits.AMOUNT + 1, -limits.AMOUNT - 1, 2**63 - 1, 2**63, 10**30])
def test_an_amount_beyond_its_limit_parks_the_webhook(amount):
    parked(body(amount_remaining=amount))


@pytest.mark.parametrize(("count", "fits"), [(limits.COUNT - 1, True), (limits.COUNT, True), (limits.COUNT + 1, False)])
def test_a_count_has_a_limit(count, fits):
    (taken if fits else parked)(body(attempt_count=count))


DAY = int(limits.AHEAD_OF_ARRIVAL.total_seconds())
FIRST = int(limits.FIRST_MOMENT.timestamp())


@pytest.mark.parametrize("created", [FIRST, FIRST + 1, CREATED, CREATED + DAY - 1, CREATED + DAY])
def test_a_time_within_its_limits_is_taken(created):
    taken(body(created=created))


@pytest.mark.parametrize("created", [-1, 0, FIRST - 1, CREATED + DAY + 1, 4_102_444_800, 7_300_000_000, 253_402_300_799, 10**15])
def test_a_time_beyond_its_limits_parks_the_webhook_which_then_happened_when_it_arrived(created):
    fact, _ = through(body(created=created))
    assert isinstance(fact, WebhookParked)
    assert fact.occurred_at == ARRIVED


HORIZON = CREATED + int(limits.HORIZON.total_seconds())


@pytest.mark.parametrize(("at", "fits"), [(HORIZON - 1, True), (HORIZON, True), (HORIZON + 1, False), (FIRST, True), (FIRST - 1, False)])
def test_other_times_of_an_invoice_have_limits_too(at, fits):
    (taken if fits else parked)(body(next_payment_attempt=at))


def nested(levels):
    value = encode(StopRequested(who="ada", **a.header("stop-1", a.at())))
    return value[:-1] + b',"more":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


@pytest.mark.parametrize("levels", [limits.NESTING - 1, limits.NESTING])
def test_json_up_to_so_many_levels_is_read(levels):
    decode_fact(nested(levels))


@pytest.mark.parametrize("levels", [limits.NESTING + 1, 1_000, 100_000])
def test_json_of_more_levels_is_no_message(levels):
    with pytest.raises(Unprocessable, match="nested"):
        decode_fact(nested(levels))


def test_brackets_in_a_text_are_no_levels():
    value = encode(StopRequested(who="ada", why="[" * 500 + '\\"{{[', **a.header("stop-1", a.at())))
    assert decode_fact(value).why.startswith("[[[")


def filled(size):
    value = encode(StopRequested(who="ada", **a.header("stop-1", a.at())))
    return value[:-1] + b',"more":"' + b"x" * (size - len(value) - 10) + b'"}'


@pytest.mark.parametrize("more", [-1, 0])
def test_a_message_up_to_its_limit_is_read(more):
    value = filled(limits.MESSAGE_BYTES + more)
    assert len(value) == limits.MESSAGE_BYTES + more
    decode_fact(value)


def test_a_message_beyond_its_limit_is_none():
    with pytest.raises(Unprocessable, match="bytes"):
        decode_fact(filled(limits.MESSAGE_BYTES + 1))


def a_dead_letter(size):
    return DeadLetter(
        stage="streams", topic="facts", partition=1, offset=2, key=b"k", value=b"x" * size, why="w", at=ARRIVED, replay_topic="facts"
    )


def test_a_dead_letter_holds_its_bytes_as_long_as_it_fits_and_else_a_reference():
    kept = max(size for size in range(700_000, 713_000, 3) if fitted(a_dead_letter(size)).value)
    assert len(encode(a_dead_letter(kept))) <= limits.PARKED_BYTES
    assert kept > limits.MESSAGE_BYTES
    refers = fitted(a_dead_letter(kept + 3))
    assert (refers.value, refers.left_out) == (b"", kept + 3)
    assert len(encode(a_dead_letter(5_000_000))) < 1_000


def test_a_dead_letter_with_long_texts_headers_and_key_is_cut_to_fit():
    long = msgspec.structs.replace(
        a_dead_letter(600_000),
        why="é" * 500_000,
        error="\n" * 500_000,
        trace="t" * 500_000,
        key=b"k" * 500_000,
        headers={f"h{number}": "v" * 1_000 for number in range(1_000)},
    )
    value = encode(long)
    assert len(value) <= limits.PARKED_BYTES
    read = decode_parked(value)
    assert len(read.why) == limits.TEXT_LENGTH
    assert len(read.key) == limits.KEY_BYTES
    assert read.headers


@pytest.mark.parametrize(("length", "fits"), [(limits.TEXT_LENGTH - 1, True), (limits.TEXT_LENGTH, True), (limits.TEXT_LENGTH + 1, False)])
def test_a_persons_reason_has_a_limit_and_they_are_told_at_once(length, fits):
    def say():
        return build_command("stop", ("acct_1", "cus_1", "in_1"), None, "ada", "x" * length, ARRIVED, ARRIVED)

    if fits:
        assert decode_fact(encode(say())).why == "x" * length
    else:
        with pytest.raises(ValueError, match="why"):
            say()


def test_what_is_not_printable_in_a_text_for_people_is_replaced():
    command = build_command("stop", ("acct_1", "cus_1", "in_1"), None, "ada", "first\nsecond\x1b[2J", ARRIVED, ARRIVED)
    assert decode_fact(encode(command)).why == "first second\ufffd[2J"


def a_row_with(cases, ended=0):
    step = advance(None, a.a_failure(), a.at(), a.an_account(a.a_policy()))
    customer = step.customer
    like = next(iter(customer.cases.values()))
    for number in range(cases - 1):
        customer.cases[f"in_more_{number}"] = msgspec.structs.replace(like, invoice=f"in_more_{number}")
    for number in range(ended):
        at = a.at() - timedelta(days=100, minutes=-number)
        gone = f"in_gone_{number}"
        customer.cases[gone] = Case(invoice=gone, status="closed", opened_at=at, failed_at=at, last_failed_at=at, ended_at=at)
    return customer


def opened(customer):
    failure = a.a_failure("evt_new", a.at(), "in_new", state=a.a_state(subscription="sub_new"))
    step = advance(customer, failure, a.at(), a.an_account(a.a_policy()))
    return step, [(event.event_type, event.reason) for event in step.events if event.cause == failure.id and event.reason]


@pytest.mark.parametrize("cases", [limits.OPEN_CASES - 2, limits.OPEN_CASES - 1])
def test_so_many_open_invoices_of_a_customer_work(cases):
    step, told = opened(a_row_with(cases))
    assert ("payment_failed", "payment_failed") in told
    assert "in_new" in step.customer.cases


def test_one_open_invoice_more_is_refused_with_a_reason():
    step, told = opened(a_row_with(limits.OPEN_CASES))
    assert ("failure_ignored", "too_many_cases") in told
    assert "in_new" not in step.customer.cases


def test_ended_cases_beyond_their_limit_make_room_the_oldest_first():
    step, told = opened(a_row_with(1, ended=limits.ENDED_CASES + 5))
    assert ("payment_failed", "payment_failed") in told
    left = [invoice for invoice in step.customer.cases if invoice.startswith("in_gone")]
    assert len(left) == limits.ENDED_CASES
    assert "in_gone_4" not in left


def test_a_thousand_failures_of_one_customer_are_a_thousand_cases_in_a_row_that_is_kept():
    shard, key = ShardInMemory(0, "dunlin"), stream_key("acct_1", "cus_1")
    told = []
    for number in range(1_000):
        raw = body(id=f"in_{number}", subscription=f"sub_{number}").replace(b'"evt_1"', b'"evt_%d"' % number)
        _, messages = stripe_webhook.messages_of(Tenant(), "acct_1", ["acct_1"], stripe_webhook.read(raw), raw, ARRIVED)
        message = next(message for message in messages if message.topic == "facts")
        if number < 5 or number > 995:
            told += shard.take(SimpleNamespace(key=message.key, value=message.value, offset=number, timestamp=0))
        else:
            shard.take(SimpleNamespace(key=message.key, value=message.value, offset=number, timestamp=0))
    assert not [output for output in told if output.topic == "parked.streams"]
    assert len(shard.rows[key]) < limits.ROW_BYTES


@pytest.mark.parametrize("at", [limits.FIRST_MOMENT, datetime(2099, 12, 31, tzinfo=UTC)])
def test_every_time_that_a_message_may_hold_is_one_that_the_warehouse_holds(at):
    event = Event(
        id="0-1-0",
        event_type="fact_had_no_effect",
        account="acct_1",
        occurred_at=at,
        received_at=at,
        amount_minor=limits.AMOUNT,
        next_action_at=at,
    )
    assert rows.line(encode(event), "recovery.events", 0, 1)


def test_the_documentation_shows_the_table():
    text = (REPOSITORY / "docs" / "limits.md").read_text()
    assert limits.table() in text, "print it anew: python -m recovery.contracts.limits, and paste it into docs/limits.md"


def test_the_table_names_every_limit_once_with_its_value():
    names = [one.name for one in limits.LIMITS]
    assert len(names) == len(set(names))
    constants = {name for name in vars(limits) if name.isupper() and not name.startswith("_") and name not in {"LIMITS", "UTC"}}
    assert set(names) == constants
    assert all(one.value and one.where and one.beyond for one in limits.LIMITS)

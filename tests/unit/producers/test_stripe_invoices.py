"""The short way for invoice events gives what the long way gives, and leaves to it all that it does not know."""

import json
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.gateway.stripe_webhook import read
from producers.providers.stripe import translate
from producers.providers.stripe_invoices import INVOICE_FACTS, InvoiceEvent, invoice_event
from tests.unit.producers.stripe_objects import NOW, VERSIONS, a_charge, an_event, an_intent, an_invoice, dumped

WALL = datetime(2026, 11, 24, 12, tzinfo=UTC)
FAILED = dumped(an_event("invoice.payment_failed", an_invoice()))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", INVOICE_FACTS)
def test_every_invoice_event_of_every_version_is_read_the_short_way_to_the_same_fact(kind, version):
    event = an_event(kind, an_invoice(version), api_version=version)
    short = read(dumped(event))
    assert isinstance(short, InvoiceEvent)
    assert translate("acct_1", short, WALL) == translate("acct_1", event, WALL)


LATER = ("parent", "subscription", "payment_intent", "paid_out_of_band", "amount_paid_off_stripe")
NAMES = tuple(dict.fromkeys((*an_invoice(), *LATER, "default_payment_method", "default_source", "lines")))
AMOUNTS = st.sampled_from([0, -1, 1, 4900, NOW, 253_402_300_799, 253_402_300_800, 2**63 - 1, 2**63, -(2**63), 1.0, 0.5])
PLAIN = st.none() | st.booleans() | AMOUNTS | st.sampled_from(["", "x", "sub_1", "invoice", "é"])
EXPANDED = st.sampled_from([{}, {"id": ""}, {"id": 5}, {"id": "cus_2"}, {"id": "sub_2", "object": "subscription"}, an_intent()])
DETAILS = st.fixed_dictionaries({}, optional={"subscription": PLAIN | EXPANDED})
PARENTS = st.fixed_dictionaries({}, optional={"subscription_details": PLAIN | DETAILS})
REQUESTS = st.fixed_dictionaries({}, optional={"id": PLAIN, "idempotency_key": PLAIN})
PERIODS = st.fixed_dictionaries({}, optional={"start": AMOUNTS, "end": PLAIN | st.sampled_from([NOW + 1, NOW + 86_400, NOW - 1])})
LINE_PARENTS = st.fixed_dictionaries({}, optional={"subscription_item_details": PLAIN | DETAILS})
LINE = st.fixed_dictionaries({}, optional={"period": PERIODS | PLAIN, "parent": LINE_PARENTS | PLAIN, "subscription": PLAIN | EXPANDED})
LINES = st.fixed_dictionaries({}, optional={"data": st.lists(LINE | PLAIN, max_size=3) | PLAIN})
PREVIOUS = st.fixed_dictionaries({}, optional={"auto_advance": PLAIN, "attempt_count": PLAIN, "next_payment_attempt": PLAIN})
VALUES = PLAIN | EXPANDED | PARENTS | LINES | st.just([])
ENVELOPE = st.fixed_dictionaries(
    {},
    optional={
        "id": PLAIN,
        "created": PLAIN,
        "livemode": st.booleans() | PLAIN,
        "account": PLAIN,
        "request": REQUESTS | PLAIN,
        "data": st.fixed_dictionaries({}, optional={"object": VALUES, "previous_attributes": VALUES | PREVIOUS}) | PLAIN,
    },
)


@given(
    kind=st.sampled_from([*INVOICE_FACTS, "charge.failed", "invoice.created"]),
    version=st.sampled_from(VERSIONS),
    changes=st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=3),
    left_out=st.sets(st.sampled_from(NAMES), max_size=2),
    envelope=st.just({}) | ENVELOPE,
    previous=st.none() | PREVIOUS | VALUES,
)
def test_whatever_the_short_way_takes_becomes_the_same_fact_as_the_long_way(kind, version, changes, left_out, envelope, previous):
    invoice = {name: value for name, value in {**an_invoice(version), **changes}.items() if name not in left_out}
    data = {"object": invoice} | ({} if previous is None else {"previous_attributes": previous})
    body = dumped(an_event(kind, invoice, **{"data": data, **envelope}))
    short, long = invoice_event(body), json.loads(body)
    if short is not None:
        assert translate("acct_1", short, WALL) == translate("acct_1", long, WALL)
        assert [short.account, short.livemode, short.id, short.type] == [long.get(n) for n in ("account", "livemode", "id", "type")]


WORDS_OF_A_FACT = {"status", "lines", "parent", "amount_paid_off_stripe", "auto_advance", "default_source", "subscription"}


def test_the_short_way_reads_every_field_of_an_invoice_that_the_long_way_reads():
    """A field that only one of them reads would be dropped for nearly every event; the property test generates each of these."""
    seen: set[str] = set()

    class Watched(dict):
        def get(self, name, default=None):
            seen.add(name)
            return super().get(name, default)

    translate("acct_1", an_event("invoice.updated", Watched(an_invoice(VERSIONS[0]))), WALL)
    translate("acct_1", an_event("invoice.updated", Watched(an_invoice())), WALL)
    short = set(InvoiceEvent.__annotations__["data"].__annotations__["object"].__annotations__)
    assert seen >= WORDS_OF_A_FACT
    assert seen - {"object"} <= short
    assert short <= set(NAMES) | {"object"}


def a_line(**changes):
    parent = {"type": "subscription_item_details", "subscription_item_details": {"subscription": "sub_1"}}
    return {"id": "il_1", "period": {"start": NOW, "end": NOW + 86_400}, "parent": parent} | changes


@pytest.mark.parametrize(
    ("line", "renews"),
    [(a_line(), True), (a_line(parent=None), False), (a_line(parent=None, subscription="sub_1"), True), (a_line(period=None), False)],
)
def test_the_short_way_tells_what_was_paid_beside_stripe_and_when_the_subscription_renews(line, renews):
    invoice = an_invoice(amount_paid_off_stripe=1500, created=NOW, lines={"object": "list", "data": [line]})
    event = an_event("invoice.paid", invoice)
    short = read(dumped(event))
    assert isinstance(short, InvoiceEvent)
    assert translate("acct_1", short, WALL) == translate("acct_1", event, WALL)
    [fact] = translate("acct_1", short, WALL)
    assert (fact.state.paid_off_stripe, fact.state.renews_at is not None) == (1500, renews)


@pytest.mark.parametrize(
    ("previous", "now", "switched_off"),
    [
        ({"auto_advance": True}, False, True),
        ({"auto_advance": True, "attempt_count": 0}, False, False),  # with Stripe's own last attempt
        ({"auto_advance": False}, True, False),
        ({"amount_due": 1}, False, False),
        (None, False, False),
    ],
)
def test_who_collects_is_told_by_both_ways(previous, now, switched_off):
    """B14."""
    data = {"object": an_invoice(auto_advance=now)} | ({"previous_attributes": previous} if previous else {})
    event = an_event("invoice.updated", data["object"], data=data)
    short = read(dumped(event))
    assert isinstance(short, InvoiceEvent)
    assert translate("acct_1", short, WALL) == translate("acct_1", event, WALL)
    assert translate("acct_1", short, WALL)[0].switched_off is switched_off


@pytest.mark.parametrize(
    "event",
    [
        an_event("invoice.paid", an_invoice(status=None)),
        an_event("invoice.paid", an_invoice(amount_due=1.0)),
        an_event("invoice.paid", an_invoice(amount_due=2**63)),
        an_event("invoice.paid", an_invoice(amount_due=True)),
        an_event("invoice.paid", an_invoice(created=253_402_300_800)),
        an_event("invoice.paid", an_invoice(parent="x")),
        an_event("invoice.paid", an_invoice(customer={"id": ""})),
        an_event("invoice.payment_failed", an_invoice(payment_intent=an_intent())),
        an_event("invoice.paid", an_invoice(), livemode=None),
        an_event("invoice.paid", an_invoice(), id=""),
        an_event("invoice.paid", an_invoice(), data={"object": an_invoice(), "previous_attributes": 5}),
        an_event("invoice.created", an_invoice()),
        an_event("charge.failed", a_charge()),
    ],
)
def test_what_the_short_way_does_not_know_is_read_as_plain_data(event):
    assert read(dumped(event)) == event


@given(at=st.integers(0, len(FAILED)), junk=st.binary(min_size=1, max_size=4), instead=st.integers(0, 3))
def test_what_is_not_json_in_utf8_is_not_read_either_way(at, junk, instead):
    body = FAILED[:at] + junk + FAILED[at + instead :]
    try:
        json.loads(body.decode())
    except ValueError:
        with pytest.raises((msgspec.DecodeError, UnicodeDecodeError, RecursionError)):
            read(body)


@pytest.mark.parametrize("junk", [b"\xff", b"\xed\xa0\x80", b"\xc0\x80", rb"\ud800", rb"\q", b"\x01"])
@pytest.mark.parametrize("place", [b"customer_name", b"Jo Payer"])
def test_text_that_is_passed_over_is_looked_at_all_the_same(junk, place):
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
        read(FAILED.replace(place, junk + place))

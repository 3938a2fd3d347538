"""The short way for invoice events gives what the long way gives, and leaves to it all that it does not know."""

import json
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.providers.stripe import translate
from producers.providers.stripe_invoices import INVOICE_FACTS, InvoiceEvent, invoice_event
from producers.webhook import read
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
NAMES = (*an_invoice(), *LATER, "default_payment_method", "default_source")
AMOUNTS = st.sampled_from([0, -1, 1, 4900, NOW, 253_402_300_799, 253_402_300_800, 2**63 - 1, 2**63, -(2**63), 1.0, 0.5])
PLAIN = st.none() | st.booleans() | AMOUNTS | st.sampled_from(["", "x", "sub_1", "invoice", "é"])
EXPANDED = st.sampled_from([{}, {"id": ""}, {"id": 5}, {"id": "cus_2"}, {"id": "sub_2", "object": "subscription"}, an_intent()])
DETAILS = st.fixed_dictionaries({}, optional={"subscription": PLAIN | EXPANDED})
PARENTS = st.fixed_dictionaries({}, optional={"subscription_details": PLAIN | DETAILS})
REQUESTS = st.fixed_dictionaries({}, optional={"id": PLAIN, "idempotency_key": PLAIN})
VALUES = PLAIN | EXPANDED | PARENTS | st.just([])
ENVELOPE = st.fixed_dictionaries(
    {},
    optional={
        "id": PLAIN,
        "created": PLAIN,
        "livemode": st.booleans() | PLAIN,
        "account": PLAIN,
        "request": REQUESTS | PLAIN,
        "data": st.fixed_dictionaries({}, optional={"object": VALUES, "previous_attributes": VALUES}) | PLAIN,
    },
)


@given(
    kind=st.sampled_from([*INVOICE_FACTS, "charge.failed", "invoice.created"]),
    version=st.sampled_from(VERSIONS),
    changes=st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=3),
    left_out=st.sets(st.sampled_from(NAMES), max_size=2),
    envelope=st.just({}) | ENVELOPE,
    previous=st.none() | VALUES,
)
def test_whatever_the_short_way_takes_becomes_the_same_fact_as_the_long_way(kind, version, changes, left_out, envelope, previous):
    invoice = {name: value for name, value in {**an_invoice(version), **changes}.items() if name not in left_out}
    data = {"object": invoice} | ({} if previous is None else {"previous_attributes": previous})
    body = dumped(an_event(kind, invoice, **{"data": data, **envelope}))
    short, long = invoice_event(body), json.loads(body)
    if short is not None:
        assert translate("acct_1", short, WALL) == translate("acct_1", long, WALL)
        assert [short.account, short.livemode, short.id, short.type] == [long.get(n) for n in ("account", "livemode", "id", "type")]


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

"""What the codec refuses, in words."""

import re

import pytest

from recovery.contracts.encoding.codec import Unprocessable, decode_fact, encode
from recovery.contracts.facts import InvoicePaid
from tests.support.stream_facts import START, header, invoice_state

FACT = InvoicePaid(id="evt", state=invoice_state("paid", START), **header(1, START))


def test_what_was_encoded_is_decoded() -> None:
    assert decode_fact(encode(FACT)) == FACT


def test_a_time_without_a_zone_is_refused() -> None:
    naive = re.sub(rb'"occurred_at":"([^"Z]+)Z"', rb'"occurred_at":"\1"', encode(FACT))
    with pytest.raises(Unprocessable, match="timezone"):
        decode_fact(naive)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "no body"),
        (b"", "cannot be read"),
        (b"\xff", "cannot be read"),
        (b'{"type":"unheard_of"}', "unheard_of"),
        (encode(FACT).replace(b'"version":1', b'"version":2'), "Version 2"),
        (encode(FACT).replace(b'"currency":"usd"', b'"currency":3'), "currency"),
    ],
)
def test_bytes_that_are_no_fact_are_refused_with_the_reason(value: bytes | None, reason: str) -> None:
    with pytest.raises(Unprocessable, match=reason):
        decode_fact(value)

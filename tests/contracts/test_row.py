"""A customer's state as bytes: it is read back exactly, the same state gives the same bytes, and other bytes are refused."""

import contextlib
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

from recovery.contracts.customer import CardAttempt, Case, Customer
from recovery.contracts.encoding import row_codec
from recovery.contracts.encoding.row_codec import NEVER, ROW_VERSION, decode_row, encode_row, stamp, stamp_of
from recovery.contracts.encoding.row_dictionary import WORDS_3
from recovery.ids import fingerprint

ROWS = Path(row_codec.__file__).parents[1] / "examples" / "rows"
NEW = (ROWS / "v3" / "customer.row").read_bytes()
AS_JSON = (ROWS / "customer.json").read_bytes()
DUE = datetime(2026, 4, 10, 18, 23, 22, 131129, tzinfo=UTC)


def test_the_example_is_read_with_all_its_fields() -> None:
    customer = decode_row(NEW)
    assert (customer.account, customer.customer, customer.next_due_at) == ("acct_1", "cus_1", DUE)
    case = customer.cases["in_2"]
    assert (case.currency, case.outstanding_minor, case.dunning_step, case.retry_with_new_method) == ("kwd", 12345, 3, True)
    assert case.charges == {"acct_1.in_2.charge.5": "", "acct_1.in_2.charge.9": ""}
    assert case.pending_effect is not None
    assert case.pending_effect.deadline == DUE
    assert case.decline is not None
    assert case.decline.decline_code == "generic_decline"
    assert customer.attempts[1] == CardAttempt("ch_3", datetime(2026, 3, 8, 9, tzinfo=UTC), "in_2", "fp_mc", "mastercard", False)
    assert customer.contact is not None
    assert customer.contact.consent["sms"].proof == "form 7"
    assert fingerprint("evt_first_in_2:pi") in customer.recent_fact_ids
    assert len(customer.recent_fact_ids) == 17


def test_the_example_holds_what_its_json_holds() -> None:
    assert decode_row(NEW) == msgspec.json.decode(AS_JSON, type=Customer)
    assert encode_row(decode_row(NEW)) == NEW
    assert stamp_of(NEW) == stamp(DUE)


def test_a_row_written_with_the_dictionary_is_a_third_of_its_json() -> None:
    assert len(NEW) * 3 < len(AS_JSON)


def test_the_dictionary_is_never_changed() -> None:
    assert sha256(WORDS_3).hexdigest() == "4186df1043b08b3669492465d743d90a90e75291d538e1c6e5c50097e8415ff6", (
        "rows on brokers could not be read any more; see row_dictionary.py"
    )


def test_a_case_field_that_came_later_has_its_default_and_an_unknown_one_is_no_harm() -> None:
    body = msgspec.msgpack.encode({"account": "a", "customer": "c", "from_tomorrow": 1})
    assert decode_row(row_codec.pack(body, NEVER)) == Customer(account="a", customer="c")


@pytest.mark.parametrize(
    "at",
    [None, datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=UTC), DUE, datetime(2026, 4, 10, 18, tzinfo=UTC), datetime.max.replace(tzinfo=UTC)],
)
def test_a_due_time_comes_back_exactly(at: datetime | None) -> None:
    customer = Customer(account="a", customer="c", next_due_at=at)
    assert decode_row(encode_row(customer)).next_due_at == at
    assert stamp_of(encode_row(customer)) == stamp(at)


def test_stamps_sort_as_times_do() -> None:
    times = [DUE + timedelta(microseconds=1) * step for step in (0, 1, 255, 256, 10**6, 10**12)]
    assert sorted(map(stamp, reversed(times))) == [stamp(time) for time in times]
    assert stamp(None) == NEVER


def test_times_keep_their_microseconds_wherever_they_stand() -> None:
    case = Case(invoice="in", opened_at=DUE, failed_at=DUE, last_failed_at=DUE + timedelta(microseconds=1))
    customer = Customer(account="a", customer="c", cases={"in": case}, recent_fact_ids=[0, 2**64 - 1])
    assert decode_row(encode_row(customer)) == customer


@pytest.mark.parametrize("read", [decode_row, stamp_of])
@pytest.mark.parametrize("first", [bytes([ROW_VERSION + 1]), bytes([ROW_VERSION - 1]), b"{"])
def test_a_row_of_another_version_is_refused(read, first) -> None:
    with pytest.raises(msgspec.DecodeError, match=f"reads version {ROW_VERSION} only"):
        read(first + NEW[1:])


def test_a_damaged_row_is_refused_or_read_but_ends_in_no_other_error() -> None:
    for place in range(9, len(NEW)):
        damaged = NEW[:place] + bytes([NEW[place] ^ 0x55]) + NEW[place + 1 :]
        with contextlib.suppress(msgspec.DecodeError):
            decode_row(damaged)


@pytest.mark.parametrize("broken", [NEW[:40], NEW[:9], NEW[:9] + b"\xff\xff\xff\xff" + NEW[13:], b"{", b'{"account":1}', b""])
def test_bytes_that_are_no_row_are_refused(broken: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_row(broken)

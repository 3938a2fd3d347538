"""The saved row as bytes: what was ever written can be read for ever, and the same row gives the same bytes."""

import contextlib
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

from recovery.contracts import row
from recovery.contracts.customer import Attempt, Case, Customer
from recovery.contracts.row import NEVER, ROW_VERSION, decode_row, encode_row, stamp, stamp_of
from recovery.contracts.row_words import WORDS_2
from recovery.ids import mark

ROWS = Path(row.__file__).parent / "examples" / "rows"
OLD, NEW = ((ROWS / version / "customer.row").read_bytes() for version in ("v1", "v2"))
WAKE = datetime(2026, 4, 10, 18, 23, 22, 131129, tzinfo=UTC)


def test_a_row_of_the_first_version_is_read_with_all_it_says() -> None:
    customer = decode_row(OLD)
    assert (customer.account, customer.customer, customer.wake) == ("acct_1", "cus_1", WAKE)
    case = customer.cases["in_2"]
    assert (case.currency, case.at_stake, case.dunning_step, case.fresh_method) == ("kwd", 12345, 3, True)
    assert case.charges == {"acct_1.in_2.charge.5": "", "acct_1.in_2.charge.9": ""}
    assert case.flight is not None
    assert case.flight.until == WAKE
    assert case.decline is not None
    assert case.decline.decline_code == "generic_decline"
    assert customer.attempts[1] == Attempt("ch_3", datetime(2026, 3, 8, 9, tzinfo=UTC), "in_2", "fp_mc", "mastercard", False)
    assert customer.contact is not None
    assert customer.contact.consent["sms"].proof == "form 7"
    assert mark("evt_first_in_2:pi") in customer.seen
    assert len(customer.seen) == 17


def test_a_row_of_each_version_wakes_at_the_same_time() -> None:
    assert stamp_of(OLD) == stamp_of(NEW) == stamp(WAKE)


def test_a_row_of_the_first_version_says_the_same_in_the_present_one() -> None:
    assert decode_row(NEW) == decode_row(OLD)
    assert decode_row(encode_row(decode_row(OLD))) == decode_row(OLD)


def test_a_row_written_with_the_dictionary_is_a_third_of_what_it_was() -> None:
    assert len(encode_row(decode_row(OLD))) * 3 < len(OLD)


def test_the_dictionary_is_never_changed() -> None:
    assert sha256(WORDS_2).hexdigest() == "b3676583612ced2bedee3435aa3c1db9a612dcae2aac846290254ca447e3ce06", (
        "rows on brokers could not be read any more; see row_words.py"
    )


def test_a_case_field_that_came_later_has_its_default_and_an_unknown_one_is_no_harm() -> None:
    body = msgspec.msgpack.encode({"account": "a", "customer": "c", "from_tomorrow": 1})
    assert decode_row(row.pack(body, NEVER)) == Customer(account="a", customer="c")


@pytest.mark.parametrize(
    "at",
    [None, datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=UTC), WAKE, datetime(2026, 4, 10, 18, tzinfo=UTC), datetime.max.replace(tzinfo=UTC)],
)
def test_a_wake_comes_back_exactly(at: datetime | None) -> None:
    customer = Customer(account="a", customer="c", wake=at)
    assert decode_row(encode_row(customer)).wake == at
    assert stamp_of(encode_row(customer)) == stamp(at)


def test_stamps_sort_as_times_do() -> None:
    times = [WAKE + timedelta(microseconds=1) * step for step in (0, 1, 255, 256, 10**6, 10**12)]
    assert sorted(map(stamp, reversed(times))) == [stamp(time) for time in times]
    assert stamp(None) == NEVER


def test_times_keep_their_microseconds_wherever_they_stand() -> None:
    case = Case(invoice="in", opened_at=WAKE, failed_at=WAKE, last_failed_at=WAKE + timedelta(microseconds=1))
    customer = Customer(account="a", customer="c", cases={"in": case}, seen=[0, 2**64 - 1])
    assert decode_row(encode_row(customer)) == customer


@pytest.mark.parametrize("read", [decode_row, stamp_of])
def test_a_row_of_a_newer_program_is_refused(read) -> None:
    with pytest.raises(msgspec.DecodeError, match="newer program"):
        read(bytes([ROW_VERSION + 1]) + NEW[1:])


def test_a_damaged_row_is_refused_or_read_but_ends_in_no_other_error() -> None:
    for place in range(9, len(NEW)):
        damaged = NEW[:place] + bytes([NEW[place] ^ 0x55]) + NEW[place + 1 :]
        with contextlib.suppress(msgspec.DecodeError):
            decode_row(damaged)


@pytest.mark.parametrize("broken", [NEW[:40], NEW[:9], NEW[:9] + b"\xff\xff\xff\xff" + NEW[13:], b"{", b'{"account":1}', b""])
def test_bytes_that_are_no_row_are_refused(broken: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_row(broken)

"""A customer's state as bytes.

The first byte is the version, 3. The next eight bytes are the time of the customer's next timer, so that it can be read without the rest.
Then follows the state in msgpack, compressed by LZ4 against a fixed dictionary (row_dictionary.py).
"""

from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
from lz4.block import LZ4BlockError, compress, decompress

from recovery.contracts.customer import Customer
from recovery.contracts.encoding.row_dictionary import WORDS_3

ROW_VERSION: Final = 3
"""The version that this program writes, and the only one that it reads."""
NEVER: Final = bytes(8)
"""The stamp of a row without a timer."""

_VERSION: Final = bytes([ROW_VERSION])
_BODY: Final = 1 + len(NEVER)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Customer)


def encode_row(customer: Customer) -> bytes:
    """The row as bytes; the same row always gives the same bytes."""
    return pack(_encoder.encode(customer), stamp(customer.next_due_at))


def decode_row(value: bytes) -> Customer:
    """The row in the bytes. Raises msgspec.DecodeError for bytes that are not a row, or a row of another version."""
    try:
        return _decoder.decode(unpack(value))
    except UnicodeDecodeError as error:
        raise msgspec.DecodeError(f"The row is damaged: {error}") from error


def stamp_of(value: bytes) -> bytes:
    """The time of the row's next timer, encoded by `stamp`. Reads the first nine bytes only. Raises msgspec.DecodeError."""
    if value[0] == ROW_VERSION:
        return value[1:_BODY]
    raise _unknown(value)


def stamp(at: datetime | None) -> bytes:
    """A time, exact to the microsecond, as eight bytes that sort as times do; NEVER for None. No time before 1970."""
    return NEVER if at is None else ((at - _EPOCH) // _MICROSECOND).to_bytes(8)


def pack(body: bytes, due: bytes) -> bytes:
    """The row of its msgpack bytes and its stamp."""
    return _VERSION + due + compress(body, mode="fast", dict=WORDS_3)  # type: ignore[no-any-return]  # lz4 is not typed


def unpack(value: bytes) -> bytes:
    """The msgpack bytes within a row of the present version. Raises msgspec.DecodeError."""
    if value[:1] != _VERSION:
        raise _unknown(value)
    try:
        return decompress(value[_BODY:], dict=WORDS_3)  # type: ignore[no-any-return]  # lz4 is not typed
    except (LZ4BlockError, ValueError) as error:
        raise msgspec.DecodeError(f"The row cannot be unpacked: {error}. It was not written by this program, or is damaged.") from error


def _unknown(value: bytes) -> msgspec.DecodeError:
    found = value[:1].hex() or "nothing"
    return msgspec.ValidationError(
        f"The row begins with the byte {found}; this program reads version {ROW_VERSION} only. Start the program that wrote it."
    )

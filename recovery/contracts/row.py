"""A customer's row as bytes. The first byte tells the version; rows of an older version are brought up when they are read.

Version 2: the byte 2; eight bytes that tell when the row wants to be looked at, to be read without the rest; then the row in msgpack,
compressed by LZ4 against a fixed dictionary (row_words.py). Version 1, of program 0.1.0: JSON, whose first byte is a brace.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from lz4.block import LZ4BlockError, compress, decompress

from recovery.contracts.customer import Customer
from recovery.contracts.row_words import WORDS_2
from recovery.ids import mark

ROW_VERSION: Final = 2
"""The version that this program writes."""
NEVER: Final = bytes(8)
"""The stamp of a row that does not want to be looked at again."""

_VERSION: Final = bytes([ROW_VERSION])
_BRACE: Final = ord("{")
_BODY: Final = 1 + len(NEVER)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Customer)


class _Wake(msgspec.Struct):
    wake: datetime | None = None


_wake_1 = msgspec.json.Decoder(_Wake)


def encode_row(customer: Customer) -> bytes:
    """The row as bytes; the same row always gives the same bytes."""
    return pack(_encoder.encode(customer), stamp(customer.wake))


def decode_row(value: bytes) -> Customer:
    """The row in the bytes. Raises msgspec.DecodeError for bytes that are no row or of a version this program does not know."""
    if value[:1] == b"{":
        return _of_version_1(value)
    try:
        return _decoder.decode(unpack(value))
    except UnicodeDecodeError as error:
        raise msgspec.DecodeError(f"The row is damaged: {error}") from error


def stamp_of(value: bytes) -> bytes:
    """When the row in the bytes wants to be looked at, as `stamp` tells it; reads only the beginning. Raises msgspec.DecodeError."""
    if value[0] == ROW_VERSION:
        return value[1:_BODY]
    if value[0] == _BRACE:
        return stamp(_wake_1.decode(value).wake)
    raise _unknown(value)


def stamp(at: datetime | None) -> bytes:
    """A time, exact to the microsecond, as eight bytes that sort as times do; NEVER for None. No time before 1970."""
    return NEVER if at is None else ((at - _EPOCH) // _MICROSECOND).to_bytes(8)


def pack(body: bytes, wake: bytes) -> bytes:
    """A row of its msgpack bytes and its stamp."""
    return _VERSION + wake + compress(body, mode="fast", dict=WORDS_2)  # type: ignore[no-any-return]  # lz4 is not typed


def unpack(value: bytes) -> bytes:
    """The msgpack bytes within a row of the present version. Raises msgspec.DecodeError."""
    if value[:1] != _VERSION:
        raise _unknown(value)
    try:
        return decompress(value[_BODY:], dict=WORDS_2)  # type: ignore[no-any-return]  # lz4 is not typed
    except (LZ4BlockError, ValueError) as error:
        raise msgspec.DecodeError(f"The row cannot be unpacked: {error}. It was not written by this program, or is damaged.") from error


def _of_version_1(value: bytes) -> Customer:
    """Version 1 remembered facts by their whole ids."""
    row: dict[str, Any] = msgspec.json.decode(value)
    row["seen"] = [mark(fact) for fact in row.get("seen", ())]
    return msgspec.convert(row, Customer)


def _unknown(value: bytes) -> msgspec.DecodeError:
    return msgspec.ValidationError(
        f"The row begins with {value[:1]!r}; this program reads versions 1 and {ROW_VERSION}. Start the newer program that wrote it."
    )

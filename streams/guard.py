"""The only `try` around a handler. Three exits: done, parked with raw bytes and reason, or stopped when nearly everything fails."""

import logging
from collections.abc import Callable
from datetime import datetime

import msgspec

from recovery.contracts.codec import Unprocessable, encode
from recovery.contracts.events import Event
from recovery.contracts.parked import Parked
from recovery.contracts.topics import EVENTS, FACTS, PARKED_STREAMS
from recovery.ids import event_id
from streams.leaving import STAY_DOWN, leave
from streams.shard import Record, Shard

log = logging.getLogger(__name__)

FAILURES_IN_A_ROW = 200
ACCOUNTS_AMONG_THEM = 3
"""So many failures without a success between them, of so many accounts, mean that the program is wrong and not the input."""


class _Peek(msgspec.Struct):
    """What can still be told of a fact that cannot be decoded."""

    id: str = ""
    account: str = ""
    customer: str = ""
    invoice: str = ""
    type: str = ""
    trace: str = ""


class Guard:
    """Runs a piece of work that must not write anything before it can no longer fail; parks the message when it does fail."""

    def __init__(self, stop: Callable[[int, str], object] = leave) -> None:
        """`stop(exit code, reason)` is called when too many fail in a row and is not expected to return."""
        self._stop = stop
        self._failed = 0
        self._accounts: set[str] = set()

    def run(self, work: Callable[[], None], park: Callable[[Exception], str]) -> None:
        """Do the work; on any failure `park` writes the message with its reason and answers the account it was about."""
        try:
            work()
        except Exception as error:
            if not isinstance(error, Unprocessable):
                log.exception("a fact could not be applied; it is parked")
            self._count(park(error), error)
        else:
            self._failed = 0

    def _count(self, account: str, error: Exception) -> None:
        self._failed += 1
        self._accounts = {account} if self._failed == 1 else self._accounts | {account}
        if self._failed >= FAILURES_IN_A_ROW and len(self._accounts) >= ACCOUNTS_AMONG_THEM:
            reason = (
                f"{self._failed} facts in a row, of {len(self._accounts)} accounts, could not be applied; the last one because: {error}. "
                "Nothing is lost: they were not committed. Start the version that worked before, or mend this one, then start again."
            )
            self._stop(STAY_DOWN, reason)


def park_record(shard: Shard, record: Record, error: Exception, now: datetime) -> str:
    """Write the message to `parked.streams` and the event that tells of it. Answers the account, as far as it can be told."""
    value, peek = record.value or b"", _peek(record.value)
    _park(shard, record.key or b"", FACTS.name, record.offset, value, error, now, peek.trace)
    event = Event(
        id=event_id(shard.number, record.offset, 0),
        event_type="fact_parked",
        account=peek.account,
        customer=peek.customer,
        occurred_at=now,
        received_at=now,
        cause=peek.id,
        cause_type=peek.type,
        trace=peek.trace,
        reason=reason_of(error),
        details={"invoice": peek.invoice},
    )
    shard.emit(EVENTS.name, record.key, encode(event))
    return peek.account


def park_row(shard: Shard, key: bytes, row: bytes, tick: Record, error: Exception, now: datetime) -> str:
    """Write a row whose timer failed to `parked.streams`; the row itself stays. Answers its account."""
    _park(shard, key, shard.names.changelog, tick.offset, row, error, now, "")
    return key.split(b"/")[0].decode(errors="replace")


def reason_of(error: Exception) -> str:
    """The reason in a line: our own words for what cannot be read, the kind and text of any other error."""
    return str(error) if isinstance(error, Unprocessable) else f"{type(error).__name__}: {error}"


def _park(shard: Shard, key: bytes, topic: str, offset: int, value: bytes, error: Exception, now: datetime, trace: str) -> None:
    parked = Parked(
        stage="streams",
        topic=topic,
        partition=shard.number,
        offset=offset,
        key=key,
        value=value,
        why=reason_of(error),
        error=type(error).__name__,
        at=now,
        trace=trace,
        again=FACTS.name,
    )
    shard.emit(PARKED_STREAMS.name, key, encode(parked))


def _peek(value: bytes | None) -> _Peek:
    try:
        return msgspec.json.decode(value or b"", type=_Peek)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _Peek()

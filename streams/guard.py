"""The only `try` around a handler. Three exits: done, parked with raw bytes and reason, or stopped when nearly every account fails."""

import logging
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final

import msgspec

from recovery.contracts.dead_letters import DeadLetter
from recovery.contracts.encoding.codec import Unprocessable, encode
from recovery.contracts.events import Event
from recovery.contracts.limit_checks import most_bytes, printable
from recovery.contracts.limits import ID_LENGTH, KEY_BYTES, TEXT_LENGTH
from recovery.contracts.topics import EVENTS, FACTS, PARKED_STREAMS
from recovery.ids import event_id
from streams.process_exit import EXIT_DO_NOT_RESTART
from streams.transactional_shard import Record, Shard

log = logging.getLogger(__name__)

FAILURES_OF_AN_ACCOUNT: Final = 3
"""So many failures of an account without a success between them, and the account counts as failing."""
FAILING_SHARE: Final = 0.9
FAILING_ACCOUNTS: Final = 20
"""When so large a share of all accounts seen, and no fewer than so many, are failing, the program is wrong and not the input. A few
accounts can never stop the worker, however much they send: what fails of theirs is dead-lettered, message by message."""
ACCOUNTS_REMEMBERED: Final = 10_000
"""The accounts seen last; the one that was silent for longest is forgotten first."""


class _Peek(msgspec.Struct):
    """The readable part of a fact that cannot be decoded."""

    id: str = ""
    account: str = ""
    customer: str = ""
    invoice: str = ""
    type: str = ""
    trace: str = ""


class Guard:
    """Runs a piece of work that must not write anything before it can no longer fail; parks the message when it does fail."""

    def __init__(self, stop: Callable[[int, str], object] | None = None) -> None:
        """`stop(exit code, reason)` is called once, when nearly all accounts fail. The worker leaves by `leaving`, after a commit."""
        self._stop = stop
        self._failures: dict[str, int] = {}  # by account, the one heard of last at the end: failures since its last success
        self._failing = 0
        self.leaving: tuple[int, str] | None = None
        """Exit code and reason once nearly all accounts fail; what is dead-lettered must be committed before the worker leaves."""

    def know(self, accounts: Iterable[str]) -> None:
        """Count these accounts among all, though they have sent nothing yet: the first account that fails must not count as every
        account."""
        for account in accounts:
            self._failures.setdefault(account, 0)
            self._forget()

    def run(self, work: Callable[[], str], park: Callable[[Exception], str]) -> None:
        """Do the work; on any failure `park` writes the message with its reason. Each answers the account that it was about."""
        try:
            account = work()
        except Exception as error:
            if not isinstance(error, Unprocessable):
                log.exception("a fact could not be applied; it is parked")
            self._failed(park(error), error)
        else:
            self._succeeded(account)

    def _succeeded(self, account: str) -> None:
        if not account:  # the time is no account's
            return
        if self._failures.pop(account, 0) >= FAILURES_OF_AN_ACCOUNT:
            self._failing -= 1
        self._failures[account] = 0
        self._forget()

    def _failed(self, account: str, error: Exception) -> None:
        failures = self._failures[account] = self._failures.pop(account, 0) + 1
        self._failing += failures == FAILURES_OF_AN_ACCOUNT
        self._forget()
        if self.leaving is None and self._failing >= max(FAILING_ACCOUNTS, FAILING_SHARE * len(self._failures)):
            reason = (
                f"The facts of {self._failing} of {len(self._failures)} accounts cannot be applied, the last one because: "
                f"{reason_of(error)}. "
                "Nothing is lost: they are dead-lettered on parked.streams. Start the version that worked before, or correct this one, "
                "then put them back with `dunlin parked replay`."
            )
            self.leaving = (EXIT_DO_NOT_RESTART, reason)
            if self._stop is not None:
                self._stop(*self.leaving)

    def _forget(self) -> None:
        if len(self._failures) > ACCOUNTS_REMEMBERED:
            self._failing -= self._failures.pop(next(iter(self._failures))) >= FAILURES_OF_AN_ACCOUNT


def park_record(shard: Shard, record: Record, error: Exception, now: datetime) -> str:
    """Dead-letter a fact, with an event where its account is known. Returns the account, empty when it is not known."""
    peek, key = _peek(record.value), record.key and record.key[:KEY_BYTES]
    about = msgspec.structs.replace(peek, account=peek.account or _account_of(key))
    _park(shard, key, FACTS.name, record.offset, record.value or b"", error, now, about, 0, {"invoice": peek.invoice})
    return about.account


def park_row(shard: Shard, key: bytes, row: bytes, tick: Record, error: Exception, now: datetime, index: int) -> str:
    """Dead-letter a row whose timer failed, with an event; the row itself stays. Returns its account.

    `index` is the number of the event among those of the tick.
    """
    account, _, customer = (part.decode(errors="replace") for part in key.partition(b"/"))
    about = _Peek(account=account, customer=_within(customer, most_bytes("customer")), type="time_passed")
    _park(shard, key, shard.names.changelog, tick.offset, row, error, now, about, index, {"timer": "stopped"})
    return account


def reason_of(error: Exception) -> str:
    """The reason in a line: our own words for what cannot be read, the kind and text of any other error. It is cut and printable."""
    text = str(error)[:TEXT_LENGTH]
    return printable(text if isinstance(error, Unprocessable) else f"{type(error).__name__}: {text}"[:TEXT_LENGTH])


def _park(
    shard: Shard,
    key: bytes | None,
    topic: str,
    offset: int,
    value: bytes,
    error: Exception,
    now: datetime,
    about: _Peek,
    index: int,
    details: dict[str, str],
) -> None:
    """Write the dead letter, and the event that records it; an event without an account would be a row that no merchant may read."""
    parked = DeadLetter(
        stage="streams",
        topic=topic,
        partition=shard.number,
        offset=offset,
        key=key or b"",
        value=value,
        why=reason_of(error),
        error=type(error).__name__,
        at=now,
        trace=about.trace,
        replay_topic=FACTS.name,
    )
    shard.emit(PARKED_STREAMS.name, key or b"", encode(parked))
    if not about.account:
        log.warning("a fact without an account is dead-lettered: %s", parked.why)
        return
    event = Event(
        id=event_id(shard.number, offset, index),
        event_type="fact_parked",
        account=about.account,
        customer=about.customer,
        occurred_at=now,
        received_at=now,
        cause=about.id,
        cause_type=about.type,
        trace=about.trace,
        reason=parked.why,
        details=details,
    )
    shard.emit(EVENTS.name, key, encode(event))


def _peek(value: bytes | None) -> _Peek:
    """The readable part of a fact, within the limits: the event made of it must be one that can be written."""
    try:
        peek = msgspec.json.decode(value or b"", type=_Peek)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Peek()
    return _Peek(**{name: _within(getattr(peek, name), most_bytes(name)) for name in _Peek.__struct_fields__})


def _account_of(key: bytes | None) -> str:
    """The account that a key names before its first slash, for an unreadable fact; its event then belongs to that account."""
    named, slash, _ = (key or b"").partition(b"/")
    return _within(named.decode(errors="replace"), ID_LENGTH) if slash else ""


def _within(text: str, most: int) -> str:
    return text if len(text.encode(errors="replace")) <= most and text.isprintable() else ""

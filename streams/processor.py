"""The work of one shard: gather the row, let the pure core decide, apply what it returned. Sole writer of the rows."""

import logging
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

import msgspec

from recovery.contracts.customer import Account
from recovery.contracts.effects import Effect
from recovery.contracts.encoding.codec import Unprocessable, decode_fact, encode
from recovery.contracts.encoding.row_codec import NEVER, decode_row, encode_row, stamp_of
from recovery.contracts.events import OUTCOME_TYPES, Event
from recovery.contracts.facts import Fact, PauseSet, PolicyPublished, TimePassed
from recovery.contracts.limits import KEY_BYTES, MESSAGE_BYTES, ROW_BYTES, TICK_STEP
from recovery.contracts.topics import EVENTS, OUTCOMES, topic_of
from recovery.decide.advance import Step, advance
from recovery.decide.handlers.account import account_changed
from recovery.ids import event_id, stream_key
from streams.clocks import check_clock, on_time
from streams.guard import Guard, park_record, park_row
from streams.timers import Timers
from streams.transactional_shard import Record, Shard

log = logging.getLogger(__name__)
ACCOUNT_ROW: Final = b"\0account:"
NOW_ROW: Final = b"\0now"
HELD_ROW: Final = b"\0held"
"""Keeps a tick that is too far ahead of the one before, until the next one confirms or contradicts it."""
EVERYBODY: Final = "*"
"""The account of a switch that holds for all."""
RESERVED_BYTES: Final = 100_000
"""Of a row: what no new case may take."""
LARGEST_ROW: Final = 990_000
"""Bytes that a changelog of any age takes."""
ROWS_PER_TICK: Final = 2_000
"""The most due customers that one tick runs, so that a burst becomes several transactions."""


class ShardProcessor:
    """Works through the facts of one shard. `now` is the last TimePassed; rows keep everything else."""

    def __init__(self, shard: Shard, guard: Guard) -> None:
        """Load what follows from the rows: timers, accounts, the time."""
        self._shard, self._guard = shard, guard
        self._accounts: dict[str, Account] = {}
        self._timers = Timers(self._wake)
        self._timers.load((wake, key) for key, row in shard.rows.items() if key[:1] != b"\0" and (wake := stamp_of(row)) != NEVER)
        guard.know(key[len(ACCOUNT_ROW) :].decode() for key in shard.rows if key.startswith(ACCOUNT_ROW) and not key.endswith(b":*"))
        stored = shard.get(NOW_ROW)
        self._now: datetime | None = msgspec.json.decode(stored, type=datetime) if stored else None
        held = shard.get(HELD_ROW)
        self._held: datetime | None = msgspec.json.decode(held, type=datetime) if held else None

    @property
    def timer_count(self) -> int:
        """Timers in the heap, stale ones included."""
        return len(self._timers)

    @property
    def leaving(self) -> tuple[int, str] | None:
        """Exit code and reason when the worker must leave after the next commit, since nearly every account fails."""
        return self._guard.leaving

    def process(self, record: Record) -> None:
        """Apply one record of `facts`, or park it; never raises for its content."""
        self._guard.run(
            partial(self._fact, record),
            lambda error: park_record(self._shard, record, error, self._present(record)),
        )

    def keep_time(self) -> None:
        """Write the time beside the rows, so that a restart decides with the same `now`. Called before a batch that wrote is saved."""
        if self._now is not None:
            self._shard.put(NOW_ROW, msgspec.json.encode(self._now))

    def _fact(self, record: Record) -> str:
        """Apply a fact. Returns the account that it is about, nothing for the time. Raises before anything is written."""
        fact = on_time(record, decode_fact(record.value))
        if record.key is not None and len(record.key) > KEY_BYTES:
            raise Unprocessable(f"The key has {len(record.key):,} bytes; at most {KEY_BYTES:,} are read.")
        if isinstance(fact, TimePassed):
            self._tick(record, fact)
            return ""
        if isinstance(fact, PolicyPublished | PauseSet):
            self._account_changed(record, fact)
        else:
            key = record.key or stream_key(fact.account, fact.customer)
            self._advance(record, key, self._shard.get(key), fact, 0)
        return fact.account

    def _tick(self, record: Record, fact: TimePassed) -> None:
        """Let time pass, unless the tick is one that a wrong clock would send. Raises Unprocessable."""
        check_clock(record, fact)
        if self._is_held(fact.occurred_at):
            return
        self._now = max(self._now or fact.occurred_at, fact.occurred_at)
        index = 0
        for key in self._timers.due(self._now, ROWS_PER_TICK):
            row = self._shard.rows[key]
            written: list[int] = []
            self._guard.run(
                partial(self._run_due, record, key, row, fact, index, written),
                partial(self._park_row, record, key, row, index, written),
            )
            index += sum(written)

    def _is_held(self, at: datetime) -> bool:
        """Whether a tick is so far ahead of the last one that the next must confirm it: a clock that jumped once is corrected before.

        After a pause of the whole installation the first tick is held, and the second, which agrees with it, is taken.
        """
        ahead = self._now is not None and at > self._now + TICK_STEP
        confirmed = self._held is not None and self._held <= at <= self._held + TICK_STEP
        held = at if ahead and not confirmed else None
        if held != self._held:
            self._shard.put(HELD_ROW, msgspec.json.encode(held) if held is not None else None)
        if held is not None:
            log.error("a tick says %s, but the one before said %s: it is held until the next one confirms it", at, self._now)
        elif self._held is not None and not confirmed:
            log.error("the tick of %s was wrong: the next one is of %s; check the clocks of the tickers", self._held, at)
        self._held = held
        return held is not None

    def _run_due(self, record: Record, key: bytes, row: bytes, fact: TimePassed, index: int, written: list[int]) -> str:
        account = key.split(b"/")[0].decode()
        scoped = msgspec.structs.replace(fact, account=account)
        written.append(self._advance(record, key, row, scoped, index, due=True))
        return account

    def _park_row(self, record: Record, key: bytes, row: bytes, index: int, written: list[int], error: Exception) -> str:
        account = park_row(self._shard, key, row, record, error, self._present(record), index)
        written.append(1)
        try:
            customer = decode_row(row)
        except msgspec.DecodeError:
            return account  # it was taken off the timers, so that only a restart asks it again
        customer.next_due_at = None
        self._shard.put(key, encode_row(customer))
        return account

    def _advance(self, record: Record, key: bytes, row: bytes | None, fact: Fact, index: int, *, due: bool = False) -> int:
        customer = decode_row(row) if row is not None else None
        before = stamp_of(row) if row is not None else NEVER
        cases = len(customer.cases) if customer is not None else 0
        step = advance(customer, fact, self._now or fact.occurred_at, self._account(fact.account))
        if step.customer is None:
            changed = None
        else:
            changed = encode_row(step.customer)
            check_row(len(changed), len(row or b""), len(step.customer.cases), cases)
        return self._apply(record, key, changed, step, index, due, before)

    def _apply(self, record: Record, key: bytes, row: bytes | None, step: Step, index: int, due: bool, before: bytes) -> int:
        """Encode everything and check its size first: after the first write nothing may fail. Raises Unprocessable."""
        outputs = self._outputs(record, step.events, step.effects, index)
        self._shard.put(key, row)
        if row is not None:
            self._reschedule(key, stamp_of(row), due, before)
        for topic, value in outputs:
            self._shard.emit(topic, key, value)
        return len(step.events)

    def _reschedule(self, key: bytes, wake: bytes, due: bool, before: bytes) -> None:
        if wake != NEVER and (due or wake != before):
            self._timers.set(key, wake)

    def _outputs(self, record: Record, events: list[Event], effects: list[Effect], index: int) -> list[tuple[str, bytes]]:
        outputs: list[tuple[str, bytes]] = []
        for number, event in enumerate(events, index):
            event.id = event_id(self._shard.number, record.offset, number)
            value = _within(encode(event), event.event_type)
            outputs.append((EVENTS.name, value))
            if event.event_type in OUTCOME_TYPES:
                outputs.append((OUTCOMES.name, value))
        outputs += [(topic_of(effect), _within(encode(effect), type(effect).__name__)) for effect in effects]
        return outputs

    def _account_changed(self, record: Record, fact: PolicyPublished | PauseSet) -> None:
        account, events = account_changed(self._stored(fact.account), fact)
        outputs, value = self._outputs(record, events, [], 0), encode(account)
        self._accounts.clear()  # a switch for everybody changes them all
        self._shard.put(ACCOUNT_ROW + fact.account.encode(), value)
        for topic, output in outputs:
            self._shard.emit(topic, record.key, output)

    def _account(self, name: str) -> Account:
        """What holds for an account: its own policy and switch, and the switch for everybody."""
        known = self._accounts.get(name)
        if known is None:
            known = self._stored(name)
            known.paused = known.paused or self._stored(EVERYBODY).paused
            self._accounts[name] = known
        return known

    def _stored(self, name: str) -> Account:
        row = self._shard.get(ACCOUNT_ROW + name.encode())
        return msgspec.json.decode(row, type=Account) if row else Account()

    def _wake(self, key: bytes) -> bytes:
        row = self._shard.get(key)
        return stamp_of(row) if row is not None else NEVER

    def _present(self, record: Record) -> datetime:
        return self._now or datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=record.timestamp)


def check_row(size: int, before: int, cases: int, cases_before: int) -> None:
    """Raise Unprocessable when a row is too large: one that grows by a case leaves room for what becomes of those that it has.

    A row that is beyond the limit already, of another version, may change as long as it does not grow.
    """
    most = ROW_BYTES - RESERVED_BYTES if cases > cases_before else ROW_BYTES
    if size > most and not size <= before <= LARGEST_ROW:
        raise Unprocessable(f"The customer's row would have {size:,} bytes with {cases:,} invoices; at most {most:,} are kept.")


def _within(value: bytes, what: str) -> bytes:
    if len(value) > MESSAGE_BYTES:
        raise Unprocessable(f"It would lead to a message ({what}) of {len(value):,} bytes; at most {MESSAGE_BYTES:,} are sent.")
    return value

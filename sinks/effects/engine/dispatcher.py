"""Runs due effects on worker pools and stores their outcomes in the ledger.

One thread owns the ledger's bookkeeping, so it is written in batches; only a claim is written by the worker that acts.
"""

import logging
import queue
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import msgspec
from sqlalchemy import ColumnElement

from recovery.adapters.logs import scrub
from recovery.contracts.dead_letters import DeadLetter
from recovery.contracts.effects import Effect
from recovery.contracts.encoding.codec import Unprocessable, decode_effect, encode
from recovery.contracts.facts import Fact
from recovery.contracts.limits import TEXT_LENGTH
from recovery.contracts.topics import FACTS, PARKED_SINKS, REDRIVE_SINKS
from recovery.ids import stream_key
from sinks.effects.engine.ledger import Arrival, EffectRow, Ledger, Outgoing, Requeue, Unfinished
from sinks.effects.engine.queue import ROOM, EffectQueue, Queue, QueuedEffect, refer_to
from sinks.effects.engine.redrive import redrive_headers
from sinks.effects.engine.worker_pools import UNKNOWN, WORK, WORKERS, Lane, work
from sinks.effects.performer import (
    Claim,
    ClaimRefused,
    Clocks,
    Crashed,
    EffectRun,
    InDoubt,
    Outcome,
    Performer,
    RetryLater,
    Settled,
    not_performed,
    pause_before,
)
from sinks.effects.stripe.client import EffectsStripeClient

log = logging.getLogger(__name__)
GIVE_UP_AFTER = 5
"""Tries of a performer that fails in a way it does not know, before the effect is parked and its case goes on."""
PAUSED = "account_paused"
UNKNOWN_PAUSE = 0.2
"""Wall seconds until an account is checked again whose pause is unknown."""


class Finished(msgspec.Struct, frozen=True):
    """A worker's answer about a row."""

    ticket: QueuedEffect
    row: EffectRow
    effect: Effect
    answer: Outcome | None


class Dispatcher:
    """Performs what waits, by performers per kind of effect. `close` lets what is in work end first.

    `paused(account)` answers None while that is not known: what a switch can stop is then neither begun nor answered.
    """

    def __init__(
        self,
        ledger: Ledger,
        performers: Mapping[str, Performer],
        stripe: EffectsStripeClient,
        clocks: Clocks,
        paused: Callable[[str], bool | None],
        room: int = ROOM,
    ) -> None:
        self._ledger, self._performers, self._stripe, self._clocks, self._paused = ledger, performers, stripe, clocks, paused
        self._waiting = EffectQueue(room)
        self._pools = {lane: ThreadPoolExecutor(number, thread_name_prefix=lane) for lane, number in WORKERS.items()}
        self._in_work: dict[Lane, int] = dict.fromkeys(WORKERS, 0)
        self._done: queue.SimpleQueue[Finished] = queue.SimpleQueue()

    @property
    def in_work(self) -> int:
        """How many effects are being performed."""
        return sum(self._in_work.values())

    def __len__(self) -> int:
        """How many effects are not settled."""
        return len(self._waiting)

    def add(self, arrivals: Iterable[Arrival]) -> None:
        """Queue effects that the ledger has received."""
        self._waiting.add(refer_to(one.id, one.account, one.customer, one.kind) for one in arrivals)

    def restore(self, rows: Iterable[Unfinished]) -> None:
        """Queue what a former process left, each for the time that was set for it."""
        for row in rows:
            self._waiting.add_later(refer_to(row.id, row.account, row.customer, row.kind), row.next_try_at)

    def withdrawn(self, effects: Collection[str]) -> None:
        """Withdrawals of these effects are stored: those that wait for a later time are answered now."""
        self._waiting.wake(effects)
        for row in self._ledger.rows(self._waiting.unknown(effects)):
            self._waiting.add_now(refer_to(row.id, row.account, row.customer, row.kind))

    def account_paused(self) -> None:
        """Another account is paused: what waits for a later time and must not be done any more is answered now."""
        self._waiting.wake_where(lambda ticket: work(ticket.kind).stopped_by_switch and bool(self._paused(ticket.serial_key[0])))

    def start(self) -> int:
        """Give due effects to idle workers. Returns how many. What must not be begun any more is settled here."""
        started = 0
        for short, limit in self._waiting.short(self._clocks.wall().timestamp()):
            self._refill(short, limit)
        for lane, size in WORKERS.items():
            now = self._clocks.wall().timestamp()
            tickets = self._waiting.take(lane, size - self._in_work[lane], now, self._hold)
            started += self._start(lane, tickets) if tickets else 0
        return started

    def collect(self, seconds: float = 0.0) -> int:
        """Write down what workers have answered since the last call, waiting up to `seconds` for the first. Returns how many."""
        finished: list[Finished] = []
        try:
            finished.append(self._done.get(timeout=seconds) if seconds > 0 else self._done.get_nowait())
            while True:
                finished.append(self._done.get_nowait())
        except queue.Empty:
            pass
        if finished:
            self._write_down(finished)
        return len(finished)

    def close(self) -> None:
        """Let the workers end what they do and write down their answers."""
        for pool in self._pools.values():
            pool.shutdown(wait=True, cancel_futures=True)
        self.collect()

    def _refill(self, short: Queue, limit: int) -> None:
        lane, account = short
        rows = self._ledger.first_of(account, lambda kind: kinds_of(lane, kind), limit)
        first = [(refer_to(row.id, row.account, row.customer, row.kind), row.next_try_at) for row in rows]
        self._waiting.refill(short, first, limit, self._clocks.wall().timestamp())

    def _hold(self, ticket: QueuedEffect) -> float:
        kind, account = work(ticket.kind), ticket.serial_key[0]
        if kind.stopped_by_switch and self._paused(account) is None:
            return UNKNOWN_PAUSE
        return self._stripe.wait(account) if kind.uses_stripe else 0.0

    def _start(self, lane: Lane, tickets: list[QueuedEffect]) -> int:
        wanted = [ticket.effect for ticket in tickets]
        rows = {row.id: row for row in self._ledger.rows(wanted)}
        withdrawn = self._ledger.withdrawn(wanted)
        for ticket in tickets:
            row = rows.get(ticket.effect)
            effect = None if row is None else _readable(row)
            if row is None or effect is None:  # settled meanwhile, or nothing that this program can read
                self._waiting.finish(ticket)
                continue
            self._in_work[lane] += 1
            self._pools[lane].submit(self._perform, ticket, row, effect, withdrawn.get(ticket.effect))
        return len(tickets)

    def _perform(self, ticket: QueuedEffect, row: EffectRow, effect: Effect, withdrawn: str | None) -> None:
        """In a worker: whatever happens, one Finished comes of it."""
        claimed = False

        def claim() -> datetime:
            nonlocal claimed
            if work(row.kind).stopped_by_switch and self._paused(row.account) is not False:
                raise ClaimRefused(row.id)
            business = self._clocks.business()
            since = self._ledger.claim(row.id, self._clocks.wall().timestamp(), business.timestamp())
            if since is None:
                raise ClaimRefused(row.id)
            claimed = True
            return datetime.fromtimestamp(since, UTC)

        answer: Outcome | None
        try:
            answer = self._run(effect, row, withdrawn, claim)
        except ClaimRefused:
            answer = None
        except Exception as error:  # a performer must never take the others down; the failure is counted and parked
            log.exception("effect %s failed (try %d)", row.id, row.tries + 1)
            answer = Crashed(scrub(f"{type(error).__name__}: {error}"), claimed or row.state == "doubt")
        self._done.put(Finished(ticket, row, effect, answer))

    def _run(self, effect: Effect, row: EffectRow, withdrawn: str | None, claim: Claim) -> Outcome:
        forbidden = "withdrawn" if withdrawn is not None else PAUSED if self._stopped(row) else ""
        if row.state == "waiting" and forbidden:
            return Settled(not_performed(effect, forbidden, self._clocks))
        if row.state == "waiting" and self._clocks.business() > effect.not_after and not work(row.kind).handles_expiry:
            return Settled(not_performed(effect, "expired", self._clocks))
        since = None if row.state == "waiting" else row.claimed_business or row.not_after
        return self._performers[row.kind](
            EffectRun(
                effect=effect,
                claim=claim,
                possibly_done_since=None if since is None else datetime.fromtimestamp(since, UTC),
                in_doubt_count=row.doubts,
                attempt=row.tries,
                withdrawn=forbidden,
            )
        )

    def _stopped(self, row: EffectRow) -> bool:
        return work(row.kind).stopped_by_switch and bool(self._paused(row.account))

    def _write_down(self, finished: list[Finished]) -> None:
        outcomes: list[Outgoing] = []
        beside: dict[str, Outgoing] = {}
        back: list[Requeue] = []
        for one in finished:
            self._in_work[one.ticket.lane] -= 1
            if isinstance(one.answer, Settled):
                outcomes.append(outgoing(one.effect, one.answer.fact, one.row.reopened))
                beside.update((fact.id, _beside(fact)) for fact in one.answer.also)
                log.info("effect %s: %s", one.row.id, _in_words(one.answer.fact))
            elif isinstance(one.answer, Crashed) and one.row.failures + 1 >= GIVE_UP_AFTER:
                outcomes.append(outgoing(one.effect, self._given_up(one.effect, one.answer), one.row.reopened))
                beside[one.row.id] = self._parked(one.row, one.answer)
            else:
                back.append(self._put_back(one))
        if back:
            self._ledger.requeue(back)
        if outcomes:
            self._ledger.settle(outcomes, list(beside.values()), self._clocks.wall().timestamp())
        times = {one.id: one.at for one in back}
        for one in finished:
            if one.row.id in times:
                self._waiting.retry(one.ticket, times[one.row.id])
            else:
                self._waiting.finish(one.ticket)

    def _put_back(self, one: Finished) -> Requeue:
        answer, now = one.answer, self._clocks.wall().timestamp()
        if answer is None:  # withdrawn or paused between the look and the claim; the next round answers so
            return Requeue(id=one.row.id, in_doubt=one.row.state == "doubt", at=now, why="withdrawn or paused meanwhile")
        in_doubt = isinstance(answer, InDoubt) or (isinstance(answer, Crashed) and answer.in_doubt)
        why = scrub(answer.why) if isinstance(answer, RetryLater | InDoubt | Crashed) else ""
        log.info("effect %s waits (%s, try %d): %s", one.row.id, "in doubt" if in_doubt else "not done", one.row.tries + 1, why)
        pause = (answer.after if isinstance(answer, RetryLater) else 0.0) or pause_before(one.row.tries + 1)
        return Requeue(id=one.row.id, in_doubt=in_doubt, at=now + pause, why=why[:500], failed=isinstance(answer, Crashed))

    def _given_up(self, effect: Effect, broken: Crashed) -> Fact:
        return not_performed(effect, "parked", self._clocks, "unknown" if broken.in_doubt else "failed")

    def _parked(self, row: EffectRow, broken: Crashed) -> Outgoing:
        topic, partition, offset = row.place.rsplit("-", 2)
        key = stream_key(row.account, row.customer)
        message = DeadLetter(
            stage="sinks",
            topic=topic,
            partition=int(partition),
            offset=int(offset),
            key=key,
            value=row.body,
            headers=redrive_headers(row, broken.in_doubt),
            why=f"The effect could not be performed in {GIVE_UP_AFTER} tries.",
            error=broken.why,
            at=self._clocks.wall(),
            replay_topic=REDRIVE_SINKS.name,
        )
        suffix = f":{row.reopened}" if row.reopened else ""
        return Outgoing(id=f"parked:{row.id}{suffix}", topic=PARKED_SINKS.name, key=key, value=encode(message))


def kinds_of(lane: Lane, kind: "ColumnElement[str]") -> "ColumnElement[bool]":
    """The condition that a kind of work is of a lane; what is in no table is of the lane that refuses it."""
    of_others = [name for name, treated in WORK.items() if treated.lane != lane]
    of_it = [name for name, treated in WORK.items() if treated.lane == lane]
    return kind.not_in(of_others) if lane == UNKNOWN.lane else kind.in_(of_it)


def _readable(row: EffectRow) -> Effect | None:
    try:
        return decode_effect(row.body)
    except Unprocessable as error:  # it was readable when it came: this is another version of the program
        log.error("effect %s stays in the ledger; start the version that received it: %s", row.id, error)
        return None


def _in_words(fact: Fact) -> str:
    result = getattr(fact, "result", fact.__struct_config__.tag)
    return f"{result}, {why}" if (why := getattr(fact, "why", "")) else str(result)


def outgoing(effect: Effect, fact: Fact, reopened: int = 0) -> Outgoing:
    """The outcome of an effect as it goes to `facts`, to the row that it is about: a charge's to that of its customer.

    The outcome of an effect that was given up before is another fact than that it was given up.
    """
    fact = msgspec.structs.replace(fact, id=f"{fact.id}:{reopened}") if reopened else fact
    if len(why := getattr(fact, "why", "")) > TEXT_LENGTH:
        fact = msgspec.structs.replace(fact, why=why[:TEXT_LENGTH])
    return Outgoing(id=effect.id, topic=FACTS.name, key=stream_key(fact.account, fact.customer), value=encode(fact))


def _beside(fact: Fact) -> Outgoing:
    """A fact that is published with an outcome; its own id makes it idempotent."""
    return Outgoing(id=fact.id, topic=FACTS.name, key=stream_key(fact.account, fact.customer), value=encode(fact))

"""Who has done what: one row per effect id, from its arrival to its published outcome. What is written here survives kill -9.

    waiting --claim--> claimed --settle--> settled --publish--> published
       ^                  |  found at start, or the answer never came
       +---- release -----+--> doubt --claim--> claimed

A claim is written just before the step that cannot be taken back, so a row found `claimed` at start may have been performed
and one found `waiting` was not. The process owns its ledger alone (ownership.py); within it every method is one transaction.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import msgspec
import sqlalchemy as sql
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from sinks.effects.engine.ledger_tables import (
    EFFECTS,
    PAUSED,
    PLACES,
    WITHDRAWALS,
    Arrival,
    EffectRow,
    Outgoing,
    Redrive,
    Requeue,
    Unfinished,
    opened,
)

__all__ = ["Arrival", "EffectRow", "Ledger", "LedgerLost", "Outgoing", "Redrive", "Requeue", "Unfinished"]
OPEN = ("waiting", "doubt")
One = TypeVar("One", bound=Unfinished)
IN = 500
"""Ids in one statement: below the parameter limits of every database."""
_UNSETTLED = EFFECTS.c.state.in_(("waiting", "doubt", "claimed"))
# Statements that run for each effect are made once: building one costs more than running it.
_CLAIMABLE = (EFFECTS.c.id == sql.bindparam("effect")) & ~sql.exists().where(WITHDRAWALS.c.effect == sql.bindparam("effect"))
_CLAIM = (
    EFFECTS.update()
    .where(_CLAIMABLE & (EFFECTS.c.state == "waiting"))
    .values(state="claimed", claimed_wall=sql.bindparam("wall"), claimed_business=sql.bindparam("business"))
)
_CLAIM_IN_DOUBT = (
    EFFECTS.update().where(_CLAIMABLE & (EFFECTS.c.state == "doubt")).values(state="claimed", claimed_wall=sql.bindparam("wall"))
)
_SETTLE = (
    EFFECTS.update()
    .where((EFFECTS.c.id == sql.bindparam("effect")) & _UNSETTLED)
    .values(state="settled", topic=sql.bindparam("to_topic"), key=sql.bindparam("with_key"), outcome=sql.bindparam("with_outcome"))
)
_IDS: "sql.BindParameter[Sequence[str]]" = sql.bindparam("ids", expanding=True)
_WITHDRAWN = sql.select(WITHDRAWALS.c.effect, WITHDRAWALS.c.because).where(WITHDRAWALS.c.effect.in_(_IDS))
_PUBLISHED = EFFECTS.update().where(EFFECTS.c.id.in_(_IDS) & (EFFECTS.c.state == "settled")).values(state="published")
_REPUBLISH = EFFECTS.update().where(EFFECTS.c.id.in_(_IDS) & (EFFECTS.c.state == "published")).values(state="settled")
_KNOWN_EFFECTS = sql.select(EFFECTS.c.id).where(EFFECTS.c.id.in_(_IDS))
_KNOWN_WITHDRAWALS = sql.select(WITHDRAWALS.c.effect).where(WITHDRAWALS.c.effect.in_(_IDS))
# Spelled out, or SQLite does not see that the index of unfinished effects holds them, and reads every effect of sixty days.
_TO_PUBLISH = (
    sql.select(EFFECTS.c.id, EFFECTS.c.topic, EFFECTS.c.key, EFFECTS.c.outcome)
    .where((EFFECTS.c.state == "settled") & sql.text("state != 'published'"))
    .order_by(EFFECTS.c.received_at)
    .limit(sql.bindparam("at_most"))
)


class LedgerLost(SQLAlchemyError):
    """The connection that writes is gone, and with it on a database server the lock: another process may own the ledger by now."""


class Ledger:
    """The rows of one installation. Safe for several threads of the one process that owns it.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database cannot be reached or written; nothing of the call is stored then.

    """

    def __init__(self, url: str) -> None:
        self._engine = opened(url)
        self._one_writer = threading.Lock()
        self._writer = self._engine.connect()

    @property
    def engine(self) -> Engine:
        """The database, for the lock that makes this process its only owner."""
        return self._engine

    @contextmanager
    def writing(self) -> Iterator[sql.Connection]:
        """A transaction on the one connection that writes. It is never opened anew: the lock of a database server is tied to it.

        Raises:
            LedgerLost: the connection broke before.

        """
        with self._one_writer:
            if self._writer.invalidated:
                raise LedgerLost("The connection to the ledger's database broke")
            with self._writer.begin():
                yield self._writer

    def receive(self, arrivals: Sequence[Arrival], withdrawals: Iterable[tuple[str, str]], parked: Sequence[Outgoing], now: float) -> bool:
        """Store a polled batch: withdrawals are remembered, new effects wait, published ones that came again will be published again.

        Returns whether something of it has to be published.
        """
        to_publish = False
        with self.writing() as db:
            gone = {effect: because for effect, because in withdrawals if effect}
            for effect in gone.keys() - self._known(db, _KNOWN_WITHDRAWALS, gone):
                db.execute(WITHDRAWALS.insert().values(effect=effect, because=gone[effect], at=now))
            ids = {arrival.id: arrival for arrival in arrivals}
            known = self._known(db, _KNOWN_EFFECTS, ids)
            fresh = [_new(arrival) for effect, arrival in ids.items() if effect not in known]
            if fresh:
                db.execute(EFFECTS.insert(), fresh)
            for part in _parts(known):
                to_publish |= db.execute(_REPUBLISH, {"ids": part}).rowcount > 0
            dead = {message.id: message for message in parked}
            for message in (dead[row] for row in dead.keys() - self._known(db, _KNOWN_EFFECTS, dead)):
                db.execute(EFFECTS.insert().values(**_parked(message, now)))
                to_publish = True
        return to_publish

    def withdrawn(self, effects: Iterable[str]) -> dict[str, str]:
        """Which of these effects are to be withdrawn, and why: those with a remembered withdrawal."""
        found: dict[str, str] = {}
        if parts := _parts(effects):
            with self._engine.connect() as db:
                for part in parts:
                    found.update((row[0], row[1]) for row in db.execute(_WITHDRAWN, {"ids": part}))
        return found

    def rows(self, effects: Iterable[str]) -> list[EffectRow]:
        """Those of these effects that wait or are in doubt."""
        found: list[EffectRow] = []
        if parts := _parts(effects):
            with self._engine.connect() as db:
                for part in parts:
                    found += _as(EffectRow, db.execute(_ROWS, {"ids": part}))
        return found

    def unfinished(self) -> list[Unfinished]:
        """Everything that waits or is in doubt, without its bodies, oldest first: read once, at start."""
        with self._engine.connect() as db:
            return _as(Unfinished, db.execute(_unfinished(Unfinished).order_by(EFFECTS.c.received_at, EFFECTS.c.id)))

    def first_of(
        self, account: str, kinds: Callable[["sql.ColumnElement[str]"], "sql.ColumnElement[bool]"], limit: int
    ) -> list[Unfinished]:
        """What of an account waits or is in doubt, of the kinds that a condition on the column names, the first due first."""
        wanted = _unfinished(Unfinished).where((EFFECTS.c.account == account) & sql.text("state != 'published'") & kinds(EFFECTS.c.kind))
        with self._engine.connect() as db:
            ordered = wanted.order_by(EFFECTS.c.next_try_at, EFFECTS.c.received_at, EFFECTS.c.id)
            return _as(Unfinished, db.execute(ordered.limit(limit)))

    def claim(self, effect: str, wall: float, business: float) -> float | None:
        """Take an effect just before acting. Returns since when (business) it may have been performed, None if it must not be any more.

        A withdrawal that was stored before the claim wins; one stored later finds the effect claimed.
        """
        with self.writing() as db:
            if db.execute(_CLAIM, {"effect": effect, "wall": wall, "business": business}).rowcount:
                return business
            if not db.execute(_CLAIM_IN_DOUBT, {"effect": effect, "wall": wall}).rowcount:
                return None
            since = db.execute(sql.select(EFFECTS.c.claimed_business).where(EFFECTS.c.id == effect)).scalar()
        return business if since is None else float(since)

    def requeue(self, back: Iterable[Requeue]) -> None:
        """Return effects for a later try."""
        with self.writing() as db:
            for one in back:
                was_claimed = sql.case((EFFECTS.c.state == "claimed", 1), else_=0)
                values = {
                    "state": "doubt" if one.in_doubt else "waiting",
                    "tries": EFFECTS.c.tries + 1,
                    "doubts": EFFECTS.c.doubts + (was_claimed if one.in_doubt else 0),
                    "failures": EFFECTS.c.failures + int(one.failed),
                    "next_try_at": one.at,
                    "why": one.why,
                }
                db.execute(EFFECTS.update().where((EFFECTS.c.id == one.id) & _UNSETTLED).values(**values))

    def settle(self, outcomes: Sequence[Outgoing], parked: Sequence[Outgoing], now: float) -> None:
        """Store outcomes, each once: an effect that is settled keeps its first outcome."""
        with self.writing() as db:
            for one in outcomes:
                values = {"effect": one.id, "to_topic": one.topic, "with_key": one.key, "with_outcome": one.value}
                db.execute(_SETTLE, values)
            known = self._known(db, _KNOWN_EFFECTS, [message.id for message in parked])
            for message in parked:
                if message.id not in known:
                    db.execute(EFFECTS.insert().values(**_parked(message, now)))

    def redrive(self, given_up: Iterable[Redrive]) -> None:
        """Requeue failed effects. Idempotent: each failure is requeued once; nothing happens if an outcome was recorded since."""
        with self.writing() as db:
            for one in given_up:
                as_it_was = (EFFECTS.c.id == one.id) & (EFFECTS.c.state == "published") & (EFFECTS.c.reopened == one.reopened)
                values = {"state": "doubt" if one.in_doubt else "waiting", "reopened": one.reopened + 1, "why": "redriven by an operator"}
                fresh = {"tries": 0, "failures": 0, "next_try_at": 0.0}
                db.execute(EFFECTS.update().where(as_it_was).values(**values, **fresh))

    def mark_claimed_in_doubt(self) -> int:
        """At start: whatever a process that is gone had claimed is in doubt. Answers how many."""
        with self.writing() as db:
            values = {"state": "doubt", "doubts": EFFECTS.c.doubts + 1, "next_try_at": 0.0, "why": "the process ended meanwhile"}
            return db.execute(EFFECTS.update().where(EFFECTS.c.state == "claimed").values(**values)).rowcount

    def to_publish(self, limit: int = 1000) -> list[Outgoing]:
        """Settled outcomes that are not known to be on the log."""
        with self._engine.connect() as db:
            rows = db.execute(_TO_PUBLISH, {"at_most": limit})
            return [Outgoing(id=row[0], topic=row[1], key=row[2], value=row[3]) for row in rows]

    def mark_published(self, effects: Iterable[str]) -> None:
        """The broker has these outcomes."""
        with self.writing() as db:
            for part in _parts(effects):
                db.execute(_PUBLISHED, {"ids": part})

    def switches(self) -> tuple[set[str], int]:
        """The accounts known to be paused, and how far the switches have been read."""
        with self._engine.connect() as db:
            paused = set(db.execute(sql.select(PAUSED.c.account)).scalars())
            return paused, db.execute(sql.select(PLACES.c.position).where(PLACES.c.name == "switches")).scalar() or 0

    def keep_switches(self, paused: Iterable[str], position: int) -> None:
        """Remember both, together."""
        with self.writing() as db:
            db.execute(PAUSED.delete())
            for account in paused:
                db.execute(PAUSED.insert().values(account=account))
            if not db.execute(PLACES.update().where(PLACES.c.name == "switches").values(position=position)).rowcount:
                db.execute(PLACES.insert().values(name="switches", position=position))

    def forget(self, not_after_before: float, withdrawn_before: float) -> int:
        """Delete published rows whose deadline (business) is long past, and old withdrawals (wall). Returns how many effects went."""
        old = (EFFECTS.c.state == "published") & (EFFECTS.c.not_after < not_after_before)
        with self.writing() as db:
            db.execute(WITHDRAWALS.delete().where(WITHDRAWALS.c.at < withdrawn_before))
            return db.execute(EFFECTS.delete().where(old)).rowcount

    def counts(self) -> dict[str, int]:
        """How many rows are in each state."""
        with self._engine.connect() as db:
            rows = db.execute(sql.select(EFFECTS.c.state, sql.func.count()).group_by(EFFECTS.c.state))
            return {row[0]: row[1] for row in rows}

    def close(self) -> None:
        """Release the database."""
        self._writer.close()
        self._engine.dispose()

    @staticmethod
    def _known(db: sql.Connection, statement: "sql.Select[str]", ids: Iterable[str]) -> set[str]:
        known: set[str] = set()
        for part in _parts(ids):
            known.update(db.execute(statement, {"ids": part}).scalars())
        return known


def _unfinished(kind: type[Unfinished]) -> "sql.Select[tuple[object, ...]]":
    columns = [EFFECTS.c[name] for name in kind.__struct_fields__]
    return sql.select(*columns).where(EFFECTS.c.state.in_(OPEN))


_ROWS = _unfinished(EffectRow).where(EFFECTS.c.id.in_(_IDS))


def _as(kind: type[One], found: "sql.CursorResult[tuple[object, ...]]") -> list[One]:
    return [msgspec.convert(row, kind) for row in found.mappings()]


def _new(arrival: Arrival) -> dict[str, object]:
    return {**msgspec.structs.asdict(arrival), "state": "waiting"}


def _parked(message: Outgoing, now: float) -> dict[str, object]:
    out = {"id": message.id, "topic": message.topic, "key": message.key, "outcome": message.value}
    without_owner = {"account": "", "customer": "", "invoice": "", "kind": "parked", "body": b"", "place": ""}
    return {**out, **without_owner, "state": "settled", "received_at": now, "not_after": now}


def _parts(ids: Iterable[str]) -> list[list[str]]:
    every = list(ids)
    return [every[at : at + IN] for at in range(0, len(every), IN)]

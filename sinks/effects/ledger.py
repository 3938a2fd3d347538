"""Who has done what: one row per effect id, from its arrival to its published outcome. What is written here survives kill -9.

    waiting --claim--> claimed --settle--> settled --publish--> published
       ^                  |  found at start, or the answer never came
       +---- release -----+--> doubt --claim--> claimed

A claim is written just before the step that cannot be taken back, so a row found `claimed` at start may have been performed
and one found `waiting` was not. The process owns its ledger alone (ownership.py); within it every method is one transaction.
"""

import threading
from collections.abc import Iterable, Sequence

import msgspec
import sqlalchemy as sql
from sqlalchemy import Engine, event
from sqlalchemy.pool import ConnectionPoolEntry

IN = 500
"""Ids in one statement: below the parameter limits of every database."""
_meta = sql.MetaData()
_effects = sql.Table(
    "effects",
    _meta,
    sql.Column("id", sql.String, primary_key=True),
    sql.Column("account", sql.String, nullable=False),
    sql.Column("customer", sql.String, nullable=False),
    sql.Column("invoice", sql.String, nullable=False),
    sql.Column("kind", sql.String, nullable=False),
    sql.Column("body", sql.LargeBinary, nullable=False),
    sql.Column("place", sql.String, nullable=False),
    sql.Column("state", sql.String, nullable=False),
    sql.Column("received_at", sql.Float, nullable=False),
    sql.Column("not_after", sql.Float, nullable=False),
    sql.Column("tries", sql.Integer, nullable=False, default=0),
    sql.Column("doubts", sql.Integer, nullable=False, default=0),
    sql.Column("next_try_at", sql.Float, nullable=False, default=0.0),
    sql.Column("claimed_wall", sql.Float),
    sql.Column("claimed_business", sql.Float),
    sql.Column("why", sql.String, nullable=False, default=""),
    sql.Column("topic", sql.String, nullable=False, default=""),
    sql.Column("key", sql.LargeBinary, nullable=False, default=b""),
    sql.Column("outcome", sql.LargeBinary, nullable=False, default=b""),
)
_open = sql.Index("effects_unfinished", _effects.c.state, sqlite_where=_effects.c.state != "published")
_withdrawals = sql.Table(
    "withdrawals",
    _meta,
    sql.Column("effect", sql.String, primary_key=True),
    sql.Column("because", sql.String, nullable=False),
    sql.Column("at", sql.Float, nullable=False),
)


_paused = sql.Table("paused", _meta, sql.Column("account", sql.String, primary_key=True))
_places = sql.Table(
    "places", _meta, sql.Column("name", sql.String, primary_key=True), sql.Column("position", sql.BigInteger, nullable=False)
)


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """An effect as it came from the log; `place` is topic-partition-offset, times are unix seconds (received wall, not_after business)."""

    id: str
    account: str
    customer: str
    invoice: str
    kind: str
    body: bytes
    place: str
    received_at: float
    not_after: float


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """An unfinished effect: `waiting` (nothing was done) or `doubt` (something may have been done, since `claimed_business`)."""

    id: str
    account: str
    customer: str
    kind: str
    body: bytes
    place: str
    state: str
    not_after: float
    tries: int
    doubts: int
    next_try_at: float
    claimed_business: float | None


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """A message that must reach the log: the outcome of an effect, or something parked. `id` is its row."""

    id: str
    topic: str
    key: bytes
    value: bytes


class Ledger:
    """The rows of one installation. Safe for several threads of the one process that owns it.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database cannot be reached or written; nothing of the call is stored then.

    """

    def __init__(self, url: str) -> None:
        self._engine = sql.create_engine(url)
        if self._engine.dialect.name == "sqlite":
            event.listen(self._engine, "connect", _durable)
        self._one_writer = threading.Lock()
        _meta.create_all(self._engine)

    @property
    def engine(self) -> Engine:
        """The database, for the lock that makes this process its only owner."""
        return self._engine

    def receive(self, arrivals: Sequence[Arrival], withdrawals: Iterable[tuple[str, str]], parked: Sequence[Outgoing], now: float) -> None:
        """Store a polled batch: withdrawals are remembered, new effects wait, published ones that came again will be published again."""
        with self._one_writer, self._engine.begin() as db:
            gone = {effect: because for effect, because in withdrawals if effect}
            for effect in gone.keys() - self._known(db, _withdrawals.c.effect, gone):
                db.execute(_withdrawals.insert().values(effect=effect, because=gone[effect], at=now))
            ids = {arrival.id: arrival for arrival in arrivals}
            known = self._known(db, _effects.c.id, ids)
            fresh = [_new(arrival) for effect, arrival in ids.items() if effect not in known]
            if fresh:
                db.execute(_effects.insert(), fresh)
            for part in _parts(known):
                again = _effects.c.id.in_(part) & (_effects.c.state == "published")
                db.execute(_effects.update().where(again).values(state="settled"))
            told = {message.id: message for message in parked}
            for message in (told[row] for row in told.keys() - self._known(db, _effects.c.id, told)):
                db.execute(_effects.insert().values(**_parked(message, now)))

    def withdrawn(self, effects: Iterable[str]) -> dict[str, str]:
        """Which of these effects are to be withdrawn, and why: those with a remembered withdrawal."""
        found: dict[str, str] = {}
        with self._engine.connect() as db:
            for part in _parts(effects):
                rows = db.execute(sql.select(_withdrawals.c.effect, _withdrawals.c.because).where(_withdrawals.c.effect.in_(part)))
                found.update((row[0], row[1]) for row in rows)
        return found

    def rows(self, effects: Iterable[str]) -> list[Row]:
        """Those of these effects that wait or are in doubt."""
        found: list[Row] = []
        with self._engine.connect() as db:
            for part in _parts(effects):
                found += _rows(db.execute(_unfinished().where(_effects.c.id.in_(part))))
        return found

    def unfinished(self) -> list[Row]:
        """Everything that waits or is in doubt, oldest first: read once, at start."""
        with self._engine.connect() as db:
            return _rows(db.execute(_unfinished().order_by(_effects.c.received_at, _effects.c.id)))

    def claim(self, effect: str, wall: float, business: float) -> float | None:
        """Take an effect just before acting; answers since when (business) it may have been performed, None if it must not be any more.

        A withdrawal that was stored before the claim wins; one stored later finds the effect claimed.
        """
        wanted = (_effects.c.id == effect) & ~sql.exists().where(_withdrawals.c.effect == effect)
        fresh, doubted = wanted & (_effects.c.state == "waiting"), wanted & (_effects.c.state == "doubt")
        with self._one_writer, self._engine.begin() as db:
            if db.execute(_effects.update().where(fresh).values(state="claimed", claimed_wall=wall, claimed_business=business)).rowcount:
                return business
            if not db.execute(_effects.update().where(doubted).values(state="claimed", claimed_wall=wall)).rowcount:
                return None
            since = db.execute(sql.select(_effects.c.claimed_business).where(_effects.c.id == effect)).scalar()
        return business if since is None else float(since)

    def put_back(self, back: Iterable[tuple[str, bool, float, str]]) -> None:
        """Return effects for a later try: (id, in doubt, when (wall), why). In doubt means that it may have been performed."""
        with self._one_writer, self._engine.begin() as db:
            for effect, in_doubt, at, why in back:
                was_claimed = sql.case((_effects.c.state == "claimed", 1), else_=0)
                values = {
                    "state": "doubt" if in_doubt else "waiting",
                    "tries": _effects.c.tries + 1,
                    "doubts": _effects.c.doubts + (was_claimed if in_doubt else 0),
                    "next_try_at": at,
                    "why": why,
                }
                unsettled = _effects.c.state.in_(("waiting", "doubt", "claimed"))
                db.execute(_effects.update().where((_effects.c.id == effect) & unsettled).values(**values))

    def settle(self, outcomes: Sequence[Outgoing], parked: Sequence[Outgoing], now: float) -> None:
        """Store outcomes, each once: an effect that is settled keeps its first outcome."""
        with self._one_writer, self._engine.begin() as db:
            for outcome in outcomes:
                unsettled = (_effects.c.id == outcome.id) & _effects.c.state.in_(("waiting", "doubt", "claimed"))
                values = {"state": "settled", "topic": outcome.topic, "key": outcome.key, "outcome": outcome.value}
                db.execute(_effects.update().where(unsettled).values(**values))
            known = self._known(db, _effects.c.id, [message.id for message in parked])
            for message in parked:
                if message.id not in known:
                    db.execute(_effects.insert().values(**_parked(message, now)))

    def doubt_all_claimed(self) -> int:
        """At start: whatever a process that is gone had claimed is in doubt. Answers how many."""
        with self._one_writer, self._engine.begin() as db:
            values = {"state": "doubt", "doubts": _effects.c.doubts + 1, "next_try_at": 0.0, "why": "the process ended meanwhile"}
            return db.execute(_effects.update().where(_effects.c.state == "claimed").values(**values)).rowcount

    def to_publish(self, limit: int = 1000) -> list[Outgoing]:
        """Settled outcomes that are not known to be on the log."""
        columns = (_effects.c.id, _effects.c.topic, _effects.c.key, _effects.c.outcome)
        with self._engine.connect() as db:
            rows = db.execute(sql.select(*columns).where(_effects.c.state == "settled").order_by(_effects.c.received_at).limit(limit))
            return [Outgoing(id=row[0], topic=row[1], key=row[2], value=row[3]) for row in rows]

    def mark_published(self, effects: Iterable[str]) -> None:
        """The broker has these outcomes."""
        with self._one_writer, self._engine.begin() as db:
            for part in _parts(effects):
                settled = _effects.c.id.in_(part) & (_effects.c.state == "settled")
                db.execute(_effects.update().where(settled).values(state="published"))

    def switches(self) -> tuple[set[str], int]:
        """The accounts known to be paused, and how far the switches have been read."""
        with self._engine.connect() as db:
            paused = set(db.execute(sql.select(_paused.c.account)).scalars())
            return paused, db.execute(sql.select(_places.c.position).where(_places.c.name == "switches")).scalar() or 0

    def keep_switches(self, paused: Iterable[str], position: int) -> None:
        """Remember both, together."""
        with self._one_writer, self._engine.begin() as db:
            db.execute(_paused.delete())
            for account in paused:
                db.execute(_paused.insert().values(account=account))
            if not db.execute(_places.update().where(_places.c.name == "switches").values(position=position)).rowcount:
                db.execute(_places.insert().values(name="switches", position=position))

    def forget(self, not_after_before: float, withdrawn_before: float) -> int:
        """Delete published rows whose deadline (business) is long past, and old withdrawals (wall); answers how many effects went."""
        old = (_effects.c.state == "published") & (_effects.c.not_after < not_after_before)
        with self._one_writer, self._engine.begin() as db:
            db.execute(_withdrawals.delete().where(_withdrawals.c.at < withdrawn_before))
            return db.execute(_effects.delete().where(old)).rowcount

    def counts(self) -> dict[str, int]:
        """How many rows are in each state."""
        with self._engine.connect() as db:
            rows = db.execute(sql.select(_effects.c.state, sql.func.count()).group_by(_effects.c.state))
            return {row[0]: row[1] for row in rows}

    def close(self) -> None:
        """Release the database."""
        self._engine.dispose()

    @staticmethod
    def _known(db: sql.Connection, column: "sql.Column[str]", ids: Iterable[str]) -> set[str]:
        known: set[str] = set()
        for part in _parts(ids):
            known.update(db.execute(sql.select(column).where(column.in_(part))).scalars())
        return known


def _durable(connection: sql.engine.interfaces.DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _unfinished() -> "sql.Select[tuple[object, ...]]":
    columns = [_effects.c[name] for name in Row.__struct_fields__]
    return sql.select(*columns).where(_effects.c.state.in_(("waiting", "doubt")))


def _rows(found: "sql.CursorResult[tuple[object, ...]]") -> list[Row]:
    return [msgspec.convert(row, Row) for row in found.mappings()]


def _new(arrival: Arrival) -> dict[str, object]:
    return {**msgspec.structs.asdict(arrival), "state": "waiting"}


def _parked(message: Outgoing, now: float) -> dict[str, object]:
    out = {"id": message.id, "topic": message.topic, "key": message.key, "outcome": message.value}
    nobody = {"account": "", "customer": "", "invoice": "", "kind": "parked", "body": b"", "place": ""}
    return {**out, **nobody, "state": "settled", "received_at": now, "not_after": now}


def _parts(ids: Iterable[str]) -> Iterable[list[str]]:
    every = list(ids)
    return (every[at : at + IN] for at in range(0, len(every), IN))

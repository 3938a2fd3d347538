"""The attempts of deliveries and the state of each endpoint, in the ledger's database: every attempt for 30 days, and which endpoints fail
or are disabled.

The process that performs effects writes on the ledger's own connection; the command line reads, and writes in transactions of its own.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import msgspec
import sqlalchemy as sql
from sqlalchemy import Engine

from sinks.effects.engine.ledger_tables import EFFECTS

META = sql.MetaData()
DELIVERIES = sql.Table(
    "deliveries",
    META,
    sql.Column("number", sql.Integer, primary_key=True, autoincrement=True),
    sql.Column("effect", sql.String, nullable=False),
    sql.Column("message", sql.String, nullable=False),
    sql.Column("account", sql.String, nullable=False),
    sql.Column("endpoint", sql.String, nullable=False),
    sql.Column("event_type", sql.String, nullable=False),
    sql.Column("sent_by", sql.String, nullable=False),
    sql.Column("at", sql.Float, nullable=False),
    sql.Column("status", sql.Integer, nullable=False),
    sql.Column("seconds", sql.Float, nullable=False),
    sql.Column("why", sql.String, nullable=False),
    sql.Column("answer", sql.String, nullable=False),
    sql.Index("deliveries_by_effect", "effect"),
    sql.Index("deliveries_by_message", "message"),
    sql.Index("deliveries_by_account", "account", "at"),
    sql.Index("deliveries_by_age", "at"),
)
ENDPOINTS = sql.Table(
    "endpoints",
    META,
    sql.Column("account", sql.String, primary_key=True),
    sql.Column("name", sql.String, primary_key=True),
    sql.Column("failures", sql.Integer, nullable=False),
    sql.Column("failing_since", sql.Float),
    sql.Column("probe_at", sql.Float, nullable=False),
    sql.Column("disabled_at", sql.Float),
    sql.Column("why", sql.String, nullable=False),
    sql.Column("as_it_was", sql.String, nullable=False),
)
KEPT_SECONDS = 30 * 86_400.0
"""How long a try is kept (wall time)."""
TIDY_SECONDS = 3600.0


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """One try. `message` is its webhook-id, `at` unix seconds of wall time, `status` 0 without an answer.

    `sent_by` is dispatcher, replay or test.
    """

    effect: str
    message: str
    account: str
    endpoint: str
    event_type: str
    sent_by: str
    at: float
    status: int
    seconds: float
    why: str = ""
    answer: str = ""

    @property
    def delivered(self) -> bool:
        """Whether the endpoint took it."""
        return 200 <= self.status < 300


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The state of an endpoint: failures in a row, since when (business), when the next probe may go (wall), since when disabled
    (business).

    `as_it_was` is the fingerprint of the url and secrets that it was disabled with: with others it is another endpoint.
    """

    failures: int = 0
    failing_since: float | None = None
    probe_at: float = 0.0
    disabled_at: float | None = None
    why: str = ""
    as_it_was: str = ""


class DeliveryLog:
    """The log of deliveries and the state of endpoints. `writing` gives the transaction to write in. Raises SQLAlchemyError."""

    def __init__(self, engine: Engine, writing: Callable[[], AbstractContextManager[sql.Connection]]) -> None:
        self._engine, self._writing = engine, writing
        self._tidied = float("-inf")
        self._one_tidies = threading.Lock()
        META.create_all(engine)

    @classmethod
    def beside(cls, engine: Engine) -> "DeliveryLog":
        """The journal for a program that does not own the ledger."""

        @contextmanager
        def writing() -> Iterator[sql.Connection]:
            with engine.begin() as db:
                yield db

        return cls(engine, writing)

    def record(self, tried: Tried) -> None:
        """Keep a try; once an hour, those of more than 30 days ago are forgotten."""
        with self._writing() as db:
            db.execute(DELIVERIES.insert().values(**msgspec.structs.asdict(tried)))
            if self._is_time_to_tidy(tried.at):
                db.execute(DELIVERIES.delete().where(DELIVERIES.c.at < tried.at - KEPT_SECONDS))

    def tries(self, effect: str) -> tuple[int, int]:
        """How often the dispatcher has tried an effect, and the status of the last try."""
        mine = (DELIVERIES.c.effect == effect) & (DELIVERIES.c.sent_by == "dispatcher")
        with self._engine.connect() as db:
            rows = db.execute(sql.select(DELIVERIES.c.status).where(mine).order_by(DELIVERIES.c.number)).scalars().all()
        return len(rows), rows[-1] if rows else 0

    def of_delivery(self, reference: str) -> list[Tried]:
        """All tries of a delivery, oldest first, by its webhook-id or its effect's id."""
        return self._found((DELIVERIES.c.message == reference) | (DELIVERIES.c.effect == reference), DELIVERIES.c.number, -1)

    def latest(
        self,
        account: str,
        *,
        endpoint: str = "",
        failed: bool = False,
        since: float = 0.0,
        until: float = float("inf"),
        types: tuple[str, ...] = (),
        limit: int = -1,
    ) -> list[Tried]:
        """The tries of an account, newest first, within `since` and `until` (wall; the latter excluded); all when `limit` is negative."""
        wanted = (DELIVERIES.c.account == account) & (DELIVERIES.c.at >= since) & (DELIVERIES.c.at < min(until, 1e12))
        if endpoint:
            wanted &= DELIVERIES.c.endpoint == endpoint
        if types:
            wanted &= DELIVERIES.c.event_type.in_(types)
        if failed:
            wanted &= (DELIVERIES.c.status < 200) | (DELIVERIES.c.status >= 300)
        return self._found(wanted, DELIVERIES.c.number.desc(), limit)

    def untried(self, account: str, since: float, until: float) -> dict[str, float]:
        """The account's deliveries that came within `since` and `until` (wall) and were answered without a try, and when they came."""
        mine = (EFFECTS.c.account == account) & (EFFECTS.c.kind == "webhook_requested") & EFFECTS.c.state.in_(("settled", "published"))
        when = (EFFECTS.c.received_at >= since) & (EFFECTS.c.received_at < until)
        tried = sql.exists().where(DELIVERIES.c.effect == EFFECTS.c.id)
        with self._engine.connect() as db:
            return {row[0]: row[1] for row in db.execute(sql.select(EFFECTS.c.id, EFFECTS.c.received_at).where(mine & when & ~tried))}

    def bodies(self, effects: list[str]) -> dict[str, bytes]:
        """The effects that the ledger still has, as they came from the log."""
        found: dict[str, bytes] = {}
        with self._engine.connect() as db:
            for at in range(0, len(effects), 500):
                rows = db.execute(sql.select(EFFECTS.c.id, EFFECTS.c.body).where(EFFECTS.c.id.in_(effects[at : at + 500])))
                found.update((row[0], row[1]) for row in rows)
        return found

    def health(self, account: str, name: str) -> Health:
        """The state of an endpoint; one that never failed is well."""
        columns = [ENDPOINTS.c[each] for each in Health.__struct_fields__]
        with self._engine.connect() as db:
            row = db.execute(sql.select(*columns).where(_is(account, name))).mappings().first()
        return Health() if row is None else msgspec.convert(row, Health)

    def keep_health(self, account: str, name: str, health: Health) -> None:
        """Store the state of an endpoint."""
        values = msgspec.structs.asdict(health)
        with self._writing() as db:
            if not db.execute(ENDPOINTS.update().where(_is(account, name)).values(**values)).rowcount:
                db.execute(ENDPOINTS.insert().values(account=account, name=name, **values))

    def _is_time_to_tidy(self, now: float) -> bool:
        with self._one_tidies:
            if now - self._tidied < TIDY_SECONDS:
                return False
            self._tidied = now
            return True

    def _found(self, wanted: "sql.ColumnElement[bool]", order: "sql.ColumnElement[int]", limit: int) -> list[Tried]:
        columns = [DELIVERIES.c[name] for name in Tried.__struct_fields__]
        statement = sql.select(*columns).where(wanted).order_by(order)
        with self._engine.connect() as db:
            rows = db.execute(statement if limit < 0 else statement.limit(limit)).mappings()
            return [msgspec.convert(row, Tried) for row in rows]


def _is(account: str, name: str) -> "sql.ColumnElement[bool]":
    return (ENDPOINTS.c.account == account) & (ENDPOINTS.c.name == name)

"""The ledger's tables and the values that go in and out, and how its database is opened so that a commit is on disk when it returns."""

from pathlib import Path

import msgspec
import sqlalchemy as sql
from sqlalchemy import Engine, event
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.schema import CreateColumn

from control.private_files import private_file

META = sql.MetaData()
EFFECTS = sql.Table(
    "effects",
    META,
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
    sql.Column("failures", sql.Integer, nullable=False, server_default="0"),
    sql.Column("reopened", sql.Integer, nullable=False, server_default="0"),
)
UNFINISHED = EFFECTS.c.state != "published"
sql.Index("effects_unfinished", EFFECTS.c.state, sqlite_where=UNFINISHED, postgresql_where=UNFINISHED)
sql.Index("effects_unfinished_of", EFFECTS.c.account, EFFECTS.c.next_try_at, sqlite_where=UNFINISHED, postgresql_where=UNFINISHED)
WITHDRAWALS = sql.Table(
    "withdrawals",
    META,
    sql.Column("effect", sql.String, primary_key=True),
    sql.Column("because", sql.String, nullable=False),
    sql.Column("at", sql.Float, nullable=False),
)
PAUSED = sql.Table("paused", META, sql.Column("account", sql.String, primary_key=True))
PLACES = sql.Table("places", META, sql.Column("name", sql.String, primary_key=True), sql.Column("position", sql.BigInteger, nullable=False))


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


class Unfinished(msgspec.Struct, frozen=True, kw_only=True):
    """An unfinished effect without its body: `waiting` (nothing was done) or `doubt` (something may have been done, since
    `claimed_business`).

    `reopened` is how often a person has had it performed again after it was given up.
    """

    id: str
    account: str
    customer: str
    kind: str
    state: str
    not_after: float
    tries: int
    doubts: int
    next_try_at: float
    failures: int
    reopened: int
    claimed_business: float | None


class EffectRow(Unfinished, frozen=True, kw_only=True):
    """An unfinished effect to be performed."""

    body: bytes
    place: str


class Requeue(msgspec.Struct, frozen=True, kw_only=True):
    """An effect that must be tried again `at` a wall time: whether it may have been performed, and whether its performer broke down."""

    id: str
    in_doubt: bool
    at: float
    why: str
    failed: bool = False


class Redrive(msgspec.Struct, frozen=True, kw_only=True):
    """An effect that was given up, to be performed after all: in doubt or not then, and how often it had been reopened until then."""

    id: str
    in_doubt: bool
    reopened: int


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """A message that must reach the log: the outcome of an effect, or something parked. `id` is its row."""

    id: str
    topic: str
    key: bytes
    value: bytes


def opened(url: str) -> Engine:
    """The database at `url` with all tables. Statements in its errors hold no values: those are people's.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database cannot be reached or changed.

    """
    _keep_private(url)
    engine = sql.create_engine(url, hide_parameters=True)
    on_connect = {"sqlite": _durable_sqlite, "postgresql": _durable_postgresql}.get(engine.dialect.name)
    if on_connect is not None:
        event.listen(engine, "connect", on_connect)
    META.create_all(engine)
    _migrate(engine)
    return engine


def _keep_private(url: str) -> None:
    """SQLite's files are for their owner alone; those beside the database take its mode when they are made."""
    made = sql.make_url(url)
    if made.get_backend_name() != "sqlite" or made.database in {None, "", ":memory:"}:
        return
    database = Path(str(made.database))
    private_file(database)
    for beside in ("-wal", "-shm"):
        if (file := database.with_name(database.name + beside)).exists():
            file.chmod(0o600)


def _migrate(engine: Engine) -> None:
    """Add the columns and indexes that a former version's ledger lacks; each column has a default of the server's."""
    there = {column["name"] for column in sql.inspect(engine).get_columns(EFFECTS.name)}
    missing = [column for column in EFFECTS.columns if column.name not in there]
    with engine.begin() as db:
        for column in missing:
            db.execute(sql.text(f"ALTER TABLE {EFFECTS.name} ADD COLUMN {CreateColumn(column).compile(engine)}"))
    for index in EFFECTS.indexes:
        index.create(engine, checkfirst=True)


def _durable_sqlite(connection: sql.engine.interfaces.DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _durable_postgresql(connection: sql.engine.interfaces.DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute("SET synchronous_commit TO on")  # a server or role may be set otherwise
    cursor.close()
    connection.autocommit = False

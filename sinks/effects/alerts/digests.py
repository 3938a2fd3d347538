"""Which alerts go together: a burst of an account's alerts by one medium waits until its window closes, and then leaves as one message.

Kept in the ledger's database, so that a message in doubt is repeated with the same content, and every alert of it knows how it ended:

    open --its window closed, one of its alerts leads--> sealed --handed over--> ended
"""

from collections.abc import Sequence

import msgspec
import sqlalchemy as sql

from recovery.contracts.events import Event
from sinks.effects.engine.ledger import Ledger
from sinks.effects.engine.ledger_tables import EFFECTS

META = sql.MetaData()
DIGESTS = sql.Table(
    "digests",
    META,
    sql.Column("id", sql.String, primary_key=True),
    sql.Column("account", sql.String, nullable=False),
    sql.Column("medium", sql.String, nullable=False),
    sql.Column("closes_at", sql.Float, nullable=False),  # unix seconds of business time, as in the ledger
    sql.Column("state", sql.String, nullable=False, default="open"),
    sql.Column("leader", sql.String, nullable=False, default=""),
    sql.Column("result", sql.String, nullable=False, default=""),
    sql.Column("why", sql.String, nullable=False, default=""),
    sql.Column("message", sql.String, nullable=False, default=""),
)
UNDER_WAY = DIGESTS.c.state == "open"
sql.Index("digests_open", DIGESTS.c.account, DIGESTS.c.medium, sqlite_where=UNDER_WAY, postgresql_where=UNDER_WAY)
MEMBERS = sql.Table(
    "digest_members",
    META,
    sql.Column("effect", sql.String, primary_key=True),
    sql.Column("digest", sql.String, nullable=False, index=True),
    sql.Column("place", sql.Integer, nullable=False),
    sql.Column("event", sql.LargeBinary, nullable=False),
)


class Digest(msgspec.Struct, frozen=True, kw_only=True):
    """One message for several alerts. `leader` is the alert whose claim covers it; `result` and the fields after it are its outcome."""

    id: str
    closes_at: float
    state: str
    leader: str
    result: str
    why: str
    message: str


class Digests:
    """The digests in a ledger's database; safe for the threads of the process that owns it. Raises SQLAlchemyError as the ledger does."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        META.create_all(ledger.engine)

    def of(self, effect: str) -> Digest | None:
        """The digest that an alert belongs to; None for one that goes alone."""
        with self._ledger.engine.connect() as db:
            member = sql.select(MEMBERS.c.digest).where(MEMBERS.c.effect == effect).scalar_subquery()
            return _digest(db.execute(_columns().where(DIGESTS.c.id == member)).mappings().one_or_none())

    def is_open(self, account: str, medium: str) -> bool:
        """Whether a digest of the account is being filled."""
        with self._ledger.engine.connect() as db:
            return db.execute(sql.select(DIGESTS.c.id).where(_filled(account, medium)).limit(1)).first() is not None

    def join(self, effect: str, account: str, medium: str, event: Event, closes_at: float) -> Digest:
        """Put an alert into the digest that is open, or into a new one that closes then; its id derives from its first alert's."""
        with self._ledger.writing() as db:
            found = db.execute(sql.select(DIGESTS.c.id).where(_filled(account, medium))).scalar()
            digest = found or f"{effect}.digest.1"
            if found is None:
                db.execute(DIGESTS.insert().values(id=digest, account=account, medium=medium, closes_at=closes_at))
            place = db.execute(sql.select(sql.func.count()).where(MEMBERS.c.digest == digest)).scalar_one()
            db.execute(MEMBERS.insert().values(effect=effect, digest=digest, place=place, event=msgspec.json.encode(event)))
            joined = _digest(db.execute(_columns().where(DIGESTS.c.id == digest)).mappings().one())
        assert joined is not None, "it was just written"  # noqa: S101 - told to the type checker
        return joined

    def lead(self, digest: str, effect: str) -> Sequence[Event] | None:
        """Close the digest to further alerts and let this one carry it. Returns all its events in order, None when another one leads.

        A leader that is settled while its digest is not was never performed: withdrawn, expired or given up. Then another one may.
        """
        gone = sql.exists().where((EFFECTS.c.id == DIGESTS.c.leader) & EFFECTS.c.state.in_(("settled", "published")))
        with self._ledger.writing() as db:
            free = (DIGESTS.c.id == digest) & (DIGESTS.c.state != "ended") & (DIGESTS.c.leader.in_(("", effect)) | gone)
            if not db.execute(DIGESTS.update().where(free).values(state="sealed", leader=effect)).rowcount:
                return None
            rows = db.execute(sql.select(MEMBERS.c.event).where(MEMBERS.c.digest == digest).order_by(MEMBERS.c.place)).scalars()
            return [msgspec.json.decode(row, type=Event) for row in rows]

    def release(self, digest: str) -> None:
        """Its leader could not hand it over: any of its alerts may lead, with the same content."""
        with self._ledger.writing() as db:
            db.execute(DIGESTS.update().where(DIGESTS.c.id == digest).values(leader=""))

    def end(self, digest: str, result: str, why: str, message: str) -> None:
        """How it ended, for all its alerts."""
        with self._ledger.writing() as db:
            db.execute(DIGESTS.update().where(DIGESTS.c.id == digest).values(state="ended", result=result, why=why, message=message))

    def forget(self, closed_before: float) -> int:
        """Delete digests that closed before (business). Returns how many."""
        with self._ledger.writing() as db:
            old = sql.select(DIGESTS.c.id).where(DIGESTS.c.closes_at < closed_before)
            db.execute(MEMBERS.delete().where(MEMBERS.c.digest.in_(old)))
            return db.execute(DIGESTS.delete().where(DIGESTS.c.closes_at < closed_before)).rowcount


def _columns() -> "sql.Select[tuple[object, ...]]":
    return sql.select(*(DIGESTS.c[name] for name in Digest.__struct_fields__))


def _filled(account: str, medium: str) -> sql.ColumnElement[bool]:
    return (DIGESTS.c.account == account) & (DIGESTS.c.medium == medium) & (DIGESTS.c.state == "open")


def _digest(row: "sql.RowMapping | None") -> Digest | None:
    return None if row is None else Digest(**row)

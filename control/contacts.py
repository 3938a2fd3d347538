"""Who to write to: the one store with names and addresses of payers. Topics and ClickHouse carry ids only (B94)."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa

from control.private_files import private_file

_metadata = sa.MetaData()
_table = sa.Table(
    "contacts",
    _metadata,
    sa.Column("account", sa.String, primary_key=True),
    sa.Column("customer", sa.String, primary_key=True),
    sa.Column("email", sa.String, nullable=False),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("locale", sa.String, nullable=False),
    sa.Column("at", sa.Float, nullable=False),  # unix seconds: SQLite knows no time zones
    sa.Column("phone", sa.String, nullable=False, server_default=""),
)
_others = sa.Table(
    "billing_contacts",
    _metadata,
    sa.Column("account", sa.String, primary_key=True),
    sa.Column("customer", sa.String, primary_key=True),
    sa.Column("place", sa.Integer, primary_key=True),  # 2 is the first after the customer's own address
    sa.Column("email", sa.String, nullable=False),
)
_dead = sa.Table(
    "dead_addresses",
    _metadata,
    sa.Column("account", sa.String, primary_key=True),
    sa.Column("email", sa.String, primary_key=True),  # in lower case
    sa.Column("at", sa.Float, nullable=False),
)
_INDEXES = (
    sa.Index("contacts_by_email", _table.c.account, sa.func.lower(_table.c.email)),
    sa.Index("contacts_by_phone", _table.c.account, _table.c.phone),
    sa.Index("billing_contacts_by_email", _others.c.account, sa.func.lower(_others.c.email)),
)


class StoredContact(msgspec.Struct, frozen=True):
    """A payer as last read from Stripe at `at`; `email` and `phone` (E.164, `+4915112345678`) are empty where none was recorded."""

    account: str
    customer: str
    email: str
    name: str
    locale: str
    at: datetime
    phone: str = ""


class BouncedAddress(msgspec.Struct, frozen=True):
    """The undeliverable address, as in MessageBounced: `contact` is empty for the customer's own and names another by its position;
    `remaining` of the customer's contacts can still receive mail."""

    contact: str
    remaining: int


class ContactStore:
    """The contacts of all accounts, in SQLite (mode 0600) or another database by SQLAlchemy URL; safe for several processes."""

    def __init__(self, url: str) -> None:
        made = sa.make_url(url)
        if made.get_backend_name() == "sqlite" and made.database not in {None, "", ":memory:"}:
            private_file(Path(str(made.database)))
        self._engine = sa.create_engine(made)
        _metadata.create_all(self._engine)
        self._grow()

    def remember(self, account: str, customer: str, email: str, name: str, locale: str, at: datetime, phone: str | None = None) -> None:
        """Keep what was read at `at` (aware); an older reading never replaces a newer one (B3). Without a `phone` the number stays."""
        seen: dict[str, Any] = {"email": email, "name": name, "locale": locale, "at": at.timestamp()}
        if phone is not None:
            seen["phone"] = phone
        if self._update(account, customer, seen):
            return
        try:
            with self._engine.begin() as connection:
                connection.execute(_table.insert().values(account=account, customer=customer, **seen))
        except sa.exc.IntegrityError:  # somebody remembered it meanwhile, or a newer reading is there
            self._update(account, customer, seen)

    def find(self, account: str, customer: str) -> StoredContact | None:
        """The contact, or None when it was never remembered or was forgotten."""
        with self._engine.connect() as connection:
            row = connection.execute(_table.select().where(_of(account, customer))).one_or_none()
        if row is None:
            return None
        return StoredContact(row.account, row.customer, row.email, row.name, row.locale, datetime.fromtimestamp(row.at, UTC), row.phone)

    def customers_with_phone(self, account: str, phone: str) -> tuple[str, ...]:
        """The account's customers who were last seen with this number (E.164), in the order of their ids; several may share one."""
        wanted = sa.and_(_table.c.account == account, _table.c.phone == phone)
        with self._engine.connect() as connection:
            return tuple(connection.execute(sa.select(_table.c.customer).where(wanted).order_by(_table.c.customer)).scalars())

    def replace_billing_contacts(self, account: str, customer: str, emails: Sequence[str]) -> None:
        """Keep the customer's further billing contacts in their order, and no others (B56)."""
        known = self.others(account, customer)
        if known == tuple(emails):
            return
        rows = [{"account": account, "customer": customer, "place": place, "email": email} for place, email in enumerate(emails, 2)]
        with self._engine.begin() as connection:
            connection.execute(_others.delete().where(_of(account, customer, _others)))
            if rows:
                connection.execute(_others.insert(), rows)

    def others(self, account: str, customer: str) -> tuple[str, ...]:
        """The customer's further billing contacts as last read, in their order."""
        wanted = sa.select(_others.c.email).where(_of(account, customer, _others)).order_by(_others.c.place)
        with self._engine.connect() as connection:
            return tuple(connection.execute(wanted).scalars())

    def bounced(self, account: str, customer: str, email: str, at: datetime) -> BouncedAddress:
        """Remember that mail to an address bounces permanently, and return what that means for the customer (B53, B56).

        Only an address of this customer is remembered: a forged report about the sender's own mail must not silence others. Any other
        address counts as a former contact.
        """
        address = email.strip().lower()
        own = self.find(account, customer)
        everyone = [own.email if own else "", *self.others(account, customer)]
        places = {one.lower(): place for place, one in reversed(list(enumerate(everyone, 1))) if one}
        place = places.get(address)
        if place is not None:
            with self._engine.begin() as connection:
                connection.execute(_dead.delete().where(_dead.c.account == account, _dead.c.email == address))
                connection.execute(_dead.insert().values(account=account, email=address, at=at.timestamp()))
        remaining = len(set(places) - self.undeliverable(account, everyone))
        return BouncedAddress("" if place == 1 else f"billing_{place or 'former'}", remaining)

    def undeliverable(self, account: str, emails: Sequence[str]) -> frozenset[str]:
        """Those of the addresses, in lower case, that mail came back from for good."""
        wanted = sa.and_(_dead.c.account == account, _dead.c.email.in_([email.lower() for email in emails]))
        with self._engine.connect() as connection:
            return frozenset(connection.execute(sa.select(_dead.c.email).where(wanted)).scalars())

    def customers_with_email(self, account: str, email: str) -> tuple[str, ...]:
        """The account's customers whose own address or further billing contact this is, in any case, in the order of their ids."""
        address = email.strip().lower()
        wanted = [
            sa.select(table.c.customer).where(table.c.account == account, sa.func.lower(table.c.email) == address)
            for table in (_table, _others)
        ]
        with self._engine.connect() as connection:
            return tuple(sorted(set(connection.execute(sa.union(*wanted)).scalars())))

    def forget(self, account: str, customer: str) -> None:
        """Delete the customer's contacts and what is known of their addresses; no error when there are none."""
        own = self.find(account, customer)
        emails = [email.lower() for email in (own.email if own else "", *self.others(account, customer))]
        with self._engine.begin() as connection:
            connection.execute(_table.delete().where(_of(account, customer)))
            connection.execute(_others.delete().where(_of(account, customer, _others)))
            connection.execute(_dead.delete().where(_dead.c.account == account, _dead.c.email.in_(emails)))

    def close(self) -> None:
        """Release the connections."""
        self._engine.dispose()

    def _grow(self) -> None:
        """Add the column and the indexes that a former version's store lacks."""
        with self._engine.begin() as connection:
            if all(column["name"] != "phone" for column in sa.inspect(connection).get_columns(_table.name)):
                connection.execute(sa.text(f"ALTER TABLE {_table.name} ADD COLUMN phone VARCHAR NOT NULL DEFAULT ''"))
            for index in _INDEXES:
                connection.execute(sa.schema.CreateIndex(index, if_not_exists=True))

    def _update(self, account: str, customer: str, seen: dict[str, Any]) -> bool:
        newer = sa.and_(_of(account, customer), _table.c.at <= seen["at"])
        with self._engine.begin() as connection:
            return bool(connection.execute(_table.update().where(newer).values(**seen)).rowcount)


def _of(account: str, customer: str, table: sa.Table = _table) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.account == account, table.c.customer == customer)

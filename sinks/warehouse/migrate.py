"""Forward-only numbered SQL files and their runner; each file runs once and is remembered with its checksum."""

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import msgspec
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import Error
from urllib3.exceptions import HTTPError

from recovery.adapters import clickhouse
from recovery.adapters.clickhouse_trouble import refused, sentence

FOLDER = Path(__file__).parent / "migrations"
LOCK = "dunlin_internal.migration_lock"
_AGE = """SELECT max(dateDiff('second', metadata_modification_time, now()))
FROM system.tables WHERE concat(database, '.', name) = {lock:String}"""
STALE_SECONDS = 30
"""A lock older than this was left by a run that was killed; a whole run takes about a second."""
_TABLE_EXISTS = "(TABLE_ALREADY_EXISTS)"
ReportLine = Callable[[str], None]


class MigrationError(RuntimeError):
    """The database cannot be brought up to date; the text says why and what to do."""


class Migration(msgspec.Struct, frozen=True):
    """One numbered file: `NNNN_name.sql`."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """What the file said when it ran."""
        return hashlib.sha256(self.sql.encode()).hexdigest()

    def statements(self) -> list[str]:
        """The file's statements, without comments; each ends with a semicolon at the end of a line."""
        bare = re.sub(r"(?m)^\s*--.*$", "", self.sql)
        return [text.strip() for text in re.split(r";\s*(?:\n|\Z)", bare) if text.strip()]


def read(folder: Path = FOLDER) -> list[Migration]:
    """The files of a folder in order. Raises MigrationError when a name is wrong or a number missing or doubled."""
    found = []
    for path in sorted(folder.glob("*.sql")):
        match = re.fullmatch(r"(\d{4})_([a-z0-9_]+)", path.stem)
        if match is None:
            raise MigrationError(f"{path.name} is not named like 0001_subject.sql.")
        found.append(Migration(int(match[1]), path.stem, path.read_text(encoding="utf-8")))
    if [file.number for file in found] != list(range(1, len(found) + 1)):
        raise MigrationError(f"Migrations must be numbered 1, 2, 3... without gaps; found {[file.number for file in found]}.")
    return found


def run(url: str, report: ReportLine, wait_seconds: float = 60.0, folder: Path = FOLDER) -> list[str]:
    """Bring the database up to date. Returns the names of the files that ran now.

    Raises:
        MigrationError: the server did not answer in `wait_seconds`, a file was edited after it ran, or a statement failed.

    """
    files = read(folder)
    server = _connect(url, report, wait_seconds)
    try:
        for database in ("dunlin", "dunlin_internal"):
            server.command(f"CREATE DATABASE IF NOT EXISTS {database}")
        server.command(_BOOK)
        with _lock(server, report):
            return _run_missing(server, files, report)
    except (Error, HTTPError, OSError) as error:
        raise MigrationError(sentence(url, error)) from error


_BOOK = """CREATE TABLE IF NOT EXISTS dunlin_internal.migrations (
    number UInt32 COMMENT 'number of the file', name String COMMENT 'its name', checksum String COMMENT 'SHA-256 of its text when it ran',
    ran_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'when it ran'
) ENGINE = MergeTree ORDER BY number SETTINGS fsync_after_insert = 1 COMMENT 'Migrations that ran'"""


def _run_missing(server: Client, files: list[Migration], report: ReportLine) -> list[str]:
    rows = server.query("SELECT number, name, checksum FROM dunlin_internal.migrations").result_rows
    ran = {int(number): (str(name), str(checksum)) for number, name, checksum in rows}
    _refuse_edited(files, ran)
    missing = [file for file in files if file.number not in ran]
    for file in missing:
        _execute(server, file)
        server.insert("dunlin_internal.migrations", [[file.number, file.name, file.checksum]], column_names=["number", "name", "checksum"])
        report(f"{file.name}: done, {len(file.statements())} statements")
    if not missing:
        report(f"nothing to do, {len(files)} migrations ran before")
    return [file.name for file in missing]


def _refuse_edited(files: list[Migration], ran: dict[int, tuple[str, str]]) -> None:
    for file in files:
        if file.number in ran and ran[file.number][1] != file.checksum:
            raise MigrationError(
                f"{file.name}.sql was edited after it ran on this database. Restore the file and put the change into a new migration."
            )
    if unknown := sorted(set(ran) - {file.number for file in files}):
        raise MigrationError(
            f"This database was migrated by a newer Dunlin (migration {unknown[-1]} is not known here). Update this program."
        )


def _execute(server: Client, file: Migration) -> None:
    for number, statement in enumerate(file.statements(), 1):
        try:
            server.command(statement)
        except Error as error:
            first_line = statement.splitlines()[0]
            raise MigrationError(
                f"{file.name}.sql, statement {number} ({first_line}) failed: {error}. "
                "Statements are repeatable: correct the cause and run again."
            ) from error


def _connect(url: str, report: ReportLine, wait_seconds: float) -> Client:
    deadline = monotonic() + wait_seconds
    reported_at = monotonic()
    while True:
        try:
            return clickhouse.client(url)
        except Error as error:
            if refused(error):
                raise MigrationError(sentence(url, error)) from error
            if monotonic() > deadline:
                raise MigrationError(f"ClickHouse did not answer within {wait_seconds:g} s. {sentence(url, error)}") from error
            if monotonic() - reported_at > 2:
                reported_at = monotonic()
                report(f"waiting for ClickHouse, {deadline - reported_at:.0f} s left")
            sleep(0.1)


@contextmanager
def _lock(server: Client, report: ReportLine) -> Iterator[None]:
    """Creating a table without IF NOT EXISTS is atomic on a server, so the table is the lock."""
    deadline = monotonic() + 2 * STALE_SECONDS
    while not _took(server):
        age = server.command(_AGE, parameters={"lock": LOCK})
        if int(str(age)) > STALE_SECONDS:
            report(f"a killed run left its lock {age} s ago; taking it over")
            server.command(f"DROP TABLE IF EXISTS {LOCK}")
        elif monotonic() > deadline:
            raise MigrationError(f"Another run holds the lock {LOCK}. Wait for it; if there is none: DROP TABLE {LOCK}.")
        sleep(0.2)
    try:
        yield
    finally:
        server.command(f"DROP TABLE IF EXISTS {LOCK} SYNC")


def _took(server: Client) -> bool:
    try:
        server.command(f"CREATE TABLE {LOCK} (held UInt8 COMMENT 'never read') ENGINE = Memory COMMENT 'There while a migration runs'")
    except Error as error:
        if _TABLE_EXISTS in str(error):
            return False
        raise
    return True

"""One place that makes the warehouse's engine from its URL, names the driver and opens transactions.

Belongs here: drivers, pragmas, isolation. Does not belong here: tables or queries.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, OperationalError

from connectors.errors import AuthError, ConfigurationError, ConnectorError, UnavailableError

SQLITE_TIMEOUT_SECONDS = 30
"""How long a writer waits for another one. With less, 9 of 400 writes were refused between two processes."""


CONNECT_TIMEOUT_SECONDS = 10
"""How long PostgreSQL may take to answer a connection, unless the URL says otherwise (`?connect_timeout=30`)."""

_POSTGRESQL = ("postgresql", "postgres", "postgresql+psycopg", "postgresql+psycopg2")
_SQLITE = ("sqlite", "sqlite+pysqlite")
_EXPECTED = "sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE"


def warehouse_url(text: str, base_folder: Path | None = None) -> URL:
    """The URL with its driver named and a relative SQLite path made absolute.

    SQLAlchemy 2.1 reads a bare `postgresql://` as psycopg 3, 2.0 and dagster-postgres as psycopg2: here it
    always means psycopg 3.

    Raises:
        ConfigurationError: not a URL, or a database we do not support.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ConfigurationError(
            f"the warehouse URL cannot be read; expected {_EXPECTED}"
        ) from None
    if url.drivername in _POSTGRESQL:
        return url.set(drivername="postgresql+psycopg")
    if url.drivername not in _SQLITE:
        raise ConfigurationError(
            f"the warehouse cannot live in {url.drivername}; expected {_EXPECTED}"
        )
    if not url.database or url.database == ":memory:":
        raise ConfigurationError("the warehouse needs a file: sqlite:///warehouse.db")
    path = Path(url.database)
    if not path.is_absolute() and base_folder is not None:
        path = base_folder / path
    return url.set(drivername="sqlite", database=str(path))


def make_engine(url: str | URL, base_folder: Path | None = None) -> Engine:
    """An engine on which both databases keep the same promises.

    SQLite: WAL, 30 s timeout, `BEGIN IMMEDIATE` for every transaction (anything else was measured to lose
    updates between two processes). PostgreSQL: psycopg 3, session time zone UTC.
    """
    resolved = warehouse_url(str(url), base_folder) if isinstance(url, str) else url
    if resolved.get_backend_name() == "sqlite":
        folder = Path(str(resolved.database)).parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UnavailableError(
                f"the warehouse's folder {folder} cannot be made: {error.strerror}; name another in `warehouse`"
            ) from error
        engine = create_engine(resolved, connect_args={"timeout": SQLITE_TIMEOUT_SECONDS})
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_immediate)
        return engine
    patience = (
        {} if "connect_timeout" in resolved.query else {"connect_timeout": CONNECT_TIMEOUT_SECONDS}
    )
    return create_engine(
        resolved, pool_pre_ping=True, connect_args={"options": "-c timezone=UTC", **patience}
    )


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=NORMAL",
        # 32 MB: a page of records alone exceeds the default of 4 MB, which made each commit copy the log back.
        "wal_autocheckpoint=8000",
        "foreign_keys=ON",
        "temp_store=MEMORY",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    options = connection.get_execution_options()
    connection.exec_driver_sql("BEGIN" if options.get("deskbridge_reader") else "BEGIN IMMEDIATE")


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that only reads: on SQLite it never waits for a writer.

    Raises:
        ConnectorError: as `translated`.
    """
    with translated(engine), engine.connect() as connection:
        connection = connection.execution_options(deskbridge_reader=True)
        with connection.begin():
            yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A short transaction that writes; commits at the end, rolls back on any error.

    Raises:
        ConnectorError: as `translated`.
    """
    with translated(engine), engine.begin() as connection:
        yield connection


@contextmanager
def translated(engine: Engine) -> Iterator[None]:
    """Turns a database's own failures into errors for people; wrong SQL stays what it is.

    Raises:
        UnavailableError: the database is gone, full, or locked for too long.
        AuthError: it refuses the log-in.
        ConfigurationError: the file is no database, or the server has none of this name.
    """
    try:
        yield
    except DatabaseError as error:
        explained = _explained(engine.url, error)
        if explained is None:
            raise
        raise explained from error


def shown_url(url: URL) -> str:
    """A warehouse's URL for people, without its password; a file by its path."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    return url.difference_update_query(["password"]).render_as_string(hide_password=True)


def _explained(url: URL, error: DatabaseError) -> ConnectorError | None:
    lines = str(error.orig).strip().splitlines() or ["no reason given"]
    said = lines[0].strip()
    what = f"the warehouse {shown_url(url)}"
    if isinstance(error.orig, sqlite3.DatabaseError):
        for words, kind, advice in _SQLITE_FAULTS:
            if words in said:
                return kind(f"{what}: {said}; {advice}")
    if not isinstance(error, OperationalError):
        return None
    if "password authentication failed" in said or "no password supplied" in said:
        return AuthError(f"{what} refuses the log-in: {said}; check user and password")
    if "database" in said and said.endswith("does not exist"):
        return ConfigurationError(f"{what}: {said}; create it, or name another in `warehouse`")
    if "connection" in said or "resolve" in said:
        reason = said.rsplit("failed: ", 1)[-1]
        return UnavailableError(
            f"{what} cannot be reached: {reason}. Is the server running, and are host and port right?"
        )
    return UnavailableError(f"{what} did not do what was asked: {said}")


_SQLITE_FAULTS: tuple[tuple[str, type[ConnectorError], str], ...] = (
    (
        "not a database",
        ConfigurationError,
        "it is another kind of file. Name another in `warehouse`, or move this one away",
    ),
    ("malformed", UnavailableError, "the file is damaged. Restore it from a backup"),
    (
        "unable to open",
        UnavailableError,
        "is it a file, and may this user read and write it and its folder?",
    ),
    ("readonly", UnavailableError, "this user may not write the file or its folder"),
    ("locked", UnavailableError, "another process holds it. Try again when that one is done"),
    ("full", UnavailableError, "make room on the disk; nothing of this step was kept"),
)
"""Words of SQLite, what they mean for the caller, and what to do."""

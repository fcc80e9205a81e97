"""One place that makes the warehouse's engine from its URL, names the driver and opens transactions.

Belongs here: drivers, pragmas, isolation. Does not belong here: tables or queries.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, OperationalError

from connectors.errors import ConfigurationError, UnavailableError

SQLITE_TIMEOUT_SECONDS = 30
"""How long a writer waits for another one. With less, 9 of 400 writes were refused between two processes."""


def warehouse_url(text: str, base_folder: Path | None = None) -> URL:
    """The URL with its driver named and a relative SQLite path made absolute.

    SQLAlchemy 2.1 reads a bare `postgresql://` as psycopg 3, 2.0 and dagster-postgres as psycopg2: here it
    always means psycopg 3.

    Raises:
        ConfigurationError: not a URL, or a database we do not support.
    """
    try:
        url = make_url(text)
    except ArgumentError as error:
        raise ConfigurationError(
            "the warehouse URL cannot be read; expected sqlite:///FILE or "
            "postgresql+psycopg://USER:PASSWORD@HOST/DATABASE"
        ) from error
    family = url.get_backend_name()
    if family in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    if family != "sqlite":
        raise ConfigurationError(
            f"the warehouse cannot live in {family}; expected sqlite or postgresql"
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
        Path(str(resolved.database)).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(resolved, connect_args={"timeout": SQLITE_TIMEOUT_SECONDS})
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_immediate)
        return engine
    return create_engine(resolved, pool_pre_ping=True, connect_args={"options": "-c timezone=UTC"})


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=NORMAL",
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
    """A transaction that only reads: on SQLite it never waits for a writer."""
    with engine.connect() as connection:
        connection = connection.execution_options(deskbridge_reader=True)
        with connection.begin():
            yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A short transaction that writes; commits at the end, rolls back on any error.

    Raises:
        UnavailableError: the database is gone or locked for too long.
    """
    try:
        with engine.begin() as connection:
            yield connection
    except OperationalError as error:
        raise UnavailableError(
            f"the warehouse at {engine.url.render_as_string(hide_password=True)} did not take the write: "
            f"{str(error.orig).strip().splitlines()[0] if error.orig else 'no reason given'}"
        ) from error

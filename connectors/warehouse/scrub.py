"""Takes what was deleted out of the database's own files: freed pages keep their words until they are written over.

Belongs here: this, for both databases. Does not belong here: deleting.
"""

import sqlite3

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from connectors.errors import UnavailableError
from connectors.warehouse.tables import metadata


def scrub(engine: Engine) -> None:
    """Writes the database anew without what was deleted.

    SQLite: the whole file is written once more (it needs as much free disk again), and its log is emptied.
    PostgreSQL: dead rows are taken out of every table; copies in its own logs and backups go with those.

    Raises:
        UnavailableError: somebody else holds the database, or the disk is full; nothing is lost, try again.
    """
    try:
        if engine.dialect.name == "sqlite":
            _scrub_sqlite(engine)
        else:
            _scrub_postgresql(engine)
    except (sqlite3.Error, DBAPIError) as error:
        told = error.orig if isinstance(error, DBAPIError) else error
        raise UnavailableError(
            f"what was erased is gone from every table, but not yet from the database's freed pages: {told}. "
            "Run the command again when nothing else holds the database"
        ) from error


def _scrub_sqlite(engine: Engine) -> None:
    # Kept connections of this process would hold the log.
    engine.dispose()
    connection = engine.raw_connection()
    try:
        cursor = connection.cursor()
        try:
            cursor.execute("VACUUM")
            busy = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            cursor.close()
    finally:
        connection.close()
    if busy is not None and busy[0]:
        raise sqlite3.OperationalError("its log is being read by another process")


def _scrub_postgresql(engine: Engine) -> None:
    quote = engine.dialect.identifier_preparer.quote
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for table in metadata.sorted_tables:
            connection.exec_driver_sql(f"VACUUM {quote(table.name)}")

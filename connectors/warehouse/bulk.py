"""Bulk writes: many rows in a few statements, on SQLite and PostgreSQL through the same calls.

Belongs here: insert, upsert, delete by key, replace the children of some parents. Never a round trip per row:
SQLite takes batches (executemany of one prepared statement), and so does PostgreSQL for a few rows. For more it takes
COPY, in binary form (a third of the work of text): of new rows into the table itself, of others into a temporary table
and one statement from there.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, TypeVar

import psycopg
from psycopg.types.json import Jsonb
from sqlalchemy import (
    Column,
    Connection,
    LargeBinary,
    MetaData,
    Table,
    and_,
    any_,
    delete,
    literal,
    or_,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

from connectors.json_text import json_bytes
from connectors.warehouse.types import Json, SafeText, UtcDateTime, safe_text

BATCH_ROWS = 2_000
"""Rows per statement; bounds memory, far beyond the point where a larger batch gains anything."""

FEW_ROWS = 50
"""Up to so many, PostgreSQL takes a statement a row (in one go) faster than COPY and its temporary table."""

KEYS_PER_QUERY = 500
"""Keys per IN list; SQLite allows 32,766 variables a statement, plans stay small well below."""

_COUNT_ROWS = {"preserve_rowcount": True}
"""Without it SQLAlchemy forgets the row count of an INSERT."""

Row = Mapping[str, Any]
Item = TypeVar("Item")


def chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Lists of at most `size` items, in order."""
    chunk: list[Item] = []
    for item in items:
        chunk.append(item)
        if len(chunk) >= size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def upsert(
    connection: Connection,
    table: Table,
    rows: Iterable[Row],
    *,
    key: Sequence[str] | None = None,
    update: bool = True,
    keep: Sequence[str] = (),
) -> int:
    """Inserts rows; where the key exists, updates those that differ (or leaves them, `update=False`).

    All rows have the same columns; columns that a row lacks and others have become NULL. When a key comes
    twice in one call the last row wins.

    Args:
        connection: inside a transaction.
        table: where to.
        rows: column name → value.
        key: columns of a unique constraint; the primary key when left out.
        update: false leaves existing rows as they are.
        keep: columns that an update never touches (given once, at insert).

    Returns:
        How many rows were inserted or really changed: writing the same again returns 0.
    """
    key = tuple(key or (column.name for column in table.primary_key.columns))
    changed = 0
    for chunk in chunks(rows, BATCH_ROWS):
        unique = dict(zip(map(_of(key), chunk), chunk, strict=True))
        columns = _columns(connection, table, list(unique.values()))
        update_names = [name for name in columns if update and name not in key and name not in keep]
        if connection.dialect.name == "sqlite" or len(unique) <= FEW_ROWS:
            changed += _upsert_each(connection, table, columns, key, update_names)
        else:
            changed += _upsert_copied(connection, table, columns, key, update_names)
    return changed


def insert(connection: Connection, table: Table, rows: Iterable[Row]) -> int:
    """Inserts rows whose keys are known to be new, in their order; returns how many.

    For callers that hold a lock under which they looked. All rows have the same columns; columns that a row lacks and
    others have become NULL.

    Raises:
        IntegrityError: a key was there already.
    """
    inserted = 0
    for chunk in chunks(rows, BATCH_ROWS):
        columns = _columns(connection, table, chunk)
        if connection.dialect.name == "sqlite" or len(chunk) <= FEW_ROWS:
            kind: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
            _run_each(connection, kind.insert(table), columns)
        else:
            target = connection.dialect.identifier_preparer.format_table(table)
            _copy(connection, target, table, columns)
        inserted += len(chunk)
    return inserted


def _columns(connection: Connection, table: Table, rows: Sequence[Row]) -> dict[str, list[Any]]:
    """Column name → the rows' values as the driver takes them."""
    present = set().union(*rows)
    unknown = present - set(table.c.keys())
    if unknown:
        raise KeyError(f"table {table.name} has no column {', '.join(sorted(unknown))}")
    names = [name for name in table.c.keys() if name in present]  # noqa: SIM118 - no dict
    if all(len(row) == len(names) for row in rows):
        values = list(map(list, zip(*map(_of(names), rows), strict=True)))
    else:
        values = [[row.get(name) for row in rows] for name in names]
    return {
        name: _prepared(table.c[name], its_values, connection)
        for name, its_values in zip(names, values, strict=True)
    }


def _of(names: Sequence[str]) -> Callable[[Row], tuple[Any, ...]]:
    """A row's values of these names."""
    if len(names) > 1:
        return itemgetter(*names)
    (name,) = names
    return lambda row: (row[name],)


def _on_conflict(statement: Any, table: Table, key: Sequence[str], names: Sequence[str]) -> Any:
    if not names:
        return statement.on_conflict_do_nothing(index_elements=list(key))
    new = statement.excluded
    return statement.on_conflict_do_update(
        index_elements=list(key),
        set_={name: new[name] for name in names},
        where=or_(*(table.c[name].is_distinct_from(new[name]) for name in names)),
    )


def _upsert_each(
    connection: Connection,
    table: Table,
    columns: Mapping[str, list[Any]],
    key: Sequence[str],
    names: Sequence[str],
) -> int:
    """One prepared statement, run for each row by the driver."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    return _run_each(connection, _on_conflict(insert(table), table, key, names), columns)


def _run_each(connection: Connection, statement: Any, columns: Mapping[str, list[Any]]) -> int:
    compiled = statement.compile(dialect=connection.dialect, column_keys=list(columns))
    rows: list[Any]
    if compiled.positiontup is None:
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    else:
        rows = list(zip(*(columns[name] for name in compiled.positiontup), strict=True))
    result = connection.exec_driver_sql(str(compiled), rows, execution_options=_COUNT_ROWS)
    return max(result.rowcount, 0)


def _upsert_copied(
    connection: Connection,
    table: Table,
    columns: Mapping[str, list[Any]],
    key: Sequence[str],
    names: Sequence[str],
) -> int:
    """PostgreSQL: COPY into a temporary table, and one statement from there."""
    preparer = connection.dialect.identifier_preparer
    quoted = ", ".join(preparer.quote(name) for name in columns)
    target = preparer.format_table(table)
    staging = f"staging_{table.name}"
    connection.exec_driver_sql(
        f"CREATE TEMPORARY TABLE {staging} ON COMMIT DROP AS "
        f"SELECT {quoted} FROM {target} WITH NO DATA"
    )
    _copy(connection, staging, table, columns)
    source = Table(staging, MetaData(), *(Column(n, table.c[n].type) for n in columns))
    insert = postgresql.insert(table).from_select(list(columns), select(*source.columns))
    statement = _on_conflict(insert, table, key, names)
    changed = connection.execute(statement, execution_options=_COUNT_ROWS).rowcount
    connection.exec_driver_sql(f"DROP TABLE {staging}")
    return max(changed, 0)


def _copy(
    connection: Connection, target: str, table: Table, columns: Mapping[str, list[Any]]
) -> None:
    """COPY into `target`, which has these columns of `table`."""
    dialect = connection.dialect
    quoted = ", ".join(dialect.identifier_preparer.quote(name) for name in columns)
    statement = f"COPY {target} ({quoted}) FROM STDIN (FORMAT BINARY)"
    types = [table.c[name].type.compile(dialect).lower() for name in columns]
    try:
        with (
            contextlib.closing(connection.connection.cursor()) as cursor,
            cursor.copy(statement) as copy,
        ):
            copy.set_types(types)
            for row in zip(*columns.values(), strict=True):
                copy.write_row(row)
    except psycopg.Error as error:
        # As SQLAlchemy does with its own statements, so that a full disk reads the same from both.
        raise DBAPIError.instance(
            statement, None, error, psycopg.Error, hide_parameters=True, dialect=dialect
        ) from error


def _prepared(column: Column[Any], values: list[Any], connection: Connection) -> list[Any]:
    """A column's values as the driver takes them; equal instants are written once."""
    if isinstance(column.type, SafeText):
        return [
            value
            if value is None or (type(value) is str and value.isascii() and "\x00" not in value)
            else safe_text(str(value))
            for value in values
        ]
    process = column.type.dialect_impl(connection.dialect).bind_processor(connection.dialect)
    if process is None or isinstance(column.type, LargeBinary):
        return values
    if isinstance(column.type, UtcDateTime):
        known = {value: process(value) for value in set(values)}
        return [known[value] for value in values]
    if isinstance(column.type, Json) and connection.dialect.name == "postgresql":
        texts = [json_bytes(value) for value in values]
        return [
            process(value) if text is None else Jsonb(text, _as_it_is)
            for value, text in zip(values, texts, strict=True)
        ]
    return [process(value) for value in values]


def _as_it_is(text: bytes) -> bytes:
    return text


def one_of(connection: Connection, column: Any, values: Sequence[Any]) -> Any:
    """The condition that a column is one of `values`, at most `KEYS_PER_QUERY` of them.

    PostgreSQL is given one array: its driver takes longer to read a list of 500 parameters than it to answer.
    """
    if connection.dialect.name == "postgresql":
        return column == any_(literal(list(values), postgresql.ARRAY(column.type)))
    return column.in_(values)


def select_in(
    connection: Connection, statement: Any, column: Any, values: Iterable[Any]
) -> Iterator[Any]:
    """Rows of `statement` where `column` is one of `values`, in as few queries as the key lists allow."""
    for chunk in chunks(dict.fromkeys(values), KEYS_PER_QUERY):
        yield from connection.execute(statement.where(one_of(connection, column, chunk)))


def delete_in(connection: Connection, table: Table, column: Any, values: Iterable[Any]) -> int:
    """Deletes the rows whose `column` is one of `values`; returns how many went."""
    gone = 0
    for chunk in chunks(dict.fromkeys(values), KEYS_PER_QUERY):
        condition = one_of(connection, column, chunk)
        gone += connection.execute(delete(table).where(condition)).rowcount
    return gone


def replace_children(
    connection: Connection,
    table: Table,
    parent: str,
    parents: Iterable[str],
    rows: Sequence[Row],
    *,
    keep: Sequence[str] = (),
) -> int:
    """Makes `rows` the only rows of these parents: upserts them, deletes the others of the same parents.

    `keep` names columns that keep the value they were first given.

    Returns:
        How many rows were inserted, changed or deleted; 0 when everything was so already.
    """
    parents = list(dict.fromkeys(parents))
    key = [column.name for column in table.primary_key.columns]
    wanted = {tuple(row[name] for name in key) for row in rows}
    columns = [table.c[name] for name in key]
    present = select_in(connection, select(*columns), table.c[parent], parents)
    stale = [tuple(row) for row in present if tuple(row) not in wanted]
    changed = 0
    for chunk in chunks(stale, KEYS_PER_QUERY // max(1, len(key))):
        condition = (
            columns[0].in_([values[0] for values in chunk])
            if len(key) == 1
            else or_(
                *(and_(*(c == v for c, v in zip(columns, values, strict=True))) for values in chunk)
            )
        )
        changed += connection.execute(delete(table).where(condition)).rowcount
    return changed + upsert(connection, table, rows, keep=keep)

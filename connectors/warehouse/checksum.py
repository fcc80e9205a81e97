"""One checksum per table over its domain columns: equal checksums, equal history.

Belongs here: how two warehouses are compared. Operational columns are left out (`tables.OPERATIONAL`).
"""

import hashlib
from typing import Any

from sqlalchemy import Connection, Table, select

from connectors.warehouse.tables import OPERATIONAL, OPERATIONAL_TABLES, metadata
from connectors.warehouse.types import canonical_json


def table_checksum(connection: Connection, table: Table) -> tuple[int, str]:
    """(rows, sha256 over the domain columns of all rows, in an order that does not depend on the database)."""
    left_out = OPERATIONAL.get(table.name, frozenset())
    columns = [column for column in table.columns if column.name not in left_out]
    digests = []
    rows = connection.execute(select(*columns).execution_options(yield_per=2_000))
    for row in rows:
        text = canonical_json([_plain(value) for value in row])
        digests.append(hashlib.sha256(text.encode()).digest())
    digests.sort()
    return len(digests), hashlib.sha256(b"".join(digests)).hexdigest()


def warehouse_checksums(connection: Connection) -> dict[str, tuple[int, str]]:
    """Table → (rows, checksum), for every table that holds domain columns."""
    return {
        name: table_checksum(connection, table)
        for name, table in sorted(metadata.tables.items())
        if name not in OPERATIONAL_TABLES
    }


def _plain(value: Any) -> Any:
    return hashlib.sha256(value).hexdigest() if isinstance(value, bytes) else value

"""Leases: who may do a piece of work that only one worker should do at a time.

Belongs here: taking and giving back rows of `lease`. Does not belong here: the work, and leases that carry more than a
name (`oauth_tokens`, `outbox`).
"""

from datetime import datetime

from sqlalchemy import Connection, delete, or_
from sqlalchemy.dialects import postgresql, sqlite

from connectors.warehouse.tables import lease


def take(connection: Connection, name: str, owner: str, now: datetime, until: datetime) -> bool:
    """Takes a lease that is free, has run out, or is the owner's own already (which renews it)."""
    kind = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = kind.insert(lease).values(name=name, owner=owner, lease_until=until)
    statement = statement.on_conflict_do_update(
        index_elements=["name"],
        set_={"owner": owner, "lease_until": until},
        where=or_(lease.c.lease_until <= now, lease.c.owner == owner),
    )
    # Without the option SQLAlchemy forgets the row count of an INSERT.
    return connection.execute(statement, execution_options={"preserve_rowcount": True}).rowcount > 0


def give_back(connection: Connection, name: str, owner: str) -> None:
    """Ends the owner's lease; another's stays."""
    connection.execute(delete(lease).where(lease.c.name == name, lease.c.owner == owner))

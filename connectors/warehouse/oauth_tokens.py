"""OAuth pairs in the warehouse: one for all workers, replaced in one transaction with the end of the lease.

Belongs here: rows of `oauth_token` and their leases. Does not belong here: refreshing (`connectors.oauth`).

The tokens stand here as they are, as they would in the configuration: whoever may read the warehouse may use them.
"""

from datetime import datetime

from sqlalchemy import Connection, Engine, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from connectors.token_store import StoredToken, Turn
from connectors.warehouse.bulk import upsert
from connectors.warehouse.engine import reading, writing
from connectors.warehouse.tables import lease, oauth_token


class SqlTokenStore:
    """`connectors.token_store.TokenStore` over a warehouse; short transactions, safe for threads and processes."""

    def __init__(self, engine: Engine) -> None:
        """Works on a prepared warehouse; opens no connection."""
        self._engine = engine

    def load(self, credential: str) -> StoredToken | None:
        """The newest pair, or None."""
        query = select(oauth_token).where(oauth_token.c.credential == credential)
        with reading(self._engine) as connection:
            row = connection.execute(query).mappings().one_or_none()
        if row is None:
            return None
        return StoredToken(**{name: row[name] for name in StoredToken.__dataclass_fields__})

    def begin(self, credential: str, owner: str, now: datetime, until: datetime) -> Turn:
        """Takes the lease where it is free or has run out."""
        name = _lease_of(credential)
        with writing(self._engine) as connection:
            if _insert_lease(connection, name, owner, until):
                return Turn(is_ours=True)
            query = select(lease.c.owner).where(lease.c.name == name).with_for_update()
            before = connection.execute(query).scalar_one_or_none()
            taken = connection.execute(
                update(lease)
                .where(lease.c.name == name, lease.c.owner == before, lease.c.lease_until <= now)
                .values(owner=owner, lease_until=until)
            )
            return Turn(is_ours=True, abandoned_by=before) if taken.rowcount else Turn(False)

    def finish(self, credential: str, owner: str, token: StoredToken) -> None:
        """Keeps the new pair and gives the lease back, in one transaction."""
        row = {name: getattr(token, name) for name in StoredToken.__dataclass_fields__}
        with writing(self._engine) as connection:
            upsert(connection, oauth_token, [{"credential": credential, **row}])
            _delete_lease(connection, credential, owner)

    def release(self, credential: str, owner: str) -> None:
        """Gives the lease back: the pair is as it was."""
        with writing(self._engine) as connection:
            _delete_lease(connection, credential, owner)

    def abandon(
        self, credential: str, owner: str, now: datetime, on_behalf_of: str | None = None
    ) -> None:
        """Ends the lease now; the next to begin is told that the outcome is not known."""
        with writing(self._engine) as connection:
            connection.execute(
                update(lease)
                .where(lease.c.name == _lease_of(credential), lease.c.owner == owner)
                .values(owner=on_behalf_of or owner, lease_until=now)
            )


def _lease_of(credential: str) -> str:
    return f"oauth {credential}"


def _insert_lease(connection: Connection, name: str, owner: str, until: datetime) -> bool:
    kind = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = kind.insert(lease).values(name=name, owner=owner, lease_until=until)
    # Without the option SQLAlchemy forgets the row count of an INSERT on PostgreSQL.
    counted = {"preserve_rowcount": True}
    done = connection.execute(statement.on_conflict_do_nothing(), execution_options=counted)
    return done.rowcount > 0


def _delete_lease(connection: Connection, credential: str, owner: str) -> None:
    connection.execute(
        delete(lease).where(lease.c.name == _lease_of(credential), lease.c.owner == owner)
    )

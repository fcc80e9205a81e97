"""What sources keep beside their records: rate budgets and OAuth pairs, shared by all processes on a warehouse.

Belongs here: which stores a source is given. Does not belong here: the stores (`connectors.warehouse`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import NoReturn

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from connectors.budget import BudgetStore
from connectors.errors import ConnectorError, UnavailableError
from connectors.token_store import StoredToken, TokenStore, Turn
from connectors.warehouse import schema
from connectors.warehouse.engine import make_engine
from connectors.warehouse.oauth_tokens import SqlTokenStore
from connectors.warehouse.rate_budget import SqlBudgetStore
from pipelines.settings import Settings


class NoTokens:
    """Stands where there is no warehouse: a refresh token that works once must not be spent with nowhere to go."""

    def load(self, credential: str) -> StoredToken | None:
        """Refuses."""
        self._refuse()

    def begin(self, credential: str, owner: str, now: datetime, until: datetime) -> Turn:
        """Refuses."""
        self._refuse()

    def finish(self, credential: str, owner: str, token: StoredToken) -> None:
        """Refuses."""
        self._refuse()

    def release(self, credential: str, owner: str) -> None:
        """Refuses."""
        self._refuse()

    def abandon(
        self, credential: str, owner: str, now: datetime, on_behalf_of: str | None = None
    ) -> None:
        """Refuses."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise UnavailableError(
            "OAuth is not tried yet: the pair that a refresh gives out is kept in the warehouse, which is not there or "
            "not up to date. Run: deskbridge db upgrade"
        )


@dataclass(frozen=True, slots=True)
class Stores:
    """Stores for one process. `budgets` None: each source counts by itself."""

    budgets: BudgetStore | None = None
    tokens: TokenStore = field(default_factory=NoTokens)


def stores_on(engine: Engine) -> Stores:
    """The stores of a prepared warehouse."""
    return Stores(SqlBudgetStore(engine), SqlTokenStore(engine))


@contextmanager
def opened_stores(settings: Settings, *, is_there: bool) -> Iterator[Stores]:
    """The stores for somebody who works without a runtime; none where the warehouse cannot be used as it is.

    Args:
        settings: name the warehouse.
        is_there: whether an embedded warehouse has been made; nothing is made here.
    """
    if not is_there:
        yield Stores()
        return
    try:
        engine = make_engine(settings.warehouse, settings.folder)
    except ConnectorError:
        yield Stores()
        return
    try:
        yield stores_on(engine) if _is_current(engine) else Stores()
    finally:
        engine.dispose()


def _is_current(engine: Engine) -> bool:
    try:
        return schema.current_revision(engine) == schema.newest_revision()
    except (ConnectorError, SQLAlchemyError):
        # Somebody else reports on the warehouse itself.
        return False

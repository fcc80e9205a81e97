"""Brings a warehouse's schema to the version this code needs, by Alembic revisions.

Belongs here: upgrade, and the question whether one is due. Does not belong here: the revisions themselves
(`revisions/versions`).
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect

from connectors.errors import ConfigurationError
from connectors.warehouse.engine import reading, shown_url, writing
from connectors.warehouse.tables import metadata

_REVISIONS = Path(__file__).parent / "revisions"


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_REVISIONS))
    config.attributes["connection"] = connection
    return config


def current_revision(engine: Engine) -> str | None:
    """The revision the warehouse is at; None for an empty database."""
    with reading(engine) as connection:
        return MigrationContext.configure(connection).get_current_revision()


def newest_revision() -> str:
    """The revision this code needs."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None, "the package ships at least one revision"
    return head


def upgrade(engine: Engine) -> None:
    """Runs the revisions that are still due, in one transaction. Doing so again changes nothing.

    Raises:
        ConfigurationError: a newer version of this program has made the warehouse.
    """
    refuse_unknown(engine, current_revision(engine))
    with writing(engine) as connection:
        command.upgrade(_config(connection), "head")


def refuse_unknown(engine: Engine, current: str | None) -> None:
    """Raises ConfigurationError where a database is not ours: of a newer version, or of another program."""
    known = {one.revision for one in ScriptDirectory.from_config(_config()).walk_revisions()}
    if current is not None and current not in known:
        raise ConfigurationError(
            f"the warehouse {shown_url(engine.url)} is at revision {current}, which this version does not know: a "
            "newer Deskbridge made it. Install that one, or name another warehouse"
        )
    if current is None:
        with reading(engine) as connection:
            others = sorted(set(inspect(connection).get_table_names()) & set(metadata.tables))
        if others:
            raise ConfigurationError(
                f"{shown_url(engine.url)} is the database of another program: it has tables ({', '.join(others[:5])}) "
                "but no revision of ours. Name another in `warehouse`"
            )


def prepare(engine: Engine) -> None:
    """What start-up does: upgrades the embedded database; elsewhere refuses, with the command to run.

    Raises:
        ConfigurationError: a PostgreSQL warehouse is not at the revision this code needs, or one that a newer
            version of this program has made.
    """
    current = current_revision(engine)
    if current == newest_revision():
        return
    refuse_unknown(engine, current)
    if engine.dialect.name == "sqlite":
        upgrade(engine)
        return
    found = f"is at revision {current}" if current else "has no tables yet"
    raise ConfigurationError(
        f"the warehouse {shown_url(engine.url)} {found}, this version needs "
        f"{newest_revision()}. Run: deskbridge db upgrade"
    )

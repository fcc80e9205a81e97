"""The revisions and the tables say the same, forwards and backwards, on both databases."""

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, inspect

from connectors.errors import ConfigurationError
from connectors.warehouse import schema
from connectors.warehouse.engine import make_engine, warehouse_url
from connectors.warehouse.tables import DERIVED, OPERATIONAL, OPERATIONAL_TABLES, metadata


def test_revisions_make_exactly_the_tables(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, metadata) == []


def test_downgrade_then_upgrade_leaves_an_equal_schema(engine: Engine) -> None:
    with engine.begin() as connection:
        command.downgrade(schema._config(connection), "base")
    assert set(inspect(engine).get_table_names()) == {"alembic_version"}
    schema.upgrade(engine)
    assert set(metadata.tables) <= set(inspect(engine).get_table_names())


def test_embedded_database_is_prepared_at_start_postgresql_is_refused_with_the_command(
    tmp_path, postgres_engine: Engine
) -> None:
    embedded = make_engine(f"sqlite:///{tmp_path / 'new.db'}")
    schema.prepare(embedded)
    assert schema.current_revision(embedded) == schema.newest_revision()
    embedded.dispose()
    with postgres_engine.begin() as connection:
        command.downgrade(schema._config(connection), "base")
    with pytest.raises(ConfigurationError, match="deskbridge db upgrade"):
        schema.prepare(postgres_engine)


def test_operational_columns_exist() -> None:
    for table, columns in OPERATIONAL.items():
        assert columns <= set(metadata.tables[table].columns.keys()), table
    assert set(metadata.tables) >= OPERATIONAL_TABLES | set(DERIVED)


@pytest.mark.parametrize(
    ("given", "driver"),
    [
        ("postgresql://a@b/c", "postgresql+psycopg"),
        ("postgresql+psycopg2://a@b/c", "postgresql+psycopg"),
        ("sqlite:///x.db", "sqlite"),
    ],
)
def test_driver_is_named_in_one_place(given: str, driver: str, tmp_path) -> None:
    assert warehouse_url(given, tmp_path).drivername == driver


@pytest.mark.parametrize("given", ["mysql://a@b/c", "nonsense", "sqlite://"])
def test_unusable_url_is_refused(given: str) -> None:
    with pytest.raises(ConfigurationError, match="warehouse"):
        warehouse_url(given)

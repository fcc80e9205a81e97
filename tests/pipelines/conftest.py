"""A small demo world with its stand-ins in this process, and a runtime on each database."""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import pytest
from sqlalchemy import Engine, Table, func, select

from connectors.warehouse.checksum import warehouse_checksums
from connectors.warehouse.engine import make_engine, reading
from connectors.warehouse.schema import upgrade
from pipelines.demo.configuration import write_configuration
from pipelines.demo.folder import (
    AFTER_MIGRATION,
    AS_OF,
    BEFORE_MIGRATION,
    CLIENT,
    LIVE_FROM,
    DemoFolder,
)
from pipelines.demo.received import alerts, posts
from pipelines.demo.servers import port_of, stand_ins
from pipelines.demo.world import generate
from pipelines.demo.write import write
from pipelines.ingest import IngestReport, ingest_client
from pipelines.migrate import migrate_client
from pipelines.report import WrittenReport, write_compliance_report
from pipelines.runtime import Runtime, runtime_on
from pipelines.settings import Settings, load_settings
from pipelines.tick import TickReport, rehearse_client, take_back_leases

MIGRATION = "old-inbox"
SIZE = 0.05
SCALE = 3600


@dataclass
class Desk:
    """A demo folder, its running stand-ins, and a runtime of the demo's client on one warehouse."""

    folder: DemoFolder
    servers: Mapping[str, Any]
    engine: Engine
    runtime: Runtime

    @property
    def facts(self) -> dict[str, Any]:
        """What the generator knows of its world."""
        facts: dict[str, Any] = json.loads((self.folder.world / "facts.json").read_text("utf-8"))
        return facts

    def at(self, now: datetime) -> Runtime:
        """The same runtime at another present."""
        return runtime_on(self.engine, self.runtime.settings, lambda: now)

    def ingest(self, *only: str) -> IngestReport:
        """Sync and normalise, without any failure."""
        report = ingest_client(self.runtime, CLIENT, only)
        assert report.errors == []
        return report

    def rehearse(self) -> TickReport:
        """The ticks of the thirty hours since going live."""
        take_back_leases(self.runtime, CLIENT)
        return rehearse_client(self.runtime, CLIENT, LIVE_FROM, AS_OF)

    def run_job(self) -> WrittenReport:
        """The demo's whole job without Dagster: sync, migrate, sync again, clocks and pages, workbook."""
        self.ingest()
        migration = migrate_client(self.runtime, CLIENT, MIGRATION)
        assert migration.faults == []
        self.folder.set_clock(AFTER_MIGRATION)
        self.ingest()
        self.rehearse()
        return write_compliance_report(self.runtime, CLIENT, AS_OF)

    def checksums(self) -> dict[str, tuple[int, str]]:
        """Rows and checksum of each table's domain columns."""
        with reading(self.engine) as connection:
            return warehouse_checksums(connection)

    def count(self, table: Table, *where: Any) -> int:
        """How many rows of a table fit."""
        with reading(self.engine) as connection:
            found = connection.scalar(select(func.count()).select_from(table).where(*where))
        assert found is not None
        return found

    def rows(self, statement: Any) -> list[dict[str, Any]]:
        """What a query gives."""
        with reading(self.engine) as connection:
            return [dict(row._mapping) for row in connection.execute(statement)]

    def received(self) -> tuple[Counter[str], Counter[str]]:
        """Keys that PagerDuty and Slack took in, with how often."""
        return Counter(alerts(self.folder)), Counter(posts(self.folder))


class DeskMaker(Protocol):
    """Opens desks; closed again at the end of the test, or of the block."""

    def __call__(
        self,
        engine: Engine,
        *,
        ports: Mapping[str, int] | None = None,
        edit: Callable[[str], str] = str,
        world: Path | None = None,
    ) -> Any:
        """A context manager that gives a `Desk`; `edit` changes the configuration's text."""


@pytest.fixture(scope="session")
def small_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A twentieth of the demo's year, written once; never to be changed."""
    folder = tmp_path_factory.mktemp("world")
    write(generate(7, AS_OF, SIZE), folder)
    return folder


@pytest.fixture(scope="session")
def open_desk(small_world: Path, tmp_path_factory: pytest.TempPathFactory) -> DeskMaker:
    """Opens a desk on an engine of the test's choice."""

    @contextmanager
    def opened(
        engine: Engine,
        *,
        ports: Mapping[str, int] | None = None,
        edit: Callable[[str], str] = str,
        world: Path | None = None,
    ) -> Iterator[Desk]:
        folder = DemoFolder(tmp_path_factory.mktemp("desk"))
        folder.servers.mkdir()
        shutil.copytree(world or small_world, folder.world)
        folder.set_clock(BEFORE_MIGRATION)
        with ExitStack() as stack:
            with pytest.MonkeyPatch.context() as patch:
                # A documented hour in a second: limits and jobs are met, but not waited for.
                patch.setattr("pipelines.demo.servers.TIME_SCALE", SCALE)
                servers = {
                    name: stack.enter_context(server)
                    for name, server in stand_ins(folder, ports or {})
                }
            settings = configured(folder, servers, engine, edit)
            yield Desk(folder, servers, engine, runtime_on(engine, settings))

    return opened


def configured(
    folder: DemoFolder, servers: Mapping[str, Any], engine: Engine, edit: Callable[[str], str]
) -> Settings:
    """The demo's own configuration, on the test's database."""
    with pytest.MonkeyPatch.context() as patch:
        # Ours keeps to the limits by the same clock as theirs.
        patch.setattr("pipelines.demo.configuration.TIME_SCALE", SCALE)
        write_configuration(folder, {name: port_of(server) for name, server in servers.items()})
    url = engine.url.render_as_string(hide_password=False)
    text = folder.config.read_text("utf-8").replace("sqlite:///warehouse.db", url)
    folder.config.write_text(edit(text), "utf-8")
    return load_settings(folder.config)


@pytest.fixture
def desk(engine: Engine, open_desk: DeskMaker) -> Iterator[Desk]:
    """A desk on each database."""
    with open_desk(engine) as opened:
        yield opened


@pytest.fixture
def sqlite_desk(sqlite_engine: Engine, open_desk: DeskMaker) -> Iterator[Desk]:
    """A desk on SQLite, for what does not depend on the database."""
    with open_desk(sqlite_engine) as opened:
        yield opened


@pytest.fixture
def new_engine(tmp_path: Path) -> Iterator[Callable[[], Engine]]:
    """Makes further empty SQLite warehouses."""
    engines: list[Engine] = []

    def make() -> Engine:
        engine = make_engine(f"sqlite:///{tmp_path / f'further-{len(engines)}.db'}")
        upgrade(engine)
        engines.append(engine)
        return engine

    yield make
    for engine in engines:
        engine.dispose()


@pytest.fixture(scope="session")
def done(open_desk: DeskMaker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A desk on SQLite whose job is done; for tests that only read."""
    engine = make_engine(f"sqlite:///{tmp_path_factory.mktemp('done') / 'warehouse.db'}")
    upgrade(engine)
    with open_desk(engine) as desk:
        desk.run_job()
        yield desk
    engine.dispose()

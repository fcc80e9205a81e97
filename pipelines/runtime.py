"""What every command and job works with: settings, the warehouse's engine and a clock.

Belongs here: opening and closing these. Does not belong here: work.
"""

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine

from connectors.warehouse import schema
from connectors.warehouse.bulk import upsert
from connectors.warehouse.engine import make_engine, warehouse_url, writing
from connectors.warehouse.tables import client
from pipelines.settings import Settings, load_settings
from pipelines.stores import Stores, stores_on


@dataclass(frozen=True, slots=True)
class Runtime:
    """Settings, engine and clock of one process. `now` gives aware UTC instants."""

    settings: Settings
    engine: Engine
    now: Callable[[], datetime]
    sending_clock: Callable[[], datetime]
    """The clock of retries and leases: `now`, but it runs on where `now` stands still for a demo."""

    @property
    def stores(self) -> Stores:
        """Rate budgets and OAuth pairs, shared with every process on this warehouse."""
        return stores_on(self.engine)


def wall_clock() -> datetime:
    """The present instant, aware UTC."""
    return datetime.now(UTC)


@contextmanager
def opened(
    config: Path | None = None, now: Callable[[], datetime] | None = None
) -> Iterator[Runtime]:
    """A runtime on the configured warehouse, prepared and with its clients written down.

    Raises:
        SettingsError: the configuration is wrong.
        ConfigurationError: the warehouse cannot be used as it is; the message says what to run.
    """
    settings = load_settings(config)
    if is_first_start(settings):
        _refuse_wrong_files(settings)
    engine = make_engine(settings.warehouse, settings.folder)
    try:
        schema.prepare(engine)
        yield runtime_on(engine, settings, now)
    finally:
        engine.dispose()


def is_first_start(settings: Settings) -> bool:
    """Whether the embedded warehouse is still to be made."""
    url = warehouse_url(settings.warehouse, settings.folder)
    return url.get_backend_name() == "sqlite" and not Path(str(url.database)).exists()


def _refuse_wrong_files(settings: Settings) -> None:
    """Reads every client's rule and mapping files, so that a wrong one leaves no empty warehouse behind.

    Afterwards each client's files are read when they are needed: one client's fault is not another's.
    """
    from pipelines.rules import load_rules
    from pipelines.wiring import wire

    now = clock_of(settings)
    for client_key, one in settings.clients.items():
        load_rules(settings, client_key, now().date())
        for source in one.sources:
            wire(settings, client_key, source, now)


def runtime_on(
    engine: Engine, settings: Settings, now: Callable[[], datetime] | None = None
) -> Runtime:
    """A runtime on a prepared warehouse that the caller closes; its clients are written down."""
    if not gc.get_freeze_count():
        # What the libraries brought stays for good: looking through it again and again was a fifth of a sync's time.
        gc.freeze()
    _write_clients(engine, settings)
    clock = now or clock_of(settings)
    return Runtime(settings, engine, clock, _running(clock) if settings.clock else clock)


def clock_of(settings: Settings) -> Callable[[], datetime]:
    """The configured present that stands still, else the wall clock."""
    clock = settings.clock
    if clock is None:
        return wall_clock
    standing = clock.astimezone(UTC)
    return lambda: standing


def _running(clock: Callable[[], datetime]) -> Callable[[], datetime]:
    started = time.monotonic()
    return lambda: clock() + timedelta(seconds=time.monotonic() - started)


def _write_clients(engine: Engine, settings: Settings) -> None:
    rows = [
        {"client_key": key, "time_zone": one.time_zone, "live_from": one.live_from}
        for key, one in settings.clients.items()
    ]
    with writing(engine) as connection:
        upsert(connection, client, rows)

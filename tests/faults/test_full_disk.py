"""A full disk: a clear error, no cursor beyond what is stored, the other client unharmed; with room again it goes on."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, func, select, text

from connectors.errors import ConnectorError
from connectors.standins.zendesk import ZendeskStandin
from connectors.standins.zendesk_sample import NOW, account
from connectors.warehouse import raw
from connectors.warehouse.engine import reading
from connectors.warehouse.tables import raw_record
from pipelines.ingest import ingest_client
from pipelines.runtime import Runtime, runtime_on
from pipelines.settings import load_settings

TICKETS = 1_500


@pytest.fixture
def zendesk() -> Iterator[ZendeskStandin]:
    with ZendeskStandin(account(TICKETS), now=lambda: NOW, time_scale=10_000) as running:
        yield running


@pytest.fixture
def runtime(sqlite_engine: Engine, tmp_path: Path, zendesk: ZendeskStandin) -> Runtime:
    file = tmp_path / "deskbridge.yaml"
    source = (
        f"{{id: zendesk, type: zendesk, base_url: '{zendesk.base_url}', email: ops@acme.example, "
        "token: made-up-token, time_scale: 10000}"
    )
    file.write_text(
        "warehouse: sqlite:///unused.db\n"
        "clients:\n"
        f"  north: {{time_zone: UTC, sources: [{source}]}}\n"
        f"  south: {{time_zone: UTC, sources: [{source}]}}\n"
    )
    return runtime_on(sqlite_engine, load_settings(file), lambda: NOW)


class Disk:
    """How many pages of 4 KiB SQLite may use: what it says beyond them is what it says on a full disk."""

    def __init__(self, engine: Engine) -> None:
        self._pages = 0
        self._engine = engine
        event.listen(engine, "begin", self._limit)

    def fill(self, engine: Engine, room: int) -> None:
        """From now on only so many further pages can be had."""
        with reading(engine) as connection:
            self._pages = (connection.scalar(text("PRAGMA page_count")) or 0) + room

    def empty(self) -> None:
        """All the room one wants."""
        self._pages = 1_000_000

    def _limit(self, connection: object) -> None:
        if self._pages:
            driver = connection.connection.driver_connection  # type: ignore[attr-defined]
            driver.execute(f"PRAGMA max_page_count = {self._pages}").fetchone()


def records(runtime: Runtime, client_key: str) -> int:
    with reading(runtime.engine) as connection:
        return (
            connection.scalar(
                select(func.count())
                .select_from(raw_record)
                .where(raw_record.c.client_key == client_key)
            )
            or 0
        )


@pytest.mark.parametrize("room", [20, 300, 900])
def test_a_full_disk_stops_clearly_and_loses_nothing(runtime: Runtime, room: int) -> None:
    engine = runtime.engine
    assert ingest_client(runtime, "south").errors == []
    whole = records(runtime, "south")
    disk = Disk(engine)
    disk.fill(engine, room)
    with pytest.raises(ConnectorError, match=r"(?i)full") as failed:
        report = ingest_client(runtime, "north")
        raise report.errors[0]
    assert "Traceback" not in str(failed.value)
    kept = records(runtime, "north")
    assert kept <= whole
    with reading(engine) as connection:
        state = raw.stream_state(connection, "north", "zendesk", "ticket_events")
        count = connection.scalar(
            select(func.count())
            .select_from(raw_record)
            .where(raw_record.c.client_key == "north", raw_record.c.stream == "ticket_events")
        )
    assert (state.cursor is None) == (count == 0), "a page's rows and its cursor go together"
    assert records(runtime, "south") == whole
    disk.empty()
    assert ingest_client(runtime, "north").errors == []
    assert records(runtime, "north") == whole

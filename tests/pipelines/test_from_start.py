"""`sync --from-start`: what an earlier version did not read beside old tickets comes, and nothing twice."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, delete, func, select

from connectors.standins.zendesk import ZendeskStandin
from connectors.standins.zendesk_product_sample import rich_account
from connectors.standins.zendesk_sample import NOW
from connectors.warehouse.engine import reading, writing
from connectors.warehouse.tables import raw_record
from pipelines.ingest import ingest_client
from pipelines.runtime import Runtime, runtime_on
from pipelines.settings import load_settings

BESIDE = ("side_conversations", "conversation_log")


@pytest.fixture
def zendesk() -> Iterator[ZendeskStandin]:
    with ZendeskStandin(rich_account(), now=lambda: NOW, time_scale=10_000) as running:
        yield running


@pytest.fixture
def runtime(engine: Engine, tmp_path: Path, zendesk: ZendeskStandin) -> Runtime:
    file = tmp_path / "deskbridge.yaml"
    file.write_text(
        "warehouse: sqlite:///unused.db\n"
        "clients:\n"
        "  acme:\n"
        "    time_zone: Europe/Istanbul\n"
        "    sources:\n"
        f"      - {{id: zendesk, type: zendesk, base_url: '{zendesk.base_url}', tries: 1, "
        "email: ops@acme.example, token: made-up-token, time_scale: 10000}\n"
    )
    return runtime_on(engine, load_settings(file), lambda: NOW)


def counts(connection: Connection) -> dict[str, int]:
    rows = connection.execute(
        select(raw_record.c.stream, func.count()).group_by(raw_record.c.stream)
    )
    return {stream: count for stream, count in rows}  # noqa: C416


def test_what_was_not_read_beside_old_tickets_comes_and_nothing_twice(runtime: Runtime) -> None:
    assert ingest_client(runtime, "acme").errors == []
    with reading(runtime.engine) as connection:
        whole = counts(connection)
    assert all(whole[stream] > 0 for stream in BESIDE)
    with writing(runtime.engine) as connection:
        connection.execute(delete(raw_record).where(raw_record.c.stream.in_(BESIDE)))

    assert ingest_client(runtime, "acme").errors == []
    with reading(runtime.engine) as connection:
        assert not set(BESIDE) & set(counts(connection)), "the cursors stand behind their tickets"

    report = ingest_client(runtime, "acme", from_start=True)
    assert report.errors == []
    with reading(runtime.engine) as connection:
        assert counts(connection) == whole


def test_what_left_a_list_is_told_before_it_is_read_again(
    runtime: Runtime, zendesk: ZendeskStandin
) -> None:
    ingest_client(runtime, "acme")
    zendesk.products.rows["group_memberships"].pop()
    ingest_client(runtime, "acme", from_start=True)
    with reading(runtime.engine) as connection:
        gone = connection.execute(
            select(raw_record.c.remote_id).where(
                raw_record.c.stream == "group_memberships", raw_record.c.is_tombstone
            )
        ).scalars()
        assert list(gone) == ["62"]


def test_a_cut_leaves_a_sync_that_goes_on(runtime: Runtime, zendesk: ZendeskStandin) -> None:
    ingest_client(runtime, "acme")
    with reading(runtime.engine) as connection:
        whole = counts(connection)
    zendesk.faults.add("tickets_export", "status", status=500, times=None, after=1)
    assert len(ingest_client(runtime, "acme", from_start=True).errors) == 1
    zendesk.faults.clear()
    assert ingest_client(runtime, "acme").errors == []
    with reading(runtime.engine) as connection:
        assert counts(connection) == whole

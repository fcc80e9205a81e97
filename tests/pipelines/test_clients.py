"""Two clients in one warehouse: what breaks at one leaves the other alone, and what was pulled is kept."""

from sqlalchemy import select

from connectors.errors import AuthError
from connectors.warehouse.engine import reading
from connectors.warehouse.tables import comment, metadata, raw_record, sync_cursor, ticket
from pipelines.demo.folder import AS_OF, CLIENT
from pipelines.demo.servers import port_of
from pipelines.ingest import ingest_client
from pipelines.tick import tick_client

OTHER = "beta"
DERIVED = ("ticket", "comment", "ticket_change", "contact", "raw_record", "entity_alias")


def with_another_client(text):
    """The demo's configuration with a second client that reads the old inbox as its own."""
    return (
        text
        + f"""\
  {OTHER}:
    time_zone: Europe/Berlin
    live_from: 2026-11-01T00:00:00+01:00
    sources:
      - id: archive
        type: mbox
        path: world/legacy/archive.mbox
        own_addresses: [old@acme.example]
"""
    )


def rows_of(desk, client_key):
    """Every row of a client, by table."""
    found = {}
    with reading(desk.engine) as connection:
        for name, table in metadata.tables.items():
            if "client_key" in table.c:
                rows = connection.execute(select(table).where(table.c.client_key == client_key))
                found[name] = sorted(repr(row) for row in rows)
    return found


def test_a_broken_source_leaves_other_sources_and_clients_alone(engine, open_desk):
    with open_desk(engine, edit=with_another_client) as desk:
        assert ingest_client(desk.runtime, OTHER).errors == []
        tick_client(desk.runtime, OTHER, AS_OF)
        others = rows_of(desk, OTHER)
        assert others["ticket"]
        # The token loses the right to the event export while tickets and people were pulled already.
        desk.servers["zendesk"].faults.add("events_export", "status", times=None, status=403)

        report = ingest_client(desk.runtime, CLIENT)
        tick_client(desk.runtime, CLIENT, AS_OF)

        (error,) = report.errors
        assert isinstance(error, AuthError)
        assert f"client {CLIENT}, source zendesk" in str(error)
        assert "made-up-token" not in str(error)
        outcomes = {outcome.source_key: outcome for outcome in report.sources}
        assert [key for key, one in outcomes.items() if one.error] == ["zendesk"]
        assert all(one.normalise.tickets > 10 for one in outcomes.values())
        pulled = desk.count(ticket, ticket.c.source_key == "zendesk")
        assert pulled == desk.facts["zendesk"]["tickets"]
        assert desk.count(comment, comment.c.source_key == "zendesk") == 0
        assert rows_of(desk, OTHER) == others


def test_the_next_run_makes_good_what_a_failure_left(sqlite_engine, new_engine, open_desk):
    with open_desk(sqlite_engine) as desk:
        desk.ingest()
        calm = {name: desk.checksums()[name] for name in DERIVED}
        ports = {name: port_of(server) for name, server in desk.servers.items()}
    with open_desk(new_engine(), ports=ports) as desk:
        desk.servers["zendesk"].faults.add("events_export", "status", status=403)
        desk.servers["freshdesk"].faults.add("ticket", "status", status=403, after=20)
        report = ingest_client(desk.runtime, CLIENT)
        assert len(report.errors) == 2

        desk.ingest()

        found = desk.checksums()
        assert {name: found[name] for name in DERIVED} == calm


def test_a_source_that_is_down_says_so_and_stores_nothing(sqlite_desk):
    desk = sqlite_desk
    desk.servers["imap"].stop()
    (error,) = ingest_client(desk.runtime, CLIENT, ["info"]).errors
    assert f"client {CLIENT}, source info" in str(error)
    assert "made-up-password" not in str(error)
    assert desk.count(raw_record) == 0
    assert desk.count(sync_cursor, sync_cursor.c.source_key == "info") == 0

    desk.servers["imap"].start()

    assert desk.ingest("info").sources[0].normalise.tickets > 20


def test_checksums_are_the_same_on_both_databases(sqlite_engine, postgres_engine, open_desk):
    with open_desk(sqlite_engine) as desk:
        desk.ingest()
        ports = {name: port_of(server) for name, server in desk.servers.items()}
        first = desk.checksums()
    with open_desk(postgres_engine, ports=ports) as desk:
        desk.ingest()
        assert desk.checksums() == first

"""Derived rows are what the raw records say: thrown away and made again they are the same."""

import contextlib

import pytest
from sqlalchemy import delete, select, update

from connectors.warehouse.engine import writing
from connectors.warehouse.tables import (
    DERIVED,
    comment,
    contact,
    contact_identity,
    metadata,
    organisation,
    sync_cursor,
    ticket,
    ticket_change,
    ticket_link,
)
from pipelines.demo.folder import AS_OF, CLIENT, LIVE_FROM
from pipelines.ingest import ingest_client
from pipelines.rebuild import rebuild_client
from pipelines.settings import SettingsError
from pipelines.tick import rehearse_client


def test_derived_tables_emptied_and_made_again_are_the_same(desk):
    desk.ingest()
    before = desk.checksums()
    with writing(desk.engine) as connection:
        for name in DERIVED:
            connection.execute(delete(metadata.tables[name]))
        connection.execute(update(sync_cursor).values(normalised_raw_id=0))

    ingest_client(desk.runtime, CLIENT)

    assert desk.checksums() == before


def told(desk):
    """Checksums of all but who told an identity first: after a migration that is the target as well."""
    return {name: sums for name, sums in desk.checksums().items() if name != "contact_identity"}


def identities(desk):
    """Whose each identity is."""
    rows = desk.rows(select(contact_identity))
    return {(row["kind"], row["value"]): row["contact_key"] for row in rows}


def test_a_rebuild_changes_nothing_where_nothing_is_wrong(desk):
    desk.run_job()
    before, known = told(desk), identities(desk)
    changes = select(ticket_change.c.change_key, ticket_change.c.recorded_at)
    changes = changes.order_by(ticket_change.c.change_key)
    learned = desk.rows(changes)

    report = rebuild_client(desk.at(AS_OF.replace(hour=20)), CLIENT)

    assert report.removed == 0
    assert [one.source_key for one in report.sources] == ["zendesk", "freshdesk", "info", "archive"]
    assert told(desk) == before
    assert identities(desk) == known
    assert desk.rows(changes) == learned
    received = desk.received()
    rehearse_client(desk.runtime, CLIENT, LIVE_FROM, AS_OF)
    assert told(desk) == before
    assert desk.received() == received


def test_a_rebuild_mends_what_was_made_wrongly(desk):
    desk.ingest()
    before = desk.checksums()
    (first,) = desk.rows(select(ticket).where(ticket.c.source_key == "zendesk").limit(1))
    with writing(desk.engine) as connection:
        connection.execute(update(ticket).values(subject="wrong"))
        connection.execute(update(contact).values(name="wrong", email=None))
        connection.execute(update(organisation).values(name="wrong and much too long a name"))
        connection.execute(delete(comment).where(comment.c.source_key == "freshdesk"))
        ghost = {**first, "ticket_key": "ticket-ghost", "remote_id": "none", "history_revision": 1}
        connection.execute(ticket.insert().values(ghost))

    report = rebuild_client(desk.runtime, CLIENT)

    assert report.removed == 1
    assert desk.checksums() == before


def test_a_rebuild_of_one_source_leaves_the_others(sqlite_desk):
    desk = sqlite_desk
    desk.ingest()
    before = desk.checksums()
    with writing(desk.engine) as connection:
        connection.execute(update(ticket).values(subject="wrong"))

    rebuild_client(desk.runtime, CLIENT, "info")

    wrong = desk.rows(select(ticket.c.source_key).where(ticket.c.subject == "wrong").distinct())
    assert {row["source_key"] for row in wrong} == {"zendesk", "freshdesk", "archive"}
    rebuild_client(desk.runtime, CLIENT)
    assert desk.checksums() == before


@pytest.mark.parametrize("kill_at", range(1, 12, 2))
def test_a_rebuild_that_is_killed_is_finished_by_the_next_sync(sqlite_desk, monkeypatch, kill_at):
    desk = sqlite_desk
    desk.ingest()
    before = desk.checksums()
    left, original = [kill_at], desk.engine.begin

    class _KilledError(BaseException):
        pass

    def begin():
        left[0] -= 1
        if left[0] == 0:
            raise _KilledError
        return original()

    monkeypatch.setattr(desk.engine, "begin", begin)
    with contextlib.suppress(_KilledError):
        rebuild_client(desk.runtime, CLIENT)
    monkeypatch.setattr(desk.engine, "begin", original)
    desk.ingest()
    assert desk.checksums() == before


def test_a_wrong_source_is_named_before_anything_is_taken_away(sqlite_desk):
    desk = sqlite_desk
    desk.ingest("archive")
    before = desk.checksums()
    with pytest.raises(SettingsError, match="no source 'nothing'"):
        rebuild_client(desk.runtime, CLIENT, "nothing")
    assert desk.checksums() == before


def test_links_of_a_migration_outlive_a_rebuild(sqlite_desk):
    desk = sqlite_desk
    desk.run_job()
    moved = desk.rows(select(ticket_link).where(ticket_link.c.kind == "migrated_to"))
    rebuild_client(desk.runtime, CLIENT)
    assert desk.rows(select(ticket_link).where(ticket_link.c.kind == "migrated_to")) == moved

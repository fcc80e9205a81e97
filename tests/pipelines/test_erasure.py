"""Erasing a person: nothing of them stays in any file, it stays so, and no figure moves."""

import dataclasses
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import Engine, LargeBinary, insert, select

from connectors.warehouse import audit, erasures, files
from connectors.warehouse.engine import reading, writing
from connectors.warehouse.report_queries import clocks_frame
from connectors.warehouse.tables import metadata, raw_record
from pipelines import erasure
from pipelines.attachments import store_of
from pipelines.demo.folder import AS_OF, CLIENT
from pipelines.ingest import ingest_client
from pipelines.measure import clocks_as_of
from pipelines.rebuild import rebuild_client
from pipelines.reconcile import reconcile_client
from pipelines.report import period_of
from pipelines.rules import load_rules
from reports.compliance import compliance_figures
from tests.pipelines.conftest import Desk, DeskMaker
from tests.pipelines.erasure_world import ADDRESS, NEEDLES, marked_world, with_export

SALT = "salt of the test"


@pytest.fixture(scope="session")
def world(small_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return marked_world(small_world, tmp_path_factory.mktemp("marked") / "world")


@pytest.fixture
def marked(engine: Engine, open_desk: DeskMaker, world: Path) -> Iterator[Desk]:
    opened: AbstractContextManager[Desk] = open_desk(engine, world=world, edit=with_export)
    with opened as desk:
        yield desk


def found_in(desk: Desk) -> dict[str, int]:
    """Needle → where it stands in any column of any table; on SQLite in the file's own bytes as well."""
    found: dict[str, int] = {}
    for table in metadata.sorted_tables:
        for row in desk.rows(select(table)):
            for name, value in row.items():
                is_bytes = isinstance(table.c[name].type, LargeBinary)
                content = (value or b"") if is_bytes else str(value).encode()
                for needle in NEEDLES:
                    if needle in bytes(content):
                        at = f"{table.name}.{name} {needle!r} {bytes(content)[:300]!r}"
                        found[at] = found.get(at, 0) + 1
    if desk.engine.dialect.name == "sqlite":
        path = Path(str(desk.engine.url.database))
        for one in (path, path.with_name(f"{path.name}-wal")):
            content = one.read_bytes() if one.exists() else b""
            for needle in NEEDLES:
                if needle in content:
                    found[f"{one.name} {needle!r}"] = content.count(needle)
    return found


def erase(desk: Desk, who: str = ADDRESS) -> erasure.Erased:
    return erasure.erase(desk.runtime, CLIENT, who, "ops", SALT)


def test_nothing_of_an_erased_person_is_found_anywhere_nor_comes_back(marked: Desk) -> None:
    marked.ingest()
    before = found_in(marked)
    assert {one.partition(" ")[0] for one in before} >= {
        "raw_record.payload",
        "ticket.subject",
        "comment.body_text",
        "attachment.file_name",
        "contact.name",
        "contact_identity.value",
        "person_record.phones",
        "entity_alias.remote_id",
    }
    done = erase(marked)
    assert done.scope.counts["tickets"] >= 6
    assert {row["source_key"] for row in done.scope.tickets} == {
        "zendesk",
        "freshdesk",
        "info",
        "export",
    }
    assert len(done.scope.elsewhere) == 2
    assert found_in(marked) == {}
    versions = marked.count(raw_record)
    again = ingest_client(marked.runtime, CLIENT, from_start=True)
    assert again.errors == []
    assert found_in(marked) == {}
    assert marked.count(raw_record) == versions
    with reading(marked.engine) as connection:
        assert audit.verify(connection, CLIENT).holds


NAMES = ("subject", "customer", "requester", "organisation", "requester_name")
"""Columns of a report's frames that name or quote."""


def figures_of(desk: Desk) -> dict[str, Any]:
    """Everything a report says, of the last whole month and of this one, but names."""
    told: dict[str, Any] = {}
    for month in ("2026-10", "2026-11"):
        period = period_of(month, AS_OF, "Europe/Istanbul")
        rules = load_rules(desk.runtime.settings, CLIENT, AS_OF.date())
        clocks = clocks_frame(list(clocks_as_of(desk.engine, CLIENT, rules, AS_OF)))
        with reading(desk.engine) as connection:
            figures = compliance_figures(connection, CLIENT, period, AS_OF, clocks=clocks)
        told[month] = plain(figures)
    return told


def plain(value: Any) -> Any:
    """A report's figures as they can be compared, frames without their names."""
    if isinstance(value, pd.DataFrame):
        return value.drop(columns=[c for c in NAMES if c in value]).to_csv(index=False)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {one.name: plain(getattr(value, one.name)) for one in dataclasses.fields(value)}
    return str(value)


SAME = {
    "ticket": "ticket_key status source_status priority type category channel requester_key assignee_key team_key "
    "tags source_verdict created_at updated_at solved_at is_automatic external_id",
    "comment": "comment_key ticket_key position created_at author_kind author_key is_public is_automatic message_id "
    "copy_of_key raw_remote_id",
    "ticket_change": "change_key ticket_key field old_value new_value occurred_at position actor_kind actor_key",
    "satisfaction_rating": "rating_key score source_score rated_at",
    "ticket_link": "ticket_key other_key kind",
    "sla_clock": "ticket_key metric instance policy due_at stopped_at breached_at elapsed_seconds state",
    "source_sla_event": "event_key metric type occurred_at",
    "timer": "timer_key state due_at",
    "escalation": "escalation_key due_at decided_at level",
    "contact": "contact_key merged_into_key",
}
"""Columns that are structure: what they hold does not change when somebody is erased."""


def structure_of(desk: Desk) -> dict[str, list[str]]:
    return {
        name: sorted(
            str([row[column] for column in columns.split()])
            for row in desk.rows(select(metadata.tables[name]))
        )
        for name, columns in SAME.items()
    }


def compared(before: dict[str, list[str]], after: dict[str, list[str]]) -> dict[str, Any]:
    """Table → rows that are only before, and only after."""
    return {
        name: (
            sorted(set(before[name]) - set(after[name])),
            sorted(set(after[name]) - set(before[name])),
        )
        for name in before
        if before[name] != after[name]
    }


def test_no_figure_moves(sqlite_engine: Engine, open_desk: DeskMaker, world: Path) -> None:
    """The demo's whole job is done; those who asked most are erased; everything is made again from what is left."""
    opened: AbstractContextManager[Desk] = open_desk(sqlite_engine, world=world, edit=with_export)
    with opened as desk:
        desk.run_job()
        figures, structure = figures_of(desk), structure_of(desk)
        assert any(kind == "duplicate_of" for kind in duplicates_of(desk).values())
        for who in [ADDRESS, *most_asking(desk, 9)]:
            erase(desk, who)
        assert compared(structure, structure_of(desk)) == {}
        assert figures_of(desk) == figures
        rebuild_client(desk.runtime, CLIENT)
        assert compared(structure, structure_of(desk)) == {}
        assert figures_of(desk) == figures
        assert found_in(desk) == {}


def most_asking(desk: Desk, count: int) -> list[str]:
    """Customers who asked most, and those whose tickets were found twice; each known by one key alone."""
    t, c = metadata.tables["ticket"].c, metadata.tables["contact"].c
    merged = {row["merged_into_key"] for row in desk.rows(select(c.merged_into_key))}
    asked = [
        row["requester_key"] for row in desk.rows(select(t.requester_key)) if row["requester_key"]
    ]
    twice = [
        row["requester_key"]
        for row in desk.rows(select(t.requester_key).where(t.ticket_key.in_(duplicates_of(desk))))
    ]
    order = sorted(set(asked), key=lambda key: (key not in twice, -asked.count(key), key))
    own = {row["contact_key"] for row in desk.rows(select(c.contact_key).where(c.email == ADDRESS))}
    own |= {
        row["contact_key"]
        for row in desk.rows(
            select(c.contact_key).where(
                (c.merged_into_key.is_not(None)) | c.email.like("%@acme.example")
            )
        )
    }
    return [key for key in order if key not in merged | own][:count]


def duplicates_of(desk: Desk) -> dict[str, str]:
    links = metadata.tables["ticket_link"]
    wanted = select(links).where(links.c.kind == "duplicate_of")
    return {row["ticket_key"]: row["kind"] for row in desk.rows(wanted)}


class _KilledError(Exception):
    pass


def test_killed_anywhere_the_next_sync_ends_it(
    sqlite_engine: Engine, open_desk: DeskMaker, world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before the transaction's end nothing has happened; after it the next sync does the rest."""

    def killed(*_args: object, **_options: object) -> None:
        raise _KilledError

    opened: AbstractContextManager[Desk] = open_desk(sqlite_engine, world=world, edit=with_export)
    with opened as desk:
        desk.ingest()
        checksums = desk.checksums()
        for name in ("_erase_rows", "_erase_raw"):
            with monkeypatch.context() as patch:
                patch.setattr(erasure, name, killed)
                with pytest.raises(_KilledError):
                    erase(desk)
            assert desk.checksums() == checksums
        with monkeypatch.context() as patch:
            patch.setattr(erasure, "_finish", killed)
            with pytest.raises(_KilledError):
                erase(desk)
        with reading(desk.engine) as connection:
            assert len(erasures.erasures(connection, CLIENT, unfinished=True)) == 1
        desk.ingest()
        with reading(desk.engine) as connection:
            assert erasures.erasures(connection, CLIENT, unfinished=True) == []
        assert found_in(desk) == {}


def test_files_go_unless_somebody_else_has_the_same(
    sqlite_engine: Engine, open_desk: DeskMaker, world: Path
) -> None:
    opened: AbstractContextManager[Desk] = open_desk(sqlite_engine, world=world, edit=with_export)
    with opened as desk:
        desk.ingest()
        store = store_of(desk.runtime, CLIENT)
        own, shared = store.put([b"own"]).sha256, store.put([b"shared"]).sha256
        a = metadata.tables["attachment"]
        mine = [
            row["attachment_key"]
            for row in desk.rows(select(a).where(a.c.file_name.like("Kolibriflug%")))
        ]
        others = [
            row["attachment_key"]
            for row in desk.rows(select(a))
            if row["attachment_key"] not in mine
        ]
        assert len(mine) >= 1
        assert others
        made = {
            f"{mine[0]}-1": (mine[0], own),
            f"{mine[0]}-2": (mine[0], shared),
            "x": (others[0], shared),
        }
        rows = {row["attachment_key"]: row for row in desk.rows(select(a))}
        with writing(desk.engine) as connection:
            for key, (like, digest) in made.items():
                connection.execute(
                    insert(a).values(rows[like] | {"attachment_key": key, "sha256": digest})
                )
        done = erase(desk)
        assert done.files_deleted == 1
        assert not store.has(own)
        assert store.has(shared)
        with reading(desk.engine) as connection:
            due = [
                one.attachment_key
                for source in ("zendesk", "freshdesk")
                for one in files.due_files(connection, CLIENT, source, AS_OF, 10_000)
            ]
        assert set(due) & set(mine) == set()


def test_a_reconciliation_finds_no_difference_by_it(
    sqlite_engine: Engine, open_desk: DeskMaker, world: Path
) -> None:
    opened: AbstractContextManager[Desk] = open_desk(sqlite_engine, world=world, edit=with_export)
    with opened as desk:
        desk.ingest()
        before = reconcile_client(desk.runtime, CLIENT)
        erase(desk)
        versions = desk.count(raw_record)
        after = reconcile_client(desk.runtime, CLIENT)
        assert after.errors == before.errors == []
        for figure in ("missing", "differing", "vanished", "remaining"):
            assert after.total(figure) == before.total(figure), figure
        assert desk.count(raw_record) == versions
        assert found_in(desk) == {}

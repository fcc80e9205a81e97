"""Erasing a person: nothing of them stays in any file, it stays so, and no figure moves."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, LargeBinary, select, text

from connectors.warehouse import audit
from connectors.warehouse.engine import reading
from connectors.warehouse.tables import metadata, raw_record
from pipelines import erasure
from pipelines.demo.folder import CLIENT
from pipelines.ingest import ingest_client
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
        "comment.reply_text",
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

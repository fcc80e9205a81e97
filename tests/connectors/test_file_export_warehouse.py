"""A CSV export through the warehouse and back: the same history as straight from the file, and again is safe."""

import os
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine

from connectors.file_export.layout import FileLayout
from connectors.file_export.source import FileExportSource
from connectors.warehouse import raw
from connectors.warehouse.engine import reading, writing
from transforms.file_export import count_rows, normalise
from transforms.mapping import load_mapping
from transforms.model import RawRecord

MAPPING = load_mapping(
    """\
rows: change
time_formats: [iso]
columns: {ticket: id, changed_at: at, status: state, team: team}
statuses: {New: new, Open: open, Done: solved}
""",
    "mapping.yaml",
)

EXPORT = (
    "id,at,state,team\n"
    "1,2026-03-02T09:00,New,Desk\n"
    '1,2026-03-02T09:05,Open,"Büro\n2"\n'
    "1,2026-03-02T09:05,Open,=HYPERLINK(1)\n"
    "1,2026-03-02T09:05,Open,=HYPERLINK(1)\n"
    "2\0,2026-03-02T09:00,New,Nul\0\n"
    ",2026-03-02T09:00,New,Desk\n"
    "3,2026-03-02T09:00\n"
)


def pull(engine: Engine, path: Path) -> int:
    """One sync, page by page; returns how many raw records were new."""
    source = FileExportSource(path, FileLayout(**MAPPING.layout()), page_rows=3)
    with reading(engine) as connection:
        state = raw.stream_state(connection, "acme", "export", "rows")
    stored, sequence = 0, state.sequence
    for page in source.pull("rows", state.cursor):
        with writing(engine) as connection:
            stored += raw.store_page(
                connection,
                "acme",
                "export",
                "rows",
                page,
                sequence=sequence,
                fetched_at=datetime(2026, 3, 3, tzinfo=UTC),
            ).stored
        sequence += 1
    return stored


def stored_records(engine: Engine) -> list[RawRecord]:
    with reading(engine) as connection:
        return list(raw.latest_records(connection, "acme", "export", "rows"))


def test_the_history_is_the_same_from_the_warehouse(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(EXPORT, encoding="utf-8")
    assert pull(engine, path) == 7
    records = stored_records(engine)
    direct = FileExportSource(path, FileLayout(**MAPPING.layout())).pull("rows", None)
    batch = normalise(records, MAPPING)
    assert batch == normalise([record for page in direct for record in page.records], MAPPING)
    count = count_rows(records, batch)
    assert (count.rows, count.in_history, count.rejected) == (7, 5, 2)
    assert sorted(r.reason for r in batch.rejected) == ["missing ticket id", "too few fields"]


def test_a_grown_export_stores_only_its_new_rows(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(EXPORT, encoding="utf-8")
    pull(engine, path)
    before = normalise(stored_records(engine), MAPPING)
    assert pull(engine, path) == 0
    path.write_text(EXPORT + "1,2026-03-02T10:00,Done,Desk\n", encoding="utf-8")
    os.utime(path, ns=(1, 2))
    assert pull(engine, path) == 1
    after = normalise(stored_records(engine), MAPPING)
    first = [c for c in after.changes if c.ticket_remote_id == "1"]
    assert first[:-2] == [c for c in before.changes if c.ticket_remote_id == "1"]
    assert [(c.field, c.new_value) for c in first[-2:]] == [("status", "solved"), ("team", "Desk")]

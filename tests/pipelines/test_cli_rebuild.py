"""`deskbridge rebuild`: says what was made again, changes nothing where nothing changed."""

import json
from pathlib import Path

import pytest

from pipelines.cli import main

CONFIG = """\
warehouse: sqlite:///warehouse.db
clock: 2026-11-04T13:00:00Z
clients:
  acme:
    time_zone: UTC
    sources:
      - {id: export, type: csv, path: export.csv, mapping: mapping.yaml}
"""

MAPPING = """\
rows: change
time_zone: UTC
time_formats: ["%Y-%m-%d %H:%M"]
statuses: {New: new, Done: DONE}
columns: {ticket: id, changed_at: at, status: state}
"""


def run(folder: Path, capsys: pytest.CaptureFixture[str], *command: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main([*command, "--config", str(folder / "deskbridge.yaml")])
    printed = capsys.readouterr()
    return int(ended.value.code or 0), printed.out, printed.err


def test_a_changed_mapping_holds_for_old_rows_after_a_rebuild(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "deskbridge.yaml").write_text(CONFIG)
    (tmp_path / "mapping.yaml").write_text(MAPPING.replace("DONE", "pending"))
    (tmp_path / "export.csv").write_text(
        "id,at,state\n7,2026-10-05 12:00,New\n7,2026-10-05 13:00,Done\n"
    )
    assert run(tmp_path, capsys, "sync")[0] == 0
    before = run(tmp_path, capsys, "checksum", "--json")
    assert run(tmp_path, capsys, "rebuild")[0] == 0
    assert run(tmp_path, capsys, "checksum", "--json") == before
    (tmp_path / "mapping.yaml").write_text(MAPPING.replace("DONE", "solved"))
    code, out, _ = run(tmp_path, capsys, "rebuild", "--json")
    assert code == 0
    assert json.loads(out)[0]["tickets"] == 1
    assert run(tmp_path, capsys, "checksum", "--json") != before
    assert "solved" in run(tmp_path, capsys, "explain", "7")[1]


def test_an_unknown_source_takes_nothing_away(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "deskbridge.yaml").write_text(CONFIG)
    (tmp_path / "mapping.yaml").write_text(MAPPING.replace("DONE", "solved"))
    (tmp_path / "export.csv").write_text("id,at,state\n7,2026-10-05 12:00,New\n")
    run(tmp_path, capsys, "sync")
    code, _, err = run(tmp_path, capsys, "rebuild", "--source", "exprt")
    assert code == 2
    assert "did you mean 'export'?" in err
    assert run(tmp_path, capsys, "explain", "7")[0] == 0

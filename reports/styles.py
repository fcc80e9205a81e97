"""How cells look: colours, fonts, number formats, made once per workbook.

Belongs here: appearance and nothing else. Does not belong here: values or their safety (`cells.py`).
"""

from copy import copy
from typing import Any, Literal

from openpyxl.cell import Cell, WriteOnlyCell
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.worksheet._write_only import WriteOnlyWorksheet

from reports.figure import Verdict

Kind = Literal[
    "text",
    "wrapped",
    "remark",
    "link",
    "count",
    "count_change",
    "share",
    "points",
    "duration",
    "delay",
    "minutes_change",
    "instant",
    "day",
    "title",
    "subtitle",
    "note",
    "section",
    "sentence",
    "header",
    "header_right",
    "status",
]
"""What a cell holds; decides number format and alignment."""

Tone = Literal["plain", "total", "good", "warning", "bad", "muted"]
"""How a cell stands out."""

FONT = "Calibri"
INK, MUTED, LINE = "1F2933", "616E7C", "D9DEE5"
NAVY, BLUE, TEAL, ORANGE, GREY = "1F3A5F", "2F6FB0", "2A9D8F", "E08E45", "9AA5B1"

FILLS: dict[Tone, tuple[str | None, str]] = {
    "plain": (None, INK),
    "total": ("EEF2F7", INK),
    "good": ("DDF2E3", "1B6B3A"),
    "warning": ("FFF1CC", "8A5A00"),
    "bad": ("FBDDDD", "A32020"),
    "muted": ("ECEEF1", MUTED),
}
"""Fill and letter colour of each tone; every pair has a contrast of more than 4.5 to 1."""

TONES: dict[Verdict, Tone] = {
    "met": "good",
    "close": "warning",
    "missed": "bad",
    "too few": "muted",
    "no data": "muted",
    "no goal": "plain",
}

NUMBER_FORMATS: dict[Kind, str] = {
    "count": "#,##0",
    "count_change": "+#,##0;-#,##0;0",
    "share": "0.0%",
    "points": '+0.0" pts";-0.0" pts";0.0" pts"',
    "duration": '[h]:mm;[h]:mm;"–"',
    "delay": "[h]:mm:ss",
    "minutes_change": '+#,##0" min";-#,##0" min";0" min"',
    "instant": "yyyy-mm-dd hh:mm",
    "day": "yyyy-mm-dd",
}
"""A negative duration shows as #### in Excel, so changes of durations are minutes. No time at all is a dash."""

RIGHT: frozenset[Kind] = frozenset(
    {
        "count",
        "count_change",
        "share",
        "points",
        "duration",
        "delay",
        "minutes_change",
        "header_right",
    }
)
WRAPS: frozenset[Kind] = frozenset({"wrapped", "sentence", "note", "header", "header_right"})

_BARE: frozenset[Kind] = frozenset({"title", "subtitle", "note", "section", "sentence", "remark"})
_FLUSH: frozenset[Kind] = frozenset({"title", "subtitle", "note", "section", "sentence", "status"})

_FONT_SIZES: dict[Kind, int] = {"title": 18, "section": 12, "sentence": 11}


class StyleBook:
    """Makes each look once and stamps it on cells.

    openpyxl finds the index of a style each time a part of it is assigned; copying the finished style of a
    first cell spares that for all others.
    """

    def __init__(self) -> None:
        """Starts without any look."""
        self._styles: dict[tuple[Kind, Tone, bool], Any] = {}

    def apply(
        self,
        sheet: WriteOnlyWorksheet,
        cell: Cell,
        kind: Kind,
        tone: Tone,
        *,
        is_foreign: bool = False,
    ) -> None:
        """Gives a cell the look of its kind and tone; foreign text is marked as text for good (quotePrefix)."""
        key = (kind, tone, is_foreign)
        if key not in self._styles:
            first = WriteOnlyCell(sheet)
            _dress(first, kind, tone)
            first.quotePrefix = is_foreign
            self._styles[key] = first._style
        cell._style = copy(self._styles[key])


def _dress(cell: Cell, kind: Kind, tone: Tone) -> None:
    fill, ink = FILLS[tone]
    if kind in ("title", "section", "header", "header_right"):
        ink = "FFFFFF" if kind.startswith("header") else NAVY
    elif kind in ("subtitle", "note", "remark"):
        ink = MUTED
    elif kind == "link":
        ink = BLUE
    if kind.startswith("header"):
        fill = NAVY
    elif kind in _BARE:
        fill = None
    cell.font = Font(
        name=FONT,
        size=_FONT_SIZES.get(kind, 10),
        bold=tone == "total" or kind in ("title", "section", "header", "header_right", "status"),
        underline="single" if kind == "link" else None,
        color=ink,
    )
    if fill is not None:
        cell.fill = PatternFill("solid", start_color=fill)
    if kind not in _BARE:
        cell.border = Border(bottom=Side("thin", color=LINE))
    cell.alignment = Alignment(
        horizontal="right" if kind in RIGHT else "center" if kind == "status" else "left",
        vertical="top" if kind in ("sentence", "note") else "center",
        wrap_text=kind in WRAPS,
        # A space between a number and the text in the next column, which would otherwise touch.
        indent=1 if kind not in _FLUSH else 0,
    )
    cell.number_format = NUMBER_FORMATS.get(kind, "General")

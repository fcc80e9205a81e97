"""What goes into a cell, and that nothing foreign can do anything there.

Belongs here: text made inert, instants in the report's zone, durations, links. Does not belong here: looks
(`styles.py`) and places (`sheet_writer.py`).

Foreign text (subjects, names, comments) is always of type text and carries Excel's own text mark
(`quotePrefix`), so that it stays text when somebody edits the cell or saves the sheet as CSV.
"""

import math
import re
from datetime import date, datetime
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from openpyxl.cell import Cell, WriteOnlyCell
from openpyxl.worksheet._write_only import WriteOnlyWorksheet

from reports.styles import Kind, StyleBook, Tone
from transforms.model import utc

MAX_CELL_UNITS = 32_767
"""What Excel keeps of a text, in UTF-16 units; more is silently cut."""

MAX_LINK_CHARACTERS = 2_079
"""The longest link Excel takes."""

MAX_LINKS = 65_530
"""The most links Excel takes on one sheet; beyond it cells keep their text only."""

CUT_MARK = " … [cut]"

_UNSAFE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_ESCAPE_LOOKALIKE = re.compile("_(?=x[0-9A-Fa-f]{4}_)")
_LINE_BREAKS = re.compile(r"\r\n?|[\u2028\u2029\x85]")
_BLANKS = re.compile(r"\s+")

SECONDS_PER_DAY = 86_400


def inert_text(value: object, *, one_line: bool = False) -> str:
    """Text as a cell can hold it, saying the same.

    Control characters, lone surrogates and non-characters become U+FFFD (XML has no place for them);
    `_x000D_`, which readers would turn into a line break, is written so that they show it as it is; what is
    longer than a cell is cut with a mark.

    Args:
        value: anything; its `str`.
        one_line: blanks and line breaks of any length become one space each.
    """
    text = _LINE_BREAKS.sub("\n", str(value))
    if one_line:
        text = _BLANKS.sub(" ", text).strip()
    text = _UNSAFE.sub("\ufffd", text)
    text = _ESCAPE_LOOKALIKE.sub("_x005F_", text)
    if len(text.encode("utf-16-le")) // 2 <= MAX_CELL_UNITS:
        return text
    kept = text.encode("utf-16-le")[: 2 * (MAX_CELL_UNITS - len(CUT_MARK))]
    return kept.decode("utf-16-le", "ignore") + CUT_MARK


def safe_link(url: str | None) -> str | None:
    """The link, if it is an http(s) link that Excel takes; else None."""
    if not url or len(url) > MAX_LINK_CHARACTERS or _UNSAFE.search(url) or _BLANKS.search(url):
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return url if parts.scheme.lower() in ("http", "https") and parts.netloc else None


def local_time(instant: datetime, zone: ZoneInfo) -> datetime:
    """The wall-clock time in the report's zone, to the second, without its zone (Excel knows none)."""
    return utc(instant).astimezone(zone).replace(tzinfo=None, microsecond=0)


class CellMaker:
    """Makes the cells of one sheet."""

    def __init__(self, sheet: WriteOnlyWorksheet, styles: StyleBook, zone: ZoneInfo) -> None:
        """Remembers sheet, looks and the zone in which instants are shown."""
        self._sheet = sheet
        self._styles = styles
        self._zone = zone
        self._links = 0

    def own(self, text: str, kind: Kind = "text", tone: Tone = "plain") -> Cell:
        """Text written by this product: labels, headers, sentences. It is never read as a formula."""
        return self._cell(inert_text(text), kind, tone)

    def foreign(
        self, value: object, tone: Tone = "plain", *, kind: Kind = "text", url: str | None = None
    ) -> Cell:
        """Text that came from outside, inert; with a link where `url` is one that may be followed."""
        if is_missing(value):
            return self.empty(kind, tone)
        link = safe_link(url)
        if link is not None and self._links < MAX_LINKS:
            self._links += 1
            cell = self._cell(inert_text(value, one_line=True), "link", tone, is_foreign=True)
            cell.hyperlink = link
            # Excel shows the target as a tip unless one is given; the text itself stays the cell's.
            cell.data_type = "s"
            return cell
        text = inert_text(value, one_line=kind != "wrapped")
        return self._cell(text, kind, tone, is_foreign=True)

    def number(self, value: float | None, kind: Kind = "count", tone: Tone = "plain") -> Cell:
        """A finite number in the format of its kind; anything else leaves the cell empty."""
        if value is None or is_missing(value) or not math.isfinite(value):
            return self.empty(kind, tone)
        whole = float(value).is_integer() and kind in ("count", "count_change")
        return self._cell(int(value) if whole else float(value), kind, tone)

    def duration(
        self, seconds: float | None, tone: Tone = "plain", kind: Kind = "duration"
    ) -> Cell:
        """Seconds as hours and minutes, `[h]:mm`, which sorts and adds up; never negative."""
        if seconds is None or is_missing(seconds) or not math.isfinite(seconds):
            return self.empty(kind, tone)
        return self._cell(max(float(seconds), 0.0) / SECONDS_PER_DAY, kind, tone)

    def instant(self, value: datetime | None, tone: Tone = "plain") -> Cell:
        """An aware instant as wall-clock time in the report's zone."""
        if value is None or is_missing(value):
            return self.empty("instant", tone)
        return self._cell(local_time(value, self._zone), "instant", tone)

    def day(self, value: date, tone: Tone = "plain") -> Cell:
        """A date."""
        return self._cell(value, "day", tone)

    def empty(self, kind: Kind = "text", tone: Tone = "plain") -> Cell:
        """A cell with a look and no value."""
        return self._cell(None, kind, tone)

    def _cell(
        self,
        value: str | float | datetime | date | None,
        kind: Kind,
        tone: Tone,
        *,
        is_foreign: bool = False,
    ) -> Cell:
        cell = WriteOnlyCell(self._sheet, value)
        if isinstance(value, str):
            cell.data_type = "s"
        self._styles.apply(self._sheet, cell, kind, tone, is_foreign=is_foreign)
        return cell


def is_missing(value: object) -> bool:
    """None, NaN or NaT (the only values that differ from themselves)."""
    return value is None or bool(value != value)

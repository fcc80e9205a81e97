"""Reads one row of a file export: its time, its order, its cells, or the reason why it cannot be understood.

Belongs here: raw record → `Row` or `Rejected`, times and words by the mapping. Does not belong here: what
follows from the order of rows (`file_export_history`).
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from transforms.mapping import FileMapping
from transforms.model import RawRecord, Rejected

EXTRA = "__extra__"
"""Payload entry for cells beyond the header, written by `connectors.file_export`."""

MISSING = "__missing__"
"""Payload entry for columns a short row has no cell for, written by `connectors.file_export`."""

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(2101, 1, 1, tzinfo=UTC)
"""Times outside are a placeholder (1/1/1900) or a slip, not a ticket's."""

_EPOCH = re.compile(r"\d{1,13}(\.\d+)?")


@dataclass(frozen=True, slots=True)
class Row:
    """A row that can be understood. `cells` has no entry for a missing value; text is stripped of blanks."""

    record: RawRecord
    ticket: str
    cells: Mapping[str, str]
    changed_at: datetime
    """When the row's change was made; the ticket's creation where a ticket list tells no such time."""
    order: int
    is_change_timed: bool = True

    @property
    def sort_key(self) -> tuple[datetime, int, str, int, str]:
        """Time, then the order column, then file, line and id: the same in whatever order rows come."""
        place = self.record.location
        line = place.get("line")
        return (
            self.changed_at,
            self.order,
            str(place.get("file", "")),
            line if isinstance(line, int) else 0,
            self.record.remote_id,
        )


class RowReader:
    """Reads rows by one mapping; remembers each time text it has read, since exports repeat them."""

    def __init__(self, mapping: FileMapping) -> None:
        """Prepares the look-ups."""
        self.mapping = mapping
        self._zone = mapping.zone
        self._missing = frozenset(mapping.missing)
        self._rejected_statuses = frozenset(map(str.casefold, mapping.reject_statuses))
        self._times: dict[str, datetime | None] = {}

    def read(self, record: RawRecord) -> Row | Rejected:
        """The row, or why not: one of a few stable reasons, with what was found."""
        if record.ticket_remote_id is None:
            return _rejected(record, "missing ticket id", self.mapping.columns.ticket)
        payload = _object_of(record.payload)
        if payload is None:
            return _rejected(record, "unreadable row", "the payload is no object of texts")
        extra, lacking = payload.pop(EXTRA, []), payload.pop(MISSING, [])
        if any(str(cell).strip() for cell in _listed(extra)):
            return _rejected(record, "too many fields", f"beyond the header: {extra}")
        if lacking:
            names = ", ".join(map(str, _listed(lacking)))
            return _rejected(record, "too few fields", f"no cell for: {names}")
        cells = self._cells(payload)
        return self._checked(record, record.ticket_remote_id, cells)

    def time(self, row: Row, role: str) -> datetime | None:
        """The time in the column of this role; None where it is missing, not mapped or not readable."""
        column = getattr(self.mapping.columns, role)
        text = row.cells.get(column) if column else None
        return None if text is None else self.instant(text)

    def instant(self, text: str) -> datetime | None:
        """A time's text as a UTC instant; None where no format fits.

        A time without a zone is local time in the mapping's zone: one that happens twice means the first,
        one that never happens is moved on by the gap (PEP 495, fold 0).
        """
        if text not in self._times:
            self._times[text] = self._parse(text)
        return self._times[text]

    def _checked(self, record: RawRecord, ticket: str, cells: dict[str, str]) -> Row | Rejected:
        columns = self.mapping.columns
        status = cells.get(columns.status) if columns.status else None
        if status is not None and status.casefold() in self._rejected_statuses:
            return _rejected(record, "rejected status", status)
        role = "changed_at" if self.mapping.rows == "change" else "created_at"
        needed = getattr(columns, role)
        text = cells.get(needed)
        if text is None:
            return _rejected(record, f"missing {role}", f"column {needed}")
        at = self.instant(text)
        if at is None:
            return _rejected(record, f"unreadable {role}", f"{text!r} fits no time format")
        changed = cells.get(columns.changed_at) if columns.changed_at else None
        changed_at = None if changed is None else self.instant(changed)
        order = _number(cells.get(columns.order)) if columns.order else 0
        return Row(record, ticket, cells, changed_at or at, order, changed_at is not None)

    def _cells(self, payload: dict[str, object]) -> dict[str, str]:
        cells = {}
        for column, cell in payload.items():
            text = str(cell).strip()
            if text and text not in self._missing:
                cells[column] = text
        return cells

    def _parse(self, text: str) -> datetime | None:
        for pattern in self.mapping.time_formats:
            try:
                read = _read_time(text, pattern)
                if read is None:
                    continue
                if read.tzinfo is None:
                    read = read.replace(tzinfo=self._zone, fold=0)
                instant = read.astimezone(UTC)
            except (ValueError, OverflowError):
                continue
            return instant if EARLIEST <= instant < LATEST else None
        return None


def _read_time(text: str, pattern: str) -> datetime | None:
    if pattern == "iso":
        return datetime.fromisoformat(text)
    if pattern == "epoch":
        if not _EPOCH.fullmatch(text):
            return None
        seconds = float(text)
        # Thirteen digits are milliseconds: as seconds they would lie in the year 30000 and beyond.
        return EARLIEST + timedelta(seconds=seconds / 1_000 if seconds > 1e11 else seconds)
    return datetime.strptime(text, pattern)  # noqa: DTZ007 - the mapping's zone is put on by the caller


def _object_of(payload: bytes) -> dict[str, object] | None:
    try:
        body = json.loads(payload)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _listed(value: object) -> Iterable[object]:
    return value if isinstance(value, list) else [value]


def _number(text: str | None) -> int:
    """An order number; rows without a readable one come before the others of their instant."""
    try:
        return -1 if text is None else int(text)
    except ValueError:
        return -1


def _rejected(record: RawRecord, reason: str, detail: str) -> Rejected:
    return Rejected(record.stream, record.remote_id, reason, detail[:500])

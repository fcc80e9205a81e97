"""CSV exports as a source: a stream `rows` with one record per row.

Belongs here: which files are read, resuming, records and their identity. Does not belong here: how a file is
laid out (`layout`), what the columns mean (`transforms.mapping`, `transforms.file_export`).

Cell text is data only: it is never run, opened or followed.
"""

import glob
import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from connectors.contract import CheckResult, Cursor, Page
from connectors.errors import ConfigurationError, ConnectorError
from connectors.file_export.layout import FileLayout, FileRow, read_header, read_rows
from transforms.model import RawRecord

STREAM = "rows"

PAGE_ROWS = 2_000
"""Rows per page: some 2 MB of a wide export."""

FINGERPRINT_BYTES = 65_536
"""How much of a file's beginning and end its fingerprint covers, beside its size and time of change."""

ROWS_CHECKED = 1_000
"""Rows that `check` reads of each file, so that a wrong encoding or delimiter shows."""


class FileExportSource:
    """Rows of one or more CSV files (plain or gzip) of one layout.

    A record's identity is the ticket's id and a hash of the row (`INC7:5f0c…`); a row that stands twice in
    one file gets a number (`INC7:5f0c…#2`). So a replaced or grown file, or an export that overlaps an
    earlier one, brings only the rows that are new. While it reads a file it keeps 8 bytes (some 70 in
    memory) per row to tell repeated rows; all else is bounded by a page.

    Args:
        path: a file, or a glob pattern such as `exports/*.csv.gz`.
        layout: columns and encoding, from the mapping.
        page_rows: rows per page, at least 1.
    """

    streams: Sequence[str] = (STREAM,)
    volatile_fields: Mapping[str, Sequence[str]] = {}

    def __init__(self, path: str | Path, layout: FileLayout, *, page_rows: int = PAGE_ROWS) -> None:
        """Keeps the arguments; nothing is opened yet."""
        self.path = str(path)
        self.layout = layout
        self.page_rows = page_rows

    def pull(self, stream: str, cursor: Cursor | None) -> Iterator[Page]:
        """Pages of every file that is new or changed since the cursor; see `contract.Source.pull`.

        The header of every file that is to be read is checked before the first record is given.

        Raises:
            ConfigurationError: no such file or stream, a wrong header or encoding.
            UnavailableError: a compressed file that ends too early.
        """
        if stream != STREAM:
            raise ConfigurationError(f"a file export has the stream '{STREAM}', not '{stream}'")
        place = _Place.of(cursor)
        waiting = []
        for path in self._files():
            fingerprint = _fingerprint(path)
            if place.done.get(path.name) != fingerprint:
                read_header(path, self.layout)
                waiting.append((path, fingerprint))
        if not waiting:
            yield Page([], place.cursor(), complete=True, calls=0)
        for number, (path, fingerprint) in enumerate(waiting, start=1):
            place.enter(path.name, fingerprint)
            yield from self._pages(path, place, is_last_file=number == len(waiting))

    def check(self) -> CheckResult:
        """Reads the header and the first rows of every file; see `contract.Source.check`."""
        try:
            files = self._files()
            for path in files:
                for _ in islice(read_rows(path, self.layout), ROWS_CHECKED):
                    pass
        except ConnectorError as error:
            return CheckResult(self.path, False, str(error))
        names = ", ".join(path.name for path in files[:5]) + (", …" if len(files) > 5 else "")
        return CheckResult(self.path, True, f"{len(files)} file(s) readable: {names}")

    def _files(self) -> list[Path]:
        """The files, by name. A plain path is never taken for a pattern."""
        plain = Path(self.path)
        # Path.glob takes no absolute patterns.
        matches = glob.glob(self.path, recursive=True)  # noqa: PTH207
        found = [plain] if plain.is_file() else [Path(match) for match in matches]
        files = sorted(path for path in found if path.is_file())
        if not files:
            raise ConfigurationError(
                f"file export: no file at {self.path}; check `path` (relative paths start at the "
                "configuration file)"
            )
        names = Counter(path.name for path in files)
        twice = [name for name, count in names.items() if count > 1]
        if twice:
            raise ConfigurationError(
                f"file export: {self.path} finds {twice[0]} in two folders; file names must differ"
            )
        return files

    def _pages(self, path: Path, place: "_Place", *, is_last_file: bool) -> Iterator[Page]:
        """Pages of one file from the place on; the last one may be empty and marks the file as read."""
        records: list[RawRecord] = []
        seen = _Occurrences()
        for number, row in enumerate(read_rows(path, self.layout), start=1):
            record = self._record(path, row, seen)
            if number <= place.row:
                continue
            records.append(record)
            if len(records) == self.page_rows:
                place.row = number
                yield Page(records, place.cursor(), complete=False, calls=0)
                records = []
        place.leave()
        yield Page(records, place.cursor(), complete=is_last_file, calls=0)

    def _record(self, path: Path, row: FileRow, seen: "_Occurrences") -> RawRecord:
        payload = json.dumps(
            row.cells, sort_keys=True, separators=(",", ":"), ensure_ascii=False
        ).encode("utf-8", "replace")
        ticket = self._ticket_of(row)
        if ticket is None:
            # Nothing else tells two such rows apart, and nobody will look for their history.
            digest = hashlib.sha256(f"{path.name}\x1f{row.line}\x1f".encode() + payload).digest()
        else:
            digest = hashlib.sha256(payload).digest()
        occurrence = seen.count(digest[:8])
        suffix = "" if occurrence == 1 else f"#{occurrence}"
        return RawRecord(
            stream=STREAM,
            remote_id=f"{ticket or 'no-ticket'}:{digest[:8].hex()}{suffix}",
            payload=payload,
            ticket_remote_id=ticket,
            location={"file": path.name, "line": row.line},
        )

    def _ticket_of(self, row: FileRow) -> str | None:
        cell = row.cells.get(self.layout.ticket_column)
        if not isinstance(cell, str):
            return None
        ticket = cell.replace("\0", "\ufffd").strip()
        return None if not ticket or ticket in self.layout.missing else ticket


class _Place:
    """Where the reading stands: files read to the end, and the row reached in the one under way."""

    def __init__(self, done: dict[str, str], name: str | None, fingerprint: str, row: int) -> None:
        self.done = done
        self.name = name
        self.fingerprint = fingerprint
        self.row = row

    @classmethod
    def of(cls, cursor: Cursor | None) -> "_Place":
        given: Mapping[str, Any] = cursor or {}
        return cls(
            dict(given.get("done") or {}),
            given.get("file"),
            given.get("fingerprint") or "",
            int(given.get("row") or 0),
        )

    def enter(self, name: str, fingerprint: str) -> None:
        """Goes on behind the row reached, if this is the very file; else begins it."""
        if (name, fingerprint) != (self.name, self.fingerprint):
            self.row = 0
        self.name, self.fingerprint = name, fingerprint

    def leave(self) -> None:
        """The file under way is read to its end."""
        self.done[self.name or ""] = self.fingerprint
        self.name, self.fingerprint, self.row = None, "", 0

    def cursor(self) -> Cursor:
        """A copy, as JSON."""
        cursor: dict[str, Any] = {"done": dict(self.done)}
        if self.name is not None:
            cursor |= {"file": self.name, "fingerprint": self.fingerprint, "row": self.row}
        return cursor


class _Occurrences:
    """How often each row was seen in a file; 8 bytes a row, since nearly all are seen once."""

    def __init__(self) -> None:
        self._once: set[bytes] = set()
        self._again: Counter[bytes] = Counter()

    def count(self, digest: bytes) -> int:
        """The how-manieth row with this digest it is, from 1."""
        if digest not in self._once:
            self._once.add(digest)
            return 1
        self._again[digest] += 1
        return self._again[digest] + 1


def _fingerprint(path: Path) -> str:
    """Changes when the file is replaced, grown or edited; costs two short reads, however large the file."""
    try:
        state = path.stat()
        with path.open("rb") as file:
            digest = hashlib.sha256(file.read(FINGERPRINT_BYTES))
            file.seek(max(0, state.st_size - FINGERPRINT_BYTES))
            digest.update(file.read(FINGERPRINT_BYTES))
    except OSError as error:
        raise ConfigurationError(
            f"file export {path.name}: cannot be opened: {error.strerror or error}"
        ) from None
    return f"{state.st_size}-{state.st_mtime_ns}-{digest.hexdigest()[:16]}"

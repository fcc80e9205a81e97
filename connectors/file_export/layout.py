"""How a CSV file is laid out, and reading its rows one by one.

Belongs here: encoding, compression, header, ragged rows, each fault with file and line. Does not belong here:
cursors and records (`source`), what the columns mean (`transforms.mapping`).
"""

import csv
import difflib
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from connectors.errors import ConfigurationError, UnavailableError

CELL_LIMIT = 4 * 1024 * 1024
"""Longest cell in characters. A longer one is a quotation mark that nobody closed, not text."""

EXTRA = "__extra__"
"""Payload entry that holds the cells beyond the header's columns."""

MISSING = "__missing__"
"""Payload entry that lists the header's columns for which a short row has no cell."""

GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class FileLayout:
    """What must be known to read a file's rows; `transforms.mapping.FileMapping.layout()` gives these values."""

    ticket_column: str
    needed_columns: tuple[str, ...] = ()
    encoding: str = "utf-8"
    encoding_errors: str = "strict"
    delimiter: str = ","
    missing: tuple[str, ...] = ("",)


@dataclass(frozen=True, slots=True)
class FileRow:
    """One row as it came: column → text, and the line on which it ends in the file."""

    cells: dict[str, str | list[str]]
    line: int


def read_header(path: Path, layout: FileLayout) -> list[str]:
    """The columns of a file, checked against the layout.

    Raises:
        ConfigurationError: not readable, empty, wrongly encoded, or without a column that is needed.
    """
    with _reading(path, layout) as lines:
        return _header(path, layout, csv.reader(lines, delimiter=layout.delimiter))


def read_rows(path: Path, layout: FileLayout) -> Iterator[FileRow]:
    """Every row of the file in its order; blank lines are none. Memory is bounded by the longest row.

    Raises:
        ConfigurationError: as `read_header`, or a cell longer than `CELL_LIMIT`.
        UnavailableError: a compressed file ends too early, as one does that is still being copied.
    """
    with _reading(path, layout) as lines:
        reader = csv.reader(lines, delimiter=layout.delimiter)
        columns = _header(path, layout, reader)
        line = reader.line_num
        try:
            for row in reader:
                line = reader.line_num
                if row:
                    yield FileRow(_cells(columns, row), line)
        except csv.Error as error:
            raise ConfigurationError(
                f"file export {path.name}: the row after line {line} cannot be read ({error}); "
                "most likely a quotation mark is opened there and never closed"
            ) from None


@contextmanager
def _reading(path: Path, layout: FileLayout) -> Iterator[IO[str]]:
    """The file as text; faults of opening, unpacking and decoding become errors for people."""
    # The limit is the process's own; it is only ever raised.
    csv.field_size_limit(max(csv.field_size_limit(), CELL_LIMIT))
    encoding = "utf-8-sig" if layout.encoding.lower() in ("utf-8", "utf8") else layout.encoding
    try:
        with path.open("rb") as raw:
            is_packed = raw.read(2) == GZIP_MAGIC
            raw.seek(0)
            unpacked = cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if is_packed else raw
            with io.TextIOWrapper(
                unpacked, encoding=encoding, errors=layout.encoding_errors, newline=""
            ) as text:
                yield text
    except UnicodeError as error:
        raise ConfigurationError(
            f"file export {path.name}: not readable as {layout.encoding} ({_shown(error)}"
            f"{_place_of(path, encoding)}); set `encoding` in the mapping to the file's own (often windows-1252, "
            "windows-1254 for Turkish, utf-16), or `encoding_errors: replace` to go on with U+FFFD in the place "
            "of what cannot be read"
        ) from None
    except EOFError:
        raise UnavailableError(
            f"file export {path.name}: the compressed file ends too early; is it still being copied?"
        ) from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise ConfigurationError(
            f"file export {path.name}: damaged gzip data ({error}); fetch the file again"
        ) from None
    except OSError as error:
        raise ConfigurationError(
            f"file export {path.name}: cannot be opened: {error.strerror or error}"
        ) from None


def _place_of(path: Path, encoding: str) -> str:
    """The line of the first byte that the encoding does not know; empty where lines cannot be told."""
    if encoding.lower().replace("_", "-").startswith(("utf-16", "utf-32")):
        return ""
    opener = gzip.open if _is_packed(path) else open
    try:
        with opener(path, "rb") as lines:
            for number, line in enumerate(lines, start=1):
                try:
                    line.decode(encoding)
                except UnicodeError:
                    return f", line {number}"
    except (OSError, EOFError, zlib.error):
        pass
    return ""


def _is_packed(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == GZIP_MAGIC


def _shown(error: UnicodeError) -> str:
    if isinstance(error, UnicodeDecodeError):
        found = error.object[error.start : error.start + 4]
        return f"{error.reason}, found bytes {found.hex(' ')}"
    return str(error)


def _header(path: Path, layout: FileLayout, reader: Iterator[list[str]]) -> list[str]:
    try:
        first = next((row for row in reader if row), None)
    except csv.Error as error:
        raise ConfigurationError(
            f"file export {path.name}: the header cannot be read ({error})"
        ) from None
    if first is None:
        raise ConfigurationError(
            f"file export {path.name}: the file is empty, there is not even a header"
        )
    plain = [name.strip() for name in first]
    needed = dict.fromkeys((layout.ticket_column, *layout.needed_columns))
    separator = _other_delimiter(plain, layout)
    if separator and not any(name in plain for name in needed):
        raise ConfigurationError(
            f"file export {path.name}: the header has no '{_named(layout.delimiter)}' between columns, but "
            f"'{_named(separator)}'; set `delimiter: \"{_named(separator)}\"` in the mapping. Columns found: {plain[0][:200]}"
        )
    faults = [_missing_column(name, plain) for name in needed if name not in plain]
    faults += [
        f"column {name!r} stands {plain.count(name)} times; rename all but one"
        for name in needed
        if plain.count(name) > 1
    ]
    if faults:
        found = ", ".join(plain[:40]) + (", …" if len(plain) > 40 else "")
        raise ConfigurationError(
            f"file export {path.name}: {'; '.join(faults)}. Columns found: {found}"
        )
    return _distinct(plain)


def _other_delimiter(columns: list[str], layout: FileLayout) -> str:
    """What seems to stand between columns where the layout's own delimiter does not."""
    if len(columns) > 1:
        return ""
    counts = {mark: columns[0].count(mark) for mark in ";,\t|" if mark != layout.delimiter}
    best = max(counts, key=lambda mark: counts[mark])
    return best if counts[best] else ""


def _named(delimiter: str) -> str:
    return "\\t" if delimiter == "\t" else delimiter


def _missing_column(name: str, columns: list[str]) -> str:
    folded = {column.casefold(): column for column in columns}
    close = difflib.get_close_matches(name.casefold(), list(folded), n=1, cutoff=0.5)
    hint = f" (nearest: {folded[close[0]]!r})" if close else ""
    return f"column {name!r} of the mapping is not there{hint}"


def _distinct(columns: list[str]) -> list[str]:
    """Names under which no cell hides another: repeated and nameless columns get a number."""
    taken = {EXTRA, MISSING}
    distinct = []
    for number, column in enumerate(columns, start=1):
        name = column or f"column {number}"
        while name in taken:
            name = f"{name}#{number}"
        taken.add(name)
        distinct.append(name)
    return distinct


def _cells(columns: list[str], row: list[str]) -> dict[str, str | list[str]]:
    cells: dict[str, str | list[str]] = dict(zip(columns, row, strict=False))
    if len(row) > len(columns):
        cells[EXTRA] = row[len(columns) :]
    elif len(row) < len(columns):
        cells[MISSING] = columns[len(row) :]
    return cells

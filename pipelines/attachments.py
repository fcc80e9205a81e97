"""Fetches the files that helpdesks keep apart from their comments, into the client's content store.

Belongs here: which are due, in what portions, what becomes of a failure. Does not belong here: how a file is read
(`connectors`), where bytes lie (`connectors.content_store`).

A file is stored before it is noted: killed in between, it is fetched again and found to be there.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from connectors.content_store import ContentStore, TooLargeError
from connectors.contract import FileReading
from connectors.errors import (
    AuthError,
    ConnectorError,
    NotFoundError,
    RateLimitedError,
    UnavailableError,
)
from connectors.warehouse import files
from connectors.warehouse.engine import reading, writing
from connectors.warehouse.files import DueFile
from pipelines.ingest import named
from pipelines.runtime import Runtime
from pipelines.settings import ClientSettings, SettingsError, SourceSettings
from pipelines.wiring import sources_of, wire

FILES_AT_ONCE = 50
"""Files of one portion: what was fetched of it is noted in one transaction."""

FAILURES_IN_A_ROW = 3
"""So many files of a source that one after the other cannot be read end its run: their host is down."""

REASONS_TOLD = 5
"""Files of a source whose failure is told by name; the others are counted, and stand in the warehouse."""

_PAGE = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<!doctype\s+html|<html)", re.IGNORECASE)

Progress = Callable[[str, str, int], None]


@dataclass(slots=True)
class SourceFiles:
    """What one run did for a source; `error` ended it early."""

    source_key: str
    stored: int = 0
    known: int = 0
    """Files whose content was there already."""
    size_bytes: int = 0
    gone: int = 0
    later: int = 0
    reasons: list[str] = field(default_factory=list)
    """Why the first few are gone or come later, by the file's ticket and name."""
    error: ConnectorError | None = None


@dataclass(slots=True)
class FilesReport:
    """What one run did for a client."""

    client_key: str
    sources: list[SourceFiles] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def errors(self) -> list[ConnectorError]:
        """What ended sources early."""
        return [one.error for one in self.sources if one.error is not None]


def store_of(runtime: Runtime, client_key: str) -> ContentStore:
    """The client's content store."""
    place = runtime.settings.client(client_key).attachments.store
    return ContentStore(
        place if "://" in place else runtime.settings.path(place).absolute(), client_key
    )


def fetch_files(
    runtime: Runtime,
    client_key: str,
    only: Sequence[str] = (),
    progress: Progress = lambda _source, _what, _count: None,
) -> FilesReport:
    """Fetches every file that is due, source by source.

    Raises:
        SettingsError: no such client or source, or the client's files are not to be fetched.
    """
    client = runtime.settings.client(client_key)
    if not client.attachments.fetch:
        raise SettingsError(
            f"client {client_key}: its files are not to be fetched; set attachments: {{fetch: true}}"
        )
    report = FilesReport(client_key)
    store = store_of(runtime, client_key)
    for settings in sources_of(runtime.settings, client_key, only):
        source = wire(runtime.settings, client_key, settings, runtime.now).source
        if isinstance(source, FileReading):
            done = SourceFiles(settings.id)
            report.sources.append(done)
            try:
                _fetch(runtime, client_key, client, settings, source, store, done, progress)
            except ConnectorError as error:
                done.error = named(error, client_key, settings)
    with reading(runtime.engine) as connection:
        report.counts = files.counts(connection, client_key)
    return report


def _fetch(
    runtime: Runtime,
    client_key: str,
    client: ClientSettings,
    settings: SourceSettings,
    source: FileReading,
    store: ContentStore,
    done: SourceFiles,
    progress: Progress,
) -> None:
    most_bytes = client.attachments.largest_mb * 1_000_000
    while True:
        now = runtime.now()
        with reading(runtime.engine) as connection:
            due = files.due_files(connection, client_key, settings.id, now, FILES_AT_ONCE)
        if not due:
            return
        stored: list[tuple[DueFile, str, int]] = []
        failed: list[tuple[DueFile, str, bool]] = []
        error: ConnectorError | None = None
        in_a_row = 0
        for file in due:
            try:
                kept = store.put(_pieces(source, file), most_bytes=most_bytes)
            except (NotFoundError, TooLargeError) as gone:
                failed.append((file, str(gone), True))
                _tell(done, file, gone)
                done.gone += 1
            except (AuthError, RateLimitedError) as stop:
                error = stop
                break
            except UnavailableError as lost:
                if not _is_of_the_file(lost):
                    error = lost
                    break
                failed.append((file, str(lost), False))
                _tell(done, file, lost)
                done.later += 1
                in_a_row += 1
                if in_a_row >= FAILURES_IN_A_ROW:
                    error = lost
                    break
            else:
                in_a_row = 0
                stored.append((file, kept.sha256, kept.size_bytes))
                done.stored += 1
                done.known += kept.was_there
                done.size_bytes += kept.size_bytes
        with writing(runtime.engine) as connection:
            files.note_stored(connection, client_key, stored, now)
            for file, why, is_final in failed:
                files.note_failed(connection, client_key, file, why, now, is_final=is_final)
        progress(settings.id, "files", done.stored)
        if error is not None:
            raise error


class _FileUnavailableError(UnavailableError):
    """The source did not give one file; others may come."""


def _pieces(source: FileReading, file: DueFile) -> Iterator[bytes]:
    try:
        for number, piece in enumerate(source.file(file.ticket_remote_id, file.remote_url)):
            if number == 0 and _is_page_instead(file, piece):
                raise UnavailableError(
                    f"a web page of {len(piece)} bytes came instead of the file ({file.media_type}, "
                    f"{file.size_bytes} bytes). Is a proxy or a sign-in page in between?"
                )
            yield piece
    except (AuthError, NotFoundError, RateLimitedError):
        raise
    except ConnectorError as error:
        raise _FileUnavailableError(str(error)) from error


def _is_page_instead(file: DueFile, first: bytes) -> bool:
    """Whether a page with status 200 (of a proxy, of a sign-in) came where no page was told of."""
    told = (file.media_type or "").casefold()
    return (
        bool(told)
        and "html" not in told
        and len(first) != file.size_bytes
        and _PAGE.match(first) is not None
    )


def _tell(done: SourceFiles, file: DueFile, why: ConnectorError | TooLargeError) -> None:
    if len(done.reasons) < REASONS_TOLD:
        done.reasons.append(f"ticket {file.ticket_remote_id}, file {file.file_name!r}: {why}")


def _is_of_the_file(error: UnavailableError) -> bool:
    return isinstance(error, _FileUnavailableError)

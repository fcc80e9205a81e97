"""mbox files as a source: plain or gzip, resumable, continued where they grew.

Belongs here: which files are read from where. Does not belong here: how mails are told apart
(`mbox_reader`), what they say (`transforms.mail`).
"""

import gzip
import hashlib
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from connectors.contract import CheckResult, Cursor, Page
from connectors.errors import ConfigurationError
from connectors.mailbox.file_patterns import files_of, is_instead, reason_of
from connectors.mailbox.mbox_reader import VARIANTS, MboxMail, Variant, line_stream, read_mails
from connectors.mailbox.pages import (
    PAGE_BYTES,
    PAGE_MAILS,
    STREAM,
    PageFiller,
    mail_record,
    tombstone,
)
from connectors.mailbox.seen import SeenMails

SAMPLES = 16
"""Places spread over a file that are compared to see that its known part is still the same."""

SAMPLE_BYTES = 4096

SHOWN = 20
"""Files that a check names."""

_HEADER = re.compile(rb"[!-9;-~]{1,200}:")

_DAMAGED = (EOFError, gzip.BadGzipFile, zlib.error)


@dataclass(slots=True)
class _FileState:
    """How far a file was read. `offset`, `number` and `remote_id` are those of the last mail given."""

    size: int
    mtime_ns: int
    sample: str
    offset: int = 0
    number: int = 0
    remote_id: str = ""
    is_complete: bool = False


class MboxSource:
    """Mails of one or several mbox files, in the order of their names.

    An unchanged file is not read again. A file that grew is continued: its last mail is read once more and,
    where it was cut short by a writer at work, the cut version is withdrawn by a tombstone. A file that was
    replaced is read from its start; mails that were there before come under the same ids.
    """

    streams: Sequence[str] = (STREAM,)
    volatile_fields: Mapping[str, Sequence[str]] = {}

    def __init__(
        self,
        paths: Sequence[str | Path] | str | Path,
        *,
        variant: Variant = "mboxo",
        page_mails: int = PAGE_MAILS,
        page_bytes: int = PAGE_BYTES,
    ) -> None:
        """Takes paths and patterns (`archive/*.mbox`, `old.mbox.gz`); nothing is opened yet.

        Args:
            paths: files or patterns; relative ones count from the working folder.
            variant: how `From ` lines in bodies were quoted (see `mbox_reader`).
            page_mails: most mails in a page.
            page_bytes: most bytes in a page, a single larger mail apart.

        Raises:
            ConfigurationError: an unknown variant.
        """
        if variant not in VARIANTS:
            raise ConfigurationError(
                f"mbox variant {variant!r} is unknown; expected one of {', '.join(VARIANTS)}"
            )
        self._patterns = [str(paths)] if isinstance(paths, str | Path) else [str(p) for p in paths]
        self._variant = variant
        self._page_mails = page_mails
        self._page_bytes = page_bytes

    def check(self) -> CheckResult:
        """Opens each file and looks for a separator at its start; names every file that is none."""
        name = f"mbox {', '.join(self._patterns)}"
        try:
            files = files_of(self._patterns, "mbox")
        except ConfigurationError as error:
            return CheckResult(name, False, str(error))
        told, problems = [], []
        for path in files:
            try:
                with _open(path) as stream:
                    _refuse_other_formats(path, stream.read(SAMPLE_BYTES))
                told.append(f"{path.name} ({_size(path.stat().st_size)})")
            except ConfigurationError as error:
                problems.append(str(error))
            except (OSError, *_DAMAGED) as error:
                problems.append(f"{path} cannot be read: {reason_of(path, error)}")
        more = f" and {len(told) - SHOWN:,} more" if len(told) > SHOWN else ""
        read = [f"{len(told):,} file(s): {', '.join(told[:SHOWN])}{more}"] if told else []
        return CheckResult(name, not problems, "; ".join(problems + read))

    def pull(self, stream: str, cursor: Cursor | None) -> Iterator[Page]:
        """Pages of mails; see `connectors.contract.Source`.

        Raises:
            ConfigurationError: no file fits, or one cannot be read. A file that is damaged in the middle gives
                the mails before the damage, the files after it are read too, and the error comes last.
        """
        files = files_of(self._patterns, "mbox")
        seen = SeenMails((cursor or {}).get("seen"))
        states = {
            path: _FileState(**state) for path, state in (cursor or {}).get("files", {}).items()
        }
        for gone in set(states) - {str(path) for path in files}:
            del states[gone]
        seen.keep_only(states)
        filler = PageFiller(self._page_mails, self._page_bytes)
        problems: list[str] = []
        for path in files:
            try:
                yield from self._read_file(path, states, seen, filler)
            except (OSError, *_DAMAGED) as error:
                number = _number(states, path)
                behind = f" behind mail {number}" if number else ""
                problems.append(f"{path} cannot be read{behind}: {reason_of(path, error)}")
            except ConfigurationError as error:
                problems.append(str(error))
        yield Page(filler.take(), _cursor(states, seen), complete=not problems)
        if problems:
            raise ConfigurationError("; ".join(problems))

    def _read_file(
        self, path: Path, states: dict[str, _FileState], seen: SeenMails, filler: PageFiller
    ) -> Iterator[Page]:
        container = str(path)
        known = states.get(container)
        state = _state_now(path)
        if known is not None and _is_continued(path, known, state):
            if known.is_complete and known.mtime_ns == state.mtime_ns:
                return
            state.offset, state.number, state.remote_id = (
                known.offset,
                known.number,
                known.remote_id,
            )
        else:
            seen.forget(container)
        states[container] = state
        with _open(path) as stream:
            head = stream.read(SAMPLE_BYTES)
            if not state.number:
                _refuse_other_formats(path, head)
            stream.seek(state.offset if state.number else 0)
            last_known = state.remote_id if state.number else None
            lines = line_stream(stream, head)
            for mail in read_mails(lines, start=state.offset, variant=self._variant):
                if last_known and _is_same(mail, last_known):
                    last_known = None
                    continue
                if filler.is_full_for(len(mail.payload)):
                    yield Page(filler.take(), _cursor(states, seen), complete=False)
                if last_known:
                    filler.add(tombstone(last_known, {"file": container}))
                    seen.drop(container, [state.number])
                    state.number -= 1
                    last_known = None
                self._give(mail, container, state, seen, filler)
        state.is_complete = True

    def _give(
        self,
        mail: MboxMail,
        container: str,
        state: _FileState,
        seen: SeenMails,
        filler: PageFiller,
    ) -> None:
        state.number += 1
        location = {"file": container, "offset": mail.offset, "number": state.number}
        if mail.envelope:
            location["envelope"] = mail.envelope
        record = mail_record(mail.payload, container, state.number, seen, location)
        state.offset, state.remote_id = mail.offset, record.remote_id
        filler.add(record)


def _open(path: Path) -> BinaryIO | gzip.GzipFile:
    with path.open("rb") as stream:
        is_gzip = stream.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if is_gzip else path.open("rb")


def _state_now(path: Path) -> _FileState:
    stat = path.stat()
    return _FileState(stat.st_size, stat.st_mtime_ns, _sample(path, stat.st_size))


def _is_continued(path: Path, known: _FileState, now: _FileState) -> bool:
    """Whether the part that was read is still the start of the file."""
    if now.size == known.size and known.is_complete and now.mtime_ns != known.mtime_ns:
        return False
    return now.size >= known.size and _sample(path, known.size) == known.sample


def _size(count: int) -> str:
    """Bytes, for people."""
    if not count:
        return "empty"
    return f"{count:,} bytes" if count < 100_000 else f"{count / 1_000_000:,.1f} MB"


def _sample(path: Path, size: int) -> str:
    """A digest of pieces spread over the first `size` bytes of a file, its start and its end among them."""
    digest = hashlib.sha256()
    step = max(1, (size - SAMPLE_BYTES) // SAMPLES)
    with path.open("rb") as stream:
        for start in range(0, max(1, size - SAMPLE_BYTES + 1), step):
            stream.seek(start)
            digest.update(stream.read(min(SAMPLE_BYTES, size - start)))
        stream.seek(max(0, size - SAMPLE_BYTES))
        digest.update(stream.read(min(SAMPLE_BYTES, size)))
    return digest.hexdigest()


def _refuse_other_formats(path: Path, head: bytes) -> None:
    """A file that is no mbox is named instead of being read into memory as one mail.

    Raises:
        ConfigurationError: neither a separator, nor a header, nor blank.
    """
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    first = re.split(rb"[\r\n]", text, maxsplit=1)[0]
    if not text or first.startswith((b"From ", b">From ")):
        return
    if not _HEADER.match(first):
        raise ConfigurationError(
            f"{path} is no mbox file, which begins with a line `From …`: {is_instead(head)}"
        )


def _is_same(mail: MboxMail, remote_id: str) -> bool:
    digest = hashlib.sha256(mail.payload).hexdigest()
    return remote_id.removeprefix("sha256:").partition("#")[0] == digest


def _number(states: Mapping[str, _FileState], path: Path) -> int:
    state = states.get(str(path))
    return state.number if state else 0


def _cursor(states: Mapping[str, _FileState], seen: SeenMails) -> dict[str, Any]:
    return {
        "files": {path: asdict(state) for path, state in states.items()},
        "seen": seen.packed(),
    }

"""PST and OST files as a source: each mail a TNEF record of its own, resumable, damaged ones told by name.

Belongs here: which files and items are read from where on. Does not belong here: the format (`outlook`), what an item
says (`transforms.outlook`).

A file is read in the order of its items' numbers. An unchanged file is not read again; a changed one is read from its
start, and its mails come under the ids that they had: a mail's identity is what it says, not whether it was read or
flagged since. Items that nobody sent (contacts, tasks, appointments, drafts) and junk are left out and counted in the
cursor.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from connectors.contract import CheckResult, Cursor, Page
from connectors.errors import ConfigurationError
from connectors.mailbox.file_patterns import files_of, reason_of
from connectors.mailbox.outlook.pst_blocks import NoPstError, PstError, PstFile
from connectors.mailbox.outlook.pst_items import Found, PstReader
from connectors.mailbox.outlook.tnef_writer import MEDIA_TYPE, lasting_digest, to_tnef
from connectors.mailbox.pages import (
    PAGE_BYTES,
    PAGE_MAILS,
    STREAM,
    PageFiller,
    mail_record,
    tombstone,
)
from connectors.mailbox.seen import SeenMails
from transforms.model import RawRecord

REASONS_LIMIT = 40
"""Different reasons for leaving items out that are counted by themselves."""


@dataclass(slots=True)
class _FileState:
    """How far a file was read."""

    size: int
    mtime_ns: int
    last_nid: int = 0
    is_complete: bool = False
    given: int = 0
    damaged: list[int] = field(default_factory=list)
    """Items that could not be read: an empty record stands for each."""
    left_out: dict[str, int] = field(default_factory=dict)
    """Why items were left out, and how many."""
    problems: list[str] = field(default_factory=list)
    """What of the file's own index could not be read."""

    def leave_out(self, reason: str) -> None:
        if reason not in self.left_out and len(self.left_out) >= REASONS_LIMIT:
            reason = "others"
        self.left_out[reason] = self.left_out.get(reason, 0) + 1


@dataclass(frozen=True, slots=True)
class _Taken:
    """An item on its way into a page; `digest` is None where it cannot be read."""

    location: dict[str, Any]
    payload: bytes
    digest: bytes | None


class PstSource:
    """Mails of one or several PST or OST files, in the order of their names."""

    streams: Sequence[str] = (STREAM,)
    volatile_fields: Mapping[str, Sequence[str]] = {}

    def __init__(
        self,
        paths: Sequence[str | Path] | str | Path,
        *,
        folders: Sequence[str] = (),
        is_mail_class: Callable[[str], bool] = lambda _message_class: True,
        page_mails: int = PAGE_MAILS,
        page_bytes: int = PAGE_BYTES,
    ) -> None:
        """Takes paths and patterns (`archive/*.pst`); nothing is opened yet.

        Args:
            paths: files or patterns; relative ones count from the working folder.
            folders: only these, with those below them: ends of their paths, `Inbox` or `Inbox/2024`; none named takes
                all but drafts, junk and the outbox.
            is_mail_class: which classes of items (`IPM.Note`, `IPM.Contact`) are mails; the others are left out.
            page_mails: most mails in a page.
            page_bytes: most bytes in a page, a single larger mail apart.
        """
        self._patterns = [str(paths)] if isinstance(paths, str | Path) else [str(p) for p in paths]
        self._wanted = tuple(folder.strip("/").casefold() for folder in folders)
        self._is_mail_class = is_mail_class
        self._page_mails, self._page_bytes = page_mails, page_bytes

    def check(self) -> CheckResult:
        """Opens each file, counts the items of its folders, and names every file that is not whole."""
        name = f"PST {', '.join(self._patterns)}"
        told, problems = [], []
        try:
            files = files_of(self._patterns, "PST")
        except ConfigurationError as error:
            return CheckResult(name, False, str(error))
        for path in files:
            try:
                with closing(path.open("rb")) as stream:
                    reader = PstReader(PstFile(stream))
                    self._refuse_unknown_folders(path, reader)
                    count = sum(1 for found in reader.mails() if self._is_wanted(found, reader))
                    problems += [_about(path, problem) for problem in reader.file.problems[:3]]
                told.append(f"{path.name}: {count:,} items ({reader.file.layout.name})")
            except OSError as error:
                problems.append(f"{path} cannot be read: {reason_of(path, error)}")
            except PstError as error:
                problems.append(_about(path, error))
            except ConfigurationError as error:
                problems.append(str(error))
        return CheckResult(name, not problems, "; ".join(problems + told))

    def pull(self, stream: str, cursor: Cursor | None) -> Iterator[Page]:
        """Pages of mails; see `connectors.contract.Source`.

        Raises:
            ConfigurationError: no file fits, or one cannot be read, or parts of its index; all else comes first.
        """
        files = files_of(self._patterns, "PST")
        seen = SeenMails((cursor or {}).get("seen"))
        states = {
            path: _FileState(**state) for path, state in (cursor or {}).get("files", {}).items()
        }
        for gone in set(states) - {str(path) for path in files}:
            del states[gone]
        seen.keep_only(states)
        filler = PageFiller(self._page_mails, self._page_bytes)
        problems: list[str] = []
        notes: list[str] = []
        for path in files:
            known = states.get(str(path))
            was_read = known is not None and known.is_complete
            try:
                yield from self._read_file(path, states, seen, filler)
                if not (was_read and states[str(path)] is known):
                    notes += _left_out(path, states[str(path)])
                problems += [_about(path, problem) for problem in states[str(path)].problems[:3]]
            except OSError as error:
                problems.append(f"{path} cannot be read: {reason_of(path, error)}")
            except PstError as error:
                problems.append(_about(path, error))
            except ConfigurationError as error:
                problems.append(str(error))
        yield Page(filler.take(), _cursor(states, seen), complete=not problems, notes=notes)
        if problems:
            raise ConfigurationError("; ".join(problems))

    def _read_file(
        self, path: Path, states: dict[str, _FileState], seen: SeenMails, filler: PageFiller
    ) -> Iterator[Page]:
        container = str(path)
        known, stat = states.get(container), path.stat()
        state = _FileState(stat.st_size, stat.st_mtime_ns)
        damaged: set[int] = set()
        if known is not None:
            if (known.size, known.mtime_ns) == (state.size, state.mtime_ns):
                if known.is_complete:
                    return
                state = known
            else:
                seen.forget(container)
                damaged = set(known.damaged)
        with closing(path.open("rb")) as stream:
            reader = PstReader(PstFile(stream))
            self._refuse_unknown_folders(path, reader)
            states[container] = state
            for found in reader.mails(behind=state.last_nid):
                taken = self._take(found, reader, container, state)
                if taken is not None:
                    # Before the mail is noted anywhere: the cursor of this page stands before it.
                    if filler.is_full_for(len(taken.payload)):
                        yield Page(filler.take(), _cursor(states, seen), complete=False)
                    filler.add(_record(taken, container, state, damaged, seen))
                state.last_nid = found.node.nid
            for nid in sorted(damaged):
                filler.add(tombstone(_stand_in(container, nid), {"file": container}))
            state.problems = list(dict.fromkeys(reader.file.problems))[:20]
        state.is_complete = True

    def _take(
        self, found: Found, reader: PstReader, container: str, state: _FileState
    ) -> _Taken | None:
        """A mail, or what is known of one that cannot be read; None for what is no mail."""
        location: dict[str, Any] = {
            "file": container,
            "folder": found.folder,
            "number": found.node.nid,
        }
        if not self._is_wanted(found, reader):
            aside = None if self._wanted else reader.set_aside.get(found.node.parent)
            state.leave_out(f"in the folder of {aside}" if aside else "in other folders")
            return None
        try:
            message_class = reader.message_class(found.node)
            if not self._is_mail_class(message_class):
                state.leave_out(message_class[:80])
                return None
            item = reader.item(found.node)
            if item.problems:
                location["problem"] = "; ".join(item.problems)[:500]
            return _Taken(location, to_tnef(item, reader.names), lasting_digest(item))
        except PstError as error:
            location["problem"] = str(error)
            return _Taken(location, b"", None)

    def _is_wanted(self, found: Found, reader: PstReader) -> bool:
        if not self._wanted:
            return found.node.parent not in reader.set_aside
        path = f"{found.folder.casefold()}/"
        return any(f"/{wanted}/" in path for wanted in self._wanted)

    def _refuse_unknown_folders(self, path: Path, reader: PstReader) -> None:
        paths = [f"{folder.casefold()}/" for folder in reader.folders.values()]
        missing = [w for w in self._wanted if not any(f"/{w}/" in each for each in paths)]
        if missing:
            there = ", ".join(
                sorted(filter(lambda each: each != "/", reader.folders.values()))[:40]
            )
            raise ConfigurationError(
                f"{path} has no folder {', '.join(missing)}; there are: {there}"
            )


def _record(
    taken: _Taken, container: str, state: _FileState, damaged: set[int], seen: SeenMails
) -> RawRecord:
    """The record of a mail; an empty one, with the reason, for one that cannot be read."""
    nid = taken.location["number"]
    if taken.digest is not None:
        state.given += 1
        return mail_record(
            taken.payload,
            container,
            nid,
            seen,
            taken.location,
            media_type=MEDIA_TYPE,
            digest=taken.digest,
        )
    state.damaged.append(nid)
    damaged.discard(nid)
    return RawRecord(
        stream=STREAM,
        remote_id=_stand_in(container, nid),
        payload=b"",
        media_type=MEDIA_TYPE,
        location=taken.location,
    )


def _stand_in(container: str, nid: int) -> str:
    """The id of the empty record that stands for an item that cannot be read."""
    return f"damaged:{hashlib.sha256(container.encode('utf-8', 'surrogateescape')).hexdigest()[:16]}:{nid}"


def _left_out(path: Path, state: _FileState) -> list[str]:
    """A sentence about what was left out of a file that was just read; none where nothing was."""
    if not state.left_out:
        return []
    total = sum(state.left_out.values())
    told = ", ".join(f"{reason} {count}" for reason, count in sorted(state.left_out.items()))
    return [f"{path.name}: {state.given:,} mails; {total:,} other items were left out: {told}"]


def _about(path: Path, problem: PstError | str) -> str:
    if isinstance(problem, NoPstError):
        return f"{path}: {problem}"
    return f"{path}: {problem}; repair the file with Outlook's scanpst, or export it again"


def _cursor(states: Mapping[str, _FileState], seen: SeenMails) -> dict[str, Any]:
    return {
        "files": {path: asdict(state) for path, state in states.items()},
        "seen": seen.packed(),
    }

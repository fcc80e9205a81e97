"""Mails that lie in files of their own: what Maildirs and folders of `.eml` and `.msg` files share.

Belongs here: which files are new, which cannot be read. Does not belong here: where files are looked for (`maildir`,
`eml`, `msg`), what mails say (`transforms.mail`).

Files have no order in which they arrive, so the cursor remembers each one by a hash of its name, with the start
of its mail's digest (see `seen`). A file whose name is known is not read again.
"""

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connectors.contract import CheckResult, Cursor, Page
from connectors.errors import ConfigurationError
from connectors.mailbox.file_patterns import reason_of
from connectors.mailbox.pages import (
    MEDIA_TYPE,
    PAGE_BYTES,
    PAGE_MAILS,
    STREAM,
    PageFiller,
    mail_record,
)
from connectors.mailbox.seen import SeenMails

KEY_BYTES = 8
"""Bytes of a name's hash: a million mails collide with a chance of one in 30 million."""

SHOWN = 25
"""Folders that a check names."""


@dataclass(frozen=True, slots=True)
class MailFile:
    """A file, and the key under which it is remembered."""

    path: Path
    key: int


class FilesSource(ABC):
    """Mails in files, folder by folder, by name."""

    streams: Sequence[str] = (STREAM,)
    volatile_fields: Mapping[str, Sequence[str]] = {}
    kind: str
    media_type = MEDIA_TYPE

    def __init__(
        self,
        path: str | Path,
        *,
        page_mails: int = PAGE_MAILS,
        page_bytes: int = PAGE_BYTES,
    ) -> None:
        """Takes the path; nothing is opened yet.

        Args:
            path: the folder, or what else the kind of source reads.
            page_mails: most mails in a page.
            page_bytes: most bytes in a page, a single larger mail apart.
        """
        self._root = Path(path)
        self._page_mails, self._page_bytes = page_mails, page_bytes

    @abstractmethod
    def _listed(self, unreadable: list[str]) -> dict[str, list[MailFile]]:
        """Folder name → its files; what cannot be listed is told to `unreadable`, path and reason.

        Raises:
            ConfigurationError: there is nothing of that kind at the path.
        """

    def check(self) -> CheckResult:
        """Counts the mails in each folder."""
        name = f"{self.kind} {self._root}"
        unreadable: list[str] = []
        try:
            counts = {folder: len(files) for folder, files in self._listed(unreadable).items()}
        except ConfigurationError as error:
            return CheckResult(name, False, str(error))
        told = [f"{folder} {count}" for folder, count in [*counts.items()][:SHOWN]]
        if len(counts) > SHOWN:
            told.append(f"and {len(counts) - SHOWN:,} more folders")
        listed = f": {', '.join(told)}" if [*counts] != ["."] else ""
        detail = f"{sum(counts.values()):,} mails{listed}{self._passed_over()}"
        if unreadable:
            return CheckResult(name, False, f"{_unreadable(unreadable)}; {detail}")
        return CheckResult(name, True, detail)

    def _passed_over(self) -> str:
        """What lies there and is not read, as the end of a sentence."""
        return ""

    def pull(self, stream: str, cursor: Cursor | None) -> Iterator[Page]:
        """Pages of mails; see `connectors.contract.Source`.

        Raises:
            ConfigurationError: there is nothing at the path, or files in it cannot be read; those that can come
                first.
        """
        unreadable: list[str] = []
        folders = self._listed(unreadable)
        seen = SeenMails((cursor or {}).get("seen"), key_bytes=KEY_BYTES)
        # A folder that cannot be listed now is forgotten too: its mails come again under their ids.
        seen.keep_only(folders)
        for folder, files in folders.items():
            present = {file.key for file in files}
            seen.drop(folder, [key for key in seen.keys(folder) if key not in present])
        filler = PageFiller(self._page_mails, self._page_bytes)
        for folder, files in folders.items():
            known = set(seen.keys(folder))
            for file in sorted(files, key=lambda file: str(file.path)):
                if file.key in known:
                    continue
                try:
                    payload = file.path.read_bytes()
                    arrival = self._arrival(file.path)
                except OSError as error:
                    if isinstance(error, FileNotFoundError) and not file.path.is_symlink():
                        continue  # renamed (a flag was set) or moved since it was listed: the next pull meets it
                    unreadable.append(f"{file.path}: {reason_of(file.path, error)}")
                    continue
                if filler.is_full_for(len(payload)):
                    yield Page(filler.take(), _cursor(seen), complete=False)
                location = {"folder": folder, "file": str(file.path), **arrival}
                filler.add(
                    mail_record(
                        payload, folder, file.key, seen, location, media_type=self.media_type
                    )
                )
        yield Page(filler.take(), _cursor(seen), complete=not unreadable)
        if unreadable:
            raise ConfigurationError(_unreadable(unreadable))

    def _arrival(self, path: Path) -> dict[str, str]:
        """When the mail arrived, where the file tells."""
        return {}


def folders_below(root: Path, unreadable: list[str]) -> Iterator[Path]:
    """A folder and all below it; links to folders are not followed, so that no folder comes twice."""

    def tell(error: OSError) -> None:
        unreadable.append(f"{error.filename}: {error.strerror or error}")

    return (Path(path) for path, _, _ in os.walk(root, onerror=tell))


def files_in(folder: Path, unreadable: list[str]) -> list[Path]:
    """The files of one folder, and links that lead nowhere."""
    try:
        return [path for path in folder.iterdir() if not path.is_dir()]
    except OSError as error:
        told = f"{folder}: {error.strerror or error}"
        if told not in unreadable:
            unreadable.append(told)
        return []


def key_of(name: str) -> int:
    """The key under which a file of this name is remembered."""
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:KEY_BYTES], "big")


def _unreadable(told: Sequence[str]) -> str:
    more = f"; and {len(told) - 5:,} more" if len(told) > 5 else ""
    return f"{len(told):,} file(s) or folder(s) cannot be read: {'; '.join(told[:5])}{more}"


def _cursor(seen: SeenMails) -> dict[str, Any]:
    return {"seen": seen.packed()}

"""Mails that lie in files of their own: Maildir folders, and plain folders of `.eml` files.

Belongs here: which files are new. Does not belong here: what mails say (`transforms.mail`).

Files have no order in which they arrive, so the cursor remembers each one by a hash of its name, with the start
of its mail's digest (see `seen`). A file whose name is known is not read again; for `.eml` files, which people
overwrite, size and time count as part of the name, and one that was only touched comes again under its id.

Source: D. J. Bernstein, "Using maildir format"; Courier, Maildir++.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from imapclient.imap_utf7 import decode as decode_folder_name

from connectors.contract import CheckResult, Cursor, Page
from connectors.errors import ConfigurationError
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


@dataclass(frozen=True, slots=True)
class MailFile:
    """A file, the folder that it counts to, and the name under which it is remembered."""

    folder: str
    path: Path
    key: int


class _FilesSource(ABC):
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
        """Takes the folder; nothing is opened yet.

        Args:
            path: the folder.
            page_mails: most mails in a page.
            page_bytes: most bytes in a page, a single larger mail apart.
        """
        self._root = Path(path)
        self._page_mails, self._page_bytes = page_mails, page_bytes

    @abstractmethod
    def _folders(self) -> dict[str, list[Path]]:
        """Folder name → the directories that hold its files."""

    @abstractmethod
    def _files(self, folder: str, directories: Sequence[Path]) -> Iterator[MailFile]:
        """The files of one folder."""

    def check(self) -> CheckResult:
        """Counts the mails in each folder."""
        name = f"{self.kind} {self._root}"
        try:
            counts = [
                f"{folder}: {sum(1 for _ in self._files(folder, directories))}"
                for folder, directories in self._folders().items()
            ]
        except (ConfigurationError, OSError) as error:
            return CheckResult(name, False, str(error))
        return CheckResult(name, True, f"mails in {', '.join(counts)}")

    def pull(self, stream: str, cursor: Cursor | None) -> Iterator[Page]:
        """Pages of mails; see `connectors.contract.Source`.

        Raises:
            ConfigurationError: the folder does not exist, or files in it cannot be read; those that can come
                first.
        """
        folders = self._folders()
        seen = SeenMails((cursor or {}).get("seen"), key_bytes=KEY_BYTES)
        seen.keep_only(folders)
        files = {
            folder: sorted(self._files(folder, directories), key=lambda file: str(file.path))
            for folder, directories in folders.items()
        }
        for folder, found in files.items():
            present = {file.key for file in found}
            seen.drop(folder, [key for key in seen.keys(folder) if key not in present])
        filler = PageFiller(self._page_mails, self._page_bytes)
        unreadable: list[str] = []
        for folder, found in files.items():
            known = set(seen.keys(folder))
            for file in found:
                if file.key in known:
                    continue
                try:
                    payload = file.path.read_bytes()
                    arrival = self._arrival(file.path)
                except FileNotFoundError:
                    continue  # renamed (a flag was set) or moved since it was listed: the next pull meets it
                except OSError as error:
                    unreadable.append(f"{file.path}: {error.strerror or error}")
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
            raise ConfigurationError(
                f"{len(unreadable)} mail file(s) cannot be read: {'; '.join(unreadable[:5])}"
            )

    def _arrival(self, path: Path) -> dict[str, str]:
        """When the mail arrived, where the file tells."""
        return {}

    def _existing_root(self) -> Path:
        if not self._root.is_dir():
            raise ConfigurationError(f"{self.kind}: {self._root} is no folder")
        return self._root


class MaildirSource(_FilesSource):
    """A Maildir with its subfolders (Maildir++ `.Archive.2026`, or directories that are Maildirs themselves)."""

    kind = "Maildir"

    def __init__(
        self,
        path: str | Path,
        *,
        folders: Sequence[str] | None = None,
        page_mails: int = PAGE_MAILS,
        page_bytes: int = PAGE_BYTES,
    ) -> None:
        """Takes the Maildir.

        Args:
            path: the folder that holds `cur` and `new`.
            folders: `INBOX` for the Maildir itself, `Archive/2026` for a subfolder; None takes all there are.
            page_mails: most mails in a page.
            page_bytes: most bytes in a page, a single larger mail apart.
        """
        super().__init__(path, page_mails=page_mails, page_bytes=page_bytes)
        self._wanted = None if folders is None else tuple(folders)

    def _folders(self) -> dict[str, list[Path]]:
        root = self._existing_root()
        found = {"INBOX": root} if _is_maildir(root) else {}
        for path in sorted(path.parent for path in root.rglob("cur") if path.is_dir()):
            if path != root and _is_maildir(path):
                found[_folder_name(path.relative_to(root))] = path
        if not found:
            raise ConfigurationError(f"{root} is no Maildir: it has no folder `cur`")
        missing = [name for name in self._wanted or () if name not in found]
        if missing:
            raise ConfigurationError(
                f"{root} has no folder {', '.join(missing)}; there are: {', '.join(found)}"
            )
        return {
            name: [path / "new", path / "cur"]
            for name, path in found.items()
            if self._wanted is None or name in self._wanted
        }

    def _files(self, folder: str, directories: Sequence[Path]) -> Iterator[MailFile]:
        """A file keeps its unique name when it moves from `new` to `cur` and when its flags change."""
        for directory in directories:
            if not directory.is_dir():
                continue
            for path in directory.iterdir():
                if not path.name.startswith(".") and path.is_file():
                    unique = path.name.partition(":")[0].partition("!2,")[0].partition(";2,")[0]
                    yield MailFile(folder, path, _hash(unique))

    def _arrival(self, path: Path) -> dict[str, str]:
        """A Maildir file's time is the mail's delivery; an `.eml` file's says only when it was copied."""
        at = datetime.fromtimestamp(int(path.stat().st_mtime), UTC)
        return {"internal_date": at.isoformat()}


class EmlSource(_FilesSource):
    """A folder of single mails, `.eml` files, with all folders below it."""

    kind = "folder of mails"
    suffix = ".eml"

    def _folders(self) -> dict[str, list[Path]]:
        root = self._existing_root()
        folders = sorted({path.parent for path in self._found(root)})
        return {path.relative_to(root).as_posix(): [path] for path in folders} or {".": [root]}

    def _files(self, folder: str, directories: Sequence[Path]) -> Iterator[MailFile]:
        for directory in directories:
            for path in directory.iterdir():
                if path.suffix.lower() == self.suffix and path.is_file():
                    stat = path.stat()
                    name = f"{path.name}\x00{stat.st_size}\x00{stat.st_mtime_ns}"
                    yield MailFile(folder, path, _hash(name))

    def _found(self, root: Path) -> Iterator[Path]:
        return (path for path in root.rglob("*") if path.suffix.lower() == self.suffix)


def _is_maildir(path: Path) -> bool:
    return (path / "cur").is_dir() and (path / "new").is_dir()


def _folder_name(relative: Path) -> str:
    """`.Archive.2026` (Maildir++) and `Archive/2026` (directories) are the same folder to people."""
    parts = [
        piece
        for part in relative.parts
        for piece in (part[1:].split(".") if part.startswith(".") else [part])
    ]
    return "/".join(decode_folder_name(part.encode("utf-8", "surrogateescape")) for part in parts)


def _hash(name: str) -> int:
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:KEY_BYTES], "big")


def _cursor(seen: SeenMails) -> dict[str, Any]:
    return {"seen": seen.packed()}

"""A Maildir with its subfolders as a source.

Belongs here: which folders are Maildirs, how they are called. Does not belong here: which files are new (`mail_files`),
what mails say (`transforms.mail`).

Source: D. J. Bernstein, "Using maildir format"; Courier, Maildir++.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from imapclient.imap_utf7 import decode as decode_folder_name

from connectors.errors import ConfigurationError
from connectors.mailbox.mail_files import FilesSource, MailFile, files_in, folders_below, key_of
from connectors.mailbox.pages import PAGE_BYTES, PAGE_MAILS


class MaildirSource(FilesSource):
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

    def _listed(self, unreadable: list[str]) -> dict[str, list[MailFile]]:
        """A file keeps its unique name when it moves from `new` to `cur` and when its flags change."""
        return {
            folder: [
                MailFile(file, key_of(_unique(file.name)))
                for part in ("new", "cur")
                for file in files_in(path / part, unreadable)
                if not file.name.startswith(".")
            ]
            for folder, path in self._folders(unreadable).items()
        }

    def _folders(self, unreadable: list[str]) -> dict[str, Path]:
        root = self._root
        if not root.is_dir():
            what = "is no folder" if root.exists() else "is not there"
            raise ConfigurationError(f"Maildir: {root} {what}; check 'path' in the configuration")
        found = {
            _folder_name(path.relative_to(root)): path
            for path in sorted(folders_below(root, unreadable))
            if _is_maildir(path)
        }
        if not found:
            missing = " and ".join(
                f"`{one}`" for one in ("cur", "new") if not (root / one).is_dir()
            )
            raise ConfigurationError(
                f"{root} is no Maildir: it has no folder {missing}, and no folder in it is one; name the folder "
                "that holds `cur` and `new`"
            )
        lacking = [name for name in self._wanted or () if name not in found]
        if lacking:
            raise ConfigurationError(
                f"{root} has no folder {', '.join(lacking)}; there are: {', '.join(found)}"
            )
        return {n: path for n, path in found.items() if self._wanted is None or n in self._wanted}

    def _arrival(self, path: Path) -> dict[str, str]:
        """A Maildir file's time is the mail's delivery; an `.eml` file's says only when it was copied."""
        at = datetime.fromtimestamp(int(path.stat().st_mtime), UTC)
        return {"internal_date": at.isoformat()}


def _is_maildir(path: Path) -> bool:
    return (path / "cur").is_dir() and (path / "new").is_dir()


def _unique(name: str) -> str:
    return name.partition(":")[0].partition("!2,")[0].partition(";2,")[0]


def _folder_name(relative: Path) -> str:
    """`.Archive.2026` (Maildir++) and `Archive/2026` (directories) are the same folder to people."""
    parts = [
        piece
        for part in relative.parts
        for piece in (part[1:].split(".") if part.startswith(".") else [part])
    ]
    named = (decode_folder_name(part.encode("utf-8", "surrogateescape")) for part in parts)
    return "/".join(named) or "INBOX"

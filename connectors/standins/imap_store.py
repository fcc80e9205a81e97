"""The IMAP stand-in's mails on disk: a folder tree of `.eml` files with stable UIDs.

Belongs here: UIDs, UIDVALIDITY, flags, times, kept in a small index file per folder. Does not belong here: the
protocol (`imap`). Folder names are modified UTF-7 on the wire and plain names on disk.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connectors.standins.imap_wire import decode_name, encode_name

INDEX = ".imap-index.json"

FIRST_UIDVALIDITY = 1_000_001


@dataclass(slots=True)
class StoredMail:
    """One `.eml` file and what the index knows of it."""

    folder: "Folder"
    name: str
    uid: int
    flags: list[str]
    internal_date: datetime

    def payload(self) -> bytes | None:
        """The mail with CRLF line ends, as it goes over the wire; None where the file is gone."""
        try:
            content = (self.folder.path / self.name).read_bytes()
        except FileNotFoundError:
            return None
        return re.sub(rb"\r?\n", b"\r\n", content)

    def add_flag(self, flag: str) -> None:
        """Sets a flag and keeps it."""
        if flag not in self.flags:
            self.flags.append(flag)
            self.folder.set_flags(self.name, self.flags)


class Folder:
    """One folder. Files that appear get the next UIDs, in the order of their names."""

    def __init__(self, name: str, path: Path) -> None:
        """Opens or makes the folder's index."""
        self.name = name
        self.path = path
        self._index: dict[str, Any] = {
            "uidvalidity": FIRST_UIDVALIDITY,
            "uidnext": 1,
            "mails": {},
        }
        if (path / INDEX).exists():
            self._index = json.loads((path / INDEX).read_text("utf-8"))
        self._rescan()

    @property
    def uidvalidity(self) -> int:
        """The number under which the UIDs are valid."""
        return int(self._index["uidvalidity"])

    @property
    def uidnext(self) -> int:
        """The UID that the next mail gets."""
        return int(self._index["uidnext"])

    def mails(self) -> list[StoredMail]:
        """The mails there are now, by UID."""
        self._rescan()
        found = [
            StoredMail(
                self,
                name,
                entry["uid"],
                list(entry["flags"]),
                datetime.fromisoformat(entry["internal_date"]),
            )
            for name, entry in self._index["mails"].items()
        ]
        return sorted(found, key=lambda mail: mail.uid)

    def append(self, payload: bytes, at: datetime | None, flags: Sequence[str] = ()) -> int:
        """Adds a mail and gives its UID."""
        self._rescan()
        uid = self.uidnext
        name = f"appended-{uid:08d}.eml"
        (self.path / name).write_bytes(payload)
        self._add(name, at, flags)
        self._save()
        return uid

    def remove(self, name: str) -> None:
        """Expunges a mail: its file goes, its UID never comes back."""
        (self.path / name).unlink()
        self._rescan()

    def renumber(self) -> None:
        """Gives the folder a new UIDVALIDITY and its mails new UIDs, as after a restore."""
        names = list(self._index["mails"])
        self._index = {
            "uidvalidity": self.uidvalidity + 1,
            "uidnext": 1,
            "mails": {},
        }
        for name in sorted(names, reverse=True):
            if (self.path / name).exists():
                self._add(name, None)
        self._save()

    def set_flags(self, name: str, flags: Sequence[str]) -> None:
        """Keeps a mail's flags."""
        self._index["mails"][name]["flags"] = list(flags)
        self._save()

    def _rescan(self) -> None:
        names = {path.name for path in self.path.glob("*.eml")}
        known = self._index["mails"]
        gone, new = set(known) - names, sorted(names - set(known))
        for name in gone:
            del known[name]
        for name in new:
            self._add(name, None)
        if gone or new:
            self._save()

    def _add(self, name: str, at: datetime | None, flags: Sequence[str] = ()) -> None:
        if at is None:
            at = datetime.fromtimestamp(int((self.path / name).stat().st_mtime), UTC)
        uid = self.uidnext
        self._index["mails"][name] = {
            "uid": uid,
            "flags": list(flags),
            "internal_date": at.isoformat(),
        }
        self._index["uidnext"] = uid + 1

    def _save(self) -> None:
        temporary = self.path / (INDEX + ".new")
        temporary.write_text(json.dumps(self._index), "utf-8")
        temporary.replace(self.path / INDEX)


class MailStore:
    """The folder tree."""

    def __init__(self, root: Path) -> None:
        """Makes the root and its INBOX where they are missing."""
        self.root = root
        (root / "INBOX").mkdir(parents=True, exist_ok=True)
        self._folders: dict[str, Folder] = {}

    def names(self) -> list[str]:
        """The folders' names as they go over the wire (modified UTF-7), `INBOX` first."""
        paths = [path for path in self.root.rglob("*") if path.is_dir()]
        names = sorted(path.relative_to(self.root).as_posix() for path in paths)
        return [encode_name(name) for name in sorted(names, key=lambda name: name != "INBOX")]

    def folder(self, name: str) -> Folder | None:
        """A folder by its name on the wire or on disk; None where there is none."""
        name = "INBOX" if name.upper() == "INBOX" else decode_name(name)
        path = self.root / name
        if not path.resolve().is_relative_to(self.root.resolve()) or not path.is_dir() or not name:
            return None
        if name not in self._folders:
            self._folders[name] = Folder(name, path)
        return self._folders[name]

"""The IMAP stand-in's mails on disk: a folder tree of `.eml` files with stable UIDs.

Belongs here: UIDs, UIDVALIDITY, flags, labels, times, modification sequences, kept in a small index file per folder.
Does not belong here: the protocol (`imap`). Folder names are modified UTF-7 on the wire and plain names on disk.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from connectors.standins.imap_wire import decode_name, encode_name

INDEX = ".imap-index.json"

FIRST_UIDVALIDITY = 1_000_001

GMAIL_ALL = "[Gmail]/All Mail"
"""Where the mails of a Gmail account lie; everything else there is a label."""


@dataclass(slots=True)
class StoredMail:
    """One `.eml` file and what the index knows of it."""

    folder: "Folder"
    name: str
    uid: int
    flags: list[str]
    internal_date: datetime
    modseq: int = 1
    labels: list[str] = field(default_factory=list)

    @property
    def gmail_id(self) -> int:
        """The id that stays with the mail under every label and through renumbering (X-GM-MSGID)."""
        return int(hashlib.sha256(self.name.encode()).hexdigest()[:15], 16)

    def payload(self) -> bytes | None:
        """The mail with CRLF line ends, as it goes over the wire; None where the file is gone."""
        path = self.folder.path / self.name
        try:
            return _with_crlf(path, path.stat().st_mtime_ns)
        except FileNotFoundError:
            return None

    def add_flag(self, flag: str) -> None:
        """Sets a flag and keeps it."""
        if flag not in self.flags:
            self.flags.append(flag)
            self.folder.set_flags(self.name, self.flags)


@lru_cache(maxsize=8)
def _with_crlf(path: Path, _mtime_ns: int) -> bytes:
    """A file's mail; a few are kept, for clients that read a large one in parts."""
    return re.sub(rb"\r?\n", b"\r\n", path.read_bytes())


class Folder:
    """One folder. Files that appear get the next UIDs, in the order of their names."""

    def __init__(self, name: str, path: Path) -> None:
        """Opens or makes the folder's index."""
        self.name = name
        self.path = path
        self._index: dict[str, Any] = {
            "uidvalidity": FIRST_UIDVALIDITY,
            "uidnext": 1,
            "modseq": 1,
            "mails": {},
            "expunged": [],
        }
        if (path / INDEX).exists():
            self._index |= json.loads((path / INDEX).read_text("utf-8"))
        self._rescan()

    @property
    def uidvalidity(self) -> int:
        """The number under which the UIDs are valid."""
        return int(self._index["uidvalidity"])

    @property
    def uidnext(self) -> int:
        """The UID that the next mail gets."""
        return int(self._index["uidnext"])

    @property
    def modseq(self) -> int:
        """The highest modification sequence: it grows with each mail, flag and expunge."""
        return int(self._index["modseq"])

    def expunged_since(self, modseq: int) -> list[int]:
        """UIDs that were expunged above a modification sequence."""
        self._rescan()
        return sorted(uid for uid, at in self._index["expunged"] if at > modseq)

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
                entry.get("modseq", 1),
                list(entry.get("labels", ())),
            )
            for name, entry in self._index["mails"].items()
        ]
        return sorted(found, key=lambda mail: mail.uid)

    def append(
        self,
        payload: bytes,
        at: datetime | None,
        flags: Sequence[str] = (),
        labels: Sequence[str] = (),
    ) -> int:
        """Adds a mail and gives its UID."""
        self._rescan()
        uid = self.uidnext
        name = f"appended-{self.uidvalidity}-{uid:08d}.eml"
        (self.path / name).write_bytes(payload)
        self._add(name, at, flags, labels)
        self._save()
        return uid

    def remove(self, name: str) -> None:
        """Expunges a mail: its file goes, its UID never comes back."""
        (self.path / name).unlink()
        self._rescan()

    def renumber(self) -> None:
        """Gives the folder a new UIDVALIDITY and its mails new UIDs, as after a restore."""
        before = self._index["mails"]
        self._index = {
            "uidvalidity": self.uidvalidity + 1,
            "uidnext": 1,
            "modseq": 1,
            "mails": {},
            "expunged": [],
        }
        for name in sorted(before, reverse=True):
            if (self.path / name).exists():
                entry = before[name]
                at = datetime.fromisoformat(entry["internal_date"])
                self._add(name, at, entry["flags"], entry.get("labels", ()))
        self._save()

    def set_flags(self, name: str, flags: Sequence[str]) -> None:
        """Keeps a mail's flags."""
        self._index["mails"][name]["flags"] = list(flags)
        self._index["mails"][name]["modseq"] = self._next_modseq()
        self._save()

    def set_labels(self, name: str, labels: Sequence[str]) -> None:
        """Keeps a mail's Gmail labels."""
        self._index["mails"][name]["labels"] = list(labels)
        self._index["mails"][name]["modseq"] = self._next_modseq()
        self._save()

    def _next_modseq(self) -> int:
        self._index["modseq"] += 1
        return int(self._index["modseq"])

    def _rescan(self) -> None:
        names = {path.name for path in self.path.glob("*.eml")}
        known = self._index["mails"]
        gone, new = set(known) - names, sorted(names - set(known))
        for name in gone:
            self._index["expunged"].append([known.pop(name)["uid"], self._next_modseq()])
        for name in new:
            self._add(name, None)
        if gone or new:
            self._save()

    def _add(
        self,
        name: str,
        at: datetime | None,
        flags: Sequence[str] = (),
        labels: Sequence[str] = (),
    ) -> None:
        if at is None:
            at = datetime.fromtimestamp(int((self.path / name).stat().st_mtime), UTC)
        uid = self.uidnext
        self._index["mails"][name] = {
            "uid": uid,
            "flags": list(flags),
            "internal_date": at.isoformat(),
            "modseq": self._next_modseq(),
            "labels": list(labels),
        }
        self._index["uidnext"] = uid + 1

    def _save(self) -> None:
        temporary = self.path / (INDEX + ".new")
        temporary.write_text(json.dumps(self._index), "utf-8")
        temporary.replace(self.path / INDEX)


class LabelFolder:
    """A Gmail label as IMAP shows it: the mails of All Mail that carry it, with UIDs of its own."""

    def __init__(self, name: str, base: Folder, label: str) -> None:
        """Takes All Mail and the label; mails get their UIDs here when they are first met."""
        self.name = name
        self.uidvalidity = FIRST_UIDVALIDITY
        self._base = base
        self._label = label
        self._uids: dict[str, int] = {}

    @property
    def uidnext(self) -> int:
        """The UID that the next mail gets."""
        self.mails()
        return len(self._uids) + 1

    @property
    def modseq(self) -> int:
        """That of All Mail."""
        return self._base.modseq

    def expunged_since(self, modseq: int) -> list[int]:
        """Nothing: Gmail offers no QRESYNC."""
        return []

    def mails(self) -> list[StoredMail]:
        """The mails there are now, by UID."""
        found = [mail for mail in self._base.mails() if self._label in mail.labels]
        for mail in found:
            mail.uid = self._uids.setdefault(mail.name, len(self._uids) + 1)
        return sorted(found, key=lambda mail: mail.uid)


AnyFolder = Folder | LabelFolder


class MailStore:
    """The folder tree."""

    def __init__(self, root: Path, labels: Mapping[str, str] | None = None) -> None:
        r"""Makes the root and its INBOX (Gmail: its All Mail) where they are missing.

        Args:
            root: the folder tree.
            labels: Gmail's folders that are labels, name → label (`INBOX` → `\Inbox`); None: no Gmail.
        """
        self.root = root
        (root / (GMAIL_ALL if labels is not None else "INBOX")).mkdir(parents=True, exist_ok=True)
        self._labels = dict(labels or {})
        self._folders: dict[str, Folder] = {}
        self._views: dict[str, LabelFolder] = {}

    def names(self) -> list[str]:
        """The folders' names as they go over the wire (modified UTF-7), `INBOX` first."""
        paths = [path for path in self.root.rglob("*") if path.is_dir()]
        names = sorted([*self._labels, *(path.relative_to(self.root).as_posix() for path in paths)])
        return [encode_name(name) for name in sorted(names, key=lambda name: name != "INBOX")]

    def dump(self) -> list[dict[str, Any]]:
        """Every mail in every folder as it is now, in a fixed order: what a reader should know in the end.

        `occurrence` counts mails with the same bytes over all folders, from 1.
        """
        paths = sorted(path for path in self.root.rglob("*") if path.is_dir())
        found: list[dict[str, Any]] = []
        times: Counter[str] = Counter()
        for path in paths:
            folder = self._real(path.relative_to(self.root).as_posix())
            for mail in folder.mails():
                payload = mail.payload() or b""
                digest = hashlib.sha256(payload).hexdigest()
                times[digest] += 1
                found.append(
                    {
                        "folder": folder.name,
                        "uidvalidity": folder.uidvalidity,
                        "uid": mail.uid,
                        "sha256": digest,
                        "occurrence": times[digest],
                        "size": len(payload),
                        "flags": sorted(mail.flags),
                        "labels": sorted(mail.labels),
                        "internal_date": mail.internal_date.isoformat(),
                    }
                )
        return found

    def folder(self, name: str) -> Folder | None:
        """A folder that lies on disk, by its name on the wire or on disk; None where there is none."""
        found = self.opened(name)
        return found if isinstance(found, Folder) else None

    def opened(self, name: str) -> AnyFolder | None:
        """A folder or label by its name on the wire or on disk; None where there is none."""
        name = "INBOX" if name.upper() == "INBOX" else decode_name(name)
        if name in self._labels:
            base = self._real(GMAIL_ALL)
            return self._views.setdefault(name, LabelFolder(name, base, self._labels[name]))
        path = self.root / name
        if not path.resolve().is_relative_to(self.root.resolve()) or not path.is_dir() or not name:
            return None
        return self._real(name)

    def _real(self, name: str) -> Folder:
        if name not in self._folders:
            self._folders[name] = Folder(name, self.root / name)
        return self._folders[name]

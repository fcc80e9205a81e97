r"""How far a mailbox was read: the cursor of an IMAP source, and what it tells of the mails on the server.

Belongs here: the cursor's shape, old shapes included. Does not belong here: reading (`imap_folder`).

A folder's place is (UIDVALIDITY, last UID, modification sequence); `owed` are UIDs that the server could not hand
over yet. Beside it the cursor remembers each mail that lies on the server: UID, start of its digest, system flags.
That is where a mail's presence and flags are kept; its raw record stays when it vanishes from the server.

On Gmail mails are remembered by X-GM-MSGID in one container, `\All`, whatever labels they were met under.
"""

from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from connectors.contract import Cursor
from connectors.mailbox.imap_answers import MARKS
from connectors.mailbox.pages import tombstone
from connectors.mailbox.seen import SeenMails
from transforms.model import RawRecord

GMAIL = "\\All"
"""The container of mails that are remembered by their Gmail id."""


@dataclass(slots=True)
class FolderPlace:
    """How far a folder was read."""

    uidvalidity: int
    last_uid: int = 0
    owed: list[int] = field(default_factory=list)
    modseq: int = 0
    """Highest modification sequence up to which flags and expunges are known; 0: none. Up to 63 bits."""


@dataclass(frozen=True, slots=True)
class Standing:
    r"""A mail that lies on the server, as far as the cursor knows: where, which, and its system flags.

    `key` is the UID, or the X-GM-MSGID where `folder` is `\All`. `digest_start` are the first ten hex digits of
    the sha256 in its remote id.
    """

    folder: str
    key: int
    digest_start: str
    flags: tuple[str, ...]


class MailboxPlace:
    """The cursor, unpacked."""

    def __init__(self, cursor: Cursor | None) -> None:
        """Reads a cursor; one without marks, as it was before flags were kept, is taken over."""
        held = dict(cursor or {})
        self.is_gmail = bool(held.get("is_gmail"))
        self.withdrawn: list[RawRecord] = []
        """Tombstones of owed mails that are owed no longer; the next page has to carry them."""
        self.folders = {
            name: FolderPlace(**place) for name, place in held.get("folders", {}).items()
        }
        self.seen = SeenMails(
            held.get("mails"), key_bytes=8 if self.is_gmail else 4, has_marks=True
        )
        if held.get("seen"):
            before = SeenMails(held["seen"])
            for folder in before.containers():
                for uid in before.keys(folder):
                    self.seen.add(folder, uid, before.prefix(folder, uid))

    def fit(self, folders: list[str], *, is_gmail: bool) -> None:
        """Forgets folders that are read no longer, and everything where the server turns out to be Gmail or not."""
        kept = folders if is_gmail == self.is_gmail else []
        if is_gmail != self.is_gmail:
            self.is_gmail = is_gmail
            self.seen = SeenMails(key_bytes=8 if is_gmail else 4, has_marks=True)
        for name in [name for name in self.folders if name not in kept]:
            self.keep_owed(name, ())
            del self.folders[name]
        self.seen.keep_only([GMAIL] if is_gmail else self.folders)

    def keep_owed(self, folder: str, uids: Collection[int]) -> None:
        """Keeps those owed mails of a folder that are among `uids`; the others' stand-ins are withdrawn."""
        place = self.folders[folder]
        for uid in place.owed:
            if uid not in uids:
                location = {"folder": folder, "uidvalidity": place.uidvalidity, "uid": uid}
                self.withdrawn.append(
                    tombstone(unfetched_id(folder, place.uidvalidity, uid), location)
                )
        place.owed = [uid for uid in place.owed if uid in uids]

    def container(self, folder: str) -> str:
        """Under which name a folder's mails are remembered."""
        return GMAIL if self.is_gmail else folder

    def packed(self) -> dict[str, Any]:
        """The cursor."""
        return {
            "folders": {name: asdict(place) for name, place in self.folders.items()},
            "mails": self.seen.packed(),
            **({"is_gmail": True} if self.is_gmail else {}),
        }


def unfetched_id(folder: str, uidvalidity: int, uid: int) -> str:
    """The id of the empty record that stands for a mail which the server could not hand over."""
    return f"unfetched:{folder}:{uidvalidity}:{uid}"


def standing_mails(cursor: Cursor | None) -> Iterator[Standing]:
    """Every mail that lay on the server when the cursor was written, with its flags as known then.

    Flags are followed where the server offers CONDSTORE; elsewhere they are those of the first sight or the last
    recount. Mails that a folder owes are not among them.
    """
    place = MailboxPlace(cursor)
    for container in place.seen.containers():
        for key in place.seen.keys(container):
            mark = place.seen.mark(container, key)
            yield Standing(
                container,
                key,
                place.seen.prefix(container, key).hex(),
                tuple(flag for bit, flag in enumerate(MARKS) if mark >> bit & 1),
            )

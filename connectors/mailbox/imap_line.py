"""IMAPClient with the commands that it lacks: EXAMINE with QRESYNC, FETCH that trusts UIDs only, LIST with uses.

Belongs here: words sent and how the answers are gathered. Does not belong here: errors for people and opening a
connection again (`imap_session`).

Source: RFC 3501, RFC 7162 (CONDSTORE, QRESYNC), RFC 6154 (special uses), RFC 5258 (LIST RETURN).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from imapclient import IMAPClient

from connectors.mailbox.imap_answers import MailFacts, mails_in, vanished_in


@dataclass(frozen=True, slots=True)
class Resync:
    """What we know of a folder, for a server that can say what changed since."""

    uidvalidity: int
    modseq: int
    last_uid: int


@dataclass(frozen=True, slots=True)
class FolderState:
    """What EXAMINE says of a folder.

    `modseq` is 0 where the server keeps none for this folder. `changed` and `vanished` are set where it was asked
    with QRESYNC and answered.
    """

    uidvalidity: int
    uidnext: int | None
    exists: int
    modseq: int = 0
    changed: dict[int, MailFacts] = field(default_factory=dict)
    vanished: list[range] = field(default_factory=list)
    is_resynced: bool = False


@dataclass(frozen=True, slots=True)
class ListedFolder:
    r"""A folder as LIST names it; `uses` holds its attributes, lower case (`\sent`, `\noselect`)."""

    name: str
    delimiter: str
    uses: frozenset[str]

    @property
    def is_selectable(self) -> bool:
        """Whether it can hold mails."""
        return not self.uses & {"\\noselect", "\\nonexistent"}


class ImapLine(IMAPClient):  # type: ignore[misc]
    """One connection. All methods raise what IMAPClient raises."""

    def offers(self, *names: str) -> bool:
        """Whether the server has all these capabilities."""
        return all(self.has_capability(name) for name in names)

    def examine(self, folder: str, parameters: str = "") -> FolderState:
        """Opens a folder for reading only; `parameters` is `(CONDSTORE)` or `(QRESYNC (…))`."""
        name = self._normalise_folder(folder).decode("ascii")
        typ, data = self._imap.select(f"{name} {parameters}".rstrip(), True)
        self._checkok("examine", typ, data)
        answers = self._imap.untagged_responses

        def number(key: str) -> int | None:
            # The last one: an earlier one may be news about the folder that was open before.
            values = [value for value in answers.get(key, []) if value and value.strip().isdigit()]
            return int(values[-1]) if values else None

        is_resynced = parameters.startswith("(QRESYNC") and "NOMODSEQ" not in answers
        return FolderState(
            uidvalidity=number("UIDVALIDITY") or 0,
            uidnext=number("UIDNEXT"),
            exists=number("EXISTS") or 0,
            modseq=number("HIGHESTMODSEQ") or 0,
            changed=mails_in(answers.pop("FETCH", [])) if is_resynced else {},
            vanished=vanished_in(answers.pop("VANISHED", [])) if is_resynced else [],
            is_resynced=is_resynced,
        )

    def fetch_by_uid(
        self, uids: str, items: Sequence[str], changed_since: int | None = None
    ) -> dict[int, MailFacts]:
        """UID → what the server says; mails that are gone are missing."""
        # What is left of an earlier command that was refused half-way is no answer to this one.
        self._imap.untagged_responses.pop("FETCH", None)
        modifiers = [] if changed_since is None else [f"(CHANGEDSINCE {changed_since})"]
        typ, data = self._imap.uid("FETCH", uids, f"({' '.join(items)})", *modifiers)
        self._checkok("fetch", typ, data)
        return mails_in(data)

    def folders(self) -> list[ListedFolder]:
        """All folders with their uses."""
        asked = ['""', '"*"']
        if self.offers("LIST-EXTENDED", "SPECIAL-USE"):
            asked.append("RETURN (SPECIAL-USE)")
        self._imap.untagged_responses.pop("LIST", None)
        typ, data = self._imap._simple_command("LIST", *asked)
        self._checkok("list", typ, data)
        _, data = self._imap._untagged_response(typ, data, "LIST")
        return [
            ListedFolder(
                str(name),
                delimiter.decode("ascii", "replace") if isinstance(delimiter, bytes) else "",
                frozenset(
                    flag.decode("ascii", "replace").casefold()
                    for flag in flags
                    if isinstance(flag, bytes)
                ),
            )
            for flags, delimiter, name in self._proc_folder_list(data)
        ]

    def foreign_prefixes(self) -> list[str]:
        """Prefixes of other people's and shared folders (RFC 2342); empty where the server does not tell."""
        if not self.offers("NAMESPACE"):
            return []
        spaces = self.namespace()
        return [
            prefix for space in (spaces.other, spaces.shared) for prefix, _ in space or () if prefix
        ]

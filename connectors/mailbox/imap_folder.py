"""One IMAP folder being read: what came, what changed, what went, page by page.

Belongs here: what to ask a server that drops, renumbers, hides or loses mails. Does not belong here: which folders
there are (`imap_folders`), connections (`imap_session`), the order of folders (`imap`).

What is asked of an unchanged folder is one EXAMINE. It tells UIDVALIDITY, UIDNEXT and the number of mails: UIDs only
ever grow, so where nothing is above the last UID and the number is that of the mails we remember, nothing came and
nothing went. Where the number differs, the UIDs are compared. With QRESYNC the same EXAMINE names what vanished and
whose flags changed; with CONDSTORE one FETCH (CHANGEDSINCE) gives the flags.

Source: RFC 3501 §2.3.1.1 (UIDVALIDITY), §6.4.8 (UID ranges), §7.4.1 (EXPUNGE); RFC 7162.
"""

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, TypeVar

from connectors.contract import ContainerCount
from connectors.errors import UnavailableError
from connectors.mailbox.imap_answers import MailFacts
from connectors.mailbox.imap_line import FolderState, Resync
from connectors.mailbox.imap_place import FolderPlace, MailboxPlace, unfetched_id
from connectors.mailbox.imap_session import ConnectionLostError, FetchRefusedError, ImapSession
from connectors.mailbox.pages import MEDIA_TYPE, STREAM, mail_record, tombstone
from transforms.model import RawRecord

TRIES = 4
"""How often a request is tried before the server counts as down."""

FIRST_PAUSE_SECONDS = 1.0
"""Pause before the second try; doubles with each further one."""

SIZES_PER_CALL = 1_000

LARGEST_MAIL_BYTES = 250_000_000
"""A larger mail is no mail that a database row should hold: it is listed as one that could not be fetched."""

_T = TypeVar("_T")


class _RenumberedError(Exception):
    """The folder's UIDVALIDITY changed while it was being read."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a page; a mail above `page_bytes` comes alone, and over the line in parts of `part_bytes`."""

    page_mails: int
    page_bytes: int
    part_bytes: int = 4_000_000


class FolderReading:
    """One folder, from where its place in the cursor says."""

    def __init__(
        self,
        session: ImapSession,
        mailbox: MailboxPlace,
        folder: str,
        limits: Limits,
        sleep: Callable[[float], None],
    ) -> None:
        """Takes the connection and the cursor, which it moves."""
        self.folder = folder
        self.gmail_ids: set[int] = set()
        """Mails that a comparison found here, where the server is Gmail."""
        self._session = session
        self._mailbox = mailbox
        self._seen = mailbox.seen
        self._container = mailbox.container(folder)
        self._limits = limits
        self._sleep = sleep
        self._place = FolderPlace(0)
        self._state = FolderState(0, None, 0)
        self._late: list[int] = []
        self._new: list[int] = []

    def catch_up(self) -> None:
        """Opens the folder and settles what changed of the mails that are known: expunges and flags.

        Raises:
            FolderMissingError: it is gone.
            FolderRefusedError: it cannot be opened.
        """
        self._while_numbered(self._catch_up)

    def pages(self) -> Iterator[list[RawRecord]]:
        """Records of what is owed, late or new, after `catch_up`; the cursor stands behind each page."""
        for _ in range(TRIES):
            try:
                yield from self._pages_of_one_numbering()
                return
            except _RenumberedError:
                self.catch_up()
        raise self._renumbered_too_often()

    def compare(self, held: Collection[bytes]) -> ContainerCount:
        """Lists the whole folder, after `catch_up`, and makes `pages` fetch what is missing here.

        Args:
            held: starts of the digests of all mails that the raw store has.
        """
        counts: list[ContainerCount] = []
        self._while_numbered(lambda: counts.append(self._compare(held)))
        return counts[-1]

    def _while_numbered(self, action: Callable[[], None]) -> None:
        for attempt in range(TRIES):
            try:
                if attempt and action != self._catch_up:
                    self._catch_up()
                action()
                return
            except _RenumberedError:
                continue
        raise self._renumbered_too_often()

    def _renumbered_too_often(self) -> UnavailableError:
        return UnavailableError(
            f"{self._session.address}: folder {self.folder!r} was renumbered {TRIES} times while it was read"
        )

    def _catch_up(self) -> None:
        place = self._mailbox.folders.get(self.folder)
        since = None
        if place is not None and place.modseq and not self._mailbox.is_gmail:
            since = Resync(place.uidvalidity, place.modseq, place.last_uid)
        state = self._trying(lambda: self._session.examine(self.folder, since), None)
        if place is None or _is_renumbered(place, state):
            if not self._mailbox.is_gmail:
                self._seen.forget(self.folder)
            if place is not None:
                self._mailbox.keep_owed(self.folder, ())
            place = self._mailbox.folders[self.folder] = FolderPlace(state.uidvalidity)
        self._place, self._state, self._late = place, state, []
        first = place.last_uid + 1
        self._new = self._trying(lambda: self._session.uids(first, 0, state), state)
        is_known = self._follow_flags()
        if not self._mailbox.is_gmail:
            self._settle_presence()
        if is_known:
            place.modseq = state.modseq

    def _follow_flags(self) -> bool:
        """Takes over flags that changed, and what QRESYNC says of expunges; False where the server refuses."""
        place, state = self._place, self._state
        changed: Mapping[int, MailFacts] = {}
        if state.is_resynced and state.modseq >= place.modseq:
            changed = state.changed
            self._seen.drop(self.folder, _inside(self._seen.keys(self.folder), state.vanished))
            gone = _inside(place.owed, state.vanished)
            self._mailbox.keep_owed(self.folder, set(place.owed) - set(gone))
        elif state.modseq and place.last_uid and state.modseq != place.modseq:
            # A sequence that went back (a restored server) says nothing about what changed: all flags then.
            since = place.modseq if 0 < place.modseq < state.modseq else None
            gmail = self._mailbox.is_gmail
            try:
                changed = self._trying(
                    lambda: self._session.flags(place.last_uid, since, with_gmail_ids=gmail), state
                )
            except FetchRefusedError:
                return False
        self._take_marks(changed.values())
        return True

    def _take_marks(self, mails: Iterable[MailFacts]) -> None:
        marks = {self._key(mail): mail.marks for mail in mails if mail.flags is not None}
        self._seen.set_marks(self._container, marks)

    def _settle_presence(self) -> None:
        """Where the number of mails is not what it should be: forgets those that went, finds those that came late."""
        place, state = self._place, self._state
        known = set(self._seen.keys(self.folder))
        expected = len(known) + len(place.owed)
        if not place.last_uid or state.exists - len(self._new) == expected:
            return
        found = set(self._trying(lambda: self._session.uids(1, place.last_uid, state), state))
        self._seen.drop(self.folder, known - found)
        self._mailbox.keep_owed(self.folder, found)
        self._late = sorted(found - known - set(place.owed))

    def _compare(self, held: Collection[bytes]) -> ContainerCount:
        place, state = self._place, self._state
        gmail = self._mailbox.is_gmail
        last = place.last_uid
        listed: set[int] = set()
        facts: Mapping[int, MailFacts] = {}
        if last:
            listed = set(self._trying(lambda: self._session.uids(1, last, state), state))
            facts = self._trying(lambda: self._session.flags(last, with_gmail_ids=gmail), state)
        self._take_marks(facts.values())
        key_of = {uid: self._key(facts[uid]) if uid in facts else uid for uid in listed}
        known = set(self._seen.keys(self._container))
        lost = {key for key in known if self._seen.prefix(self._container, key) not in held}
        here = known - lost
        gone: set[int] = set()
        if gmail:
            self.gmail_ids = set(key_of.values())
            lost &= self.gmail_ids
        else:
            gone = known - set(listed)
        # Without this they would take part in counting what else has the same bytes.
        self._seen.drop(self._container, gone | lost)
        self._mailbox.keep_owed(self.folder, listed)
        missing = sorted(uid for uid in listed if key_of[uid] not in here)
        self._late = [uid for uid in missing if uid not in place.owed]
        return ContainerCount(
            name=self.folder,
            listed=len(listed) + len(self._new),
            known=len(listed) - len(missing),
            missing=len(missing),
            arrived=len(self._new),
            vanished=len(gone),
        )

    def _pages_of_one_numbering(self) -> Iterator[list[RawRecord]]:
        place, state = self._place, self._state
        for group in self._groups([*place.owed, *self._late, *self._new]):
            mails, problems = self._fetch(group)
            self._forget_moved(mails.values())
            records: list[RawRecord] = []
            for uid in group:
                records += self._records(uid, mails.get(uid), problems.get(uid))
                place.last_uid = max(place.last_uid, uid)
            yield records
        if state.uidnext is not None:
            # The last mails may be gone again: what is below UIDNEXT was looked at.
            place.last_uid = max(place.last_uid, state.uidnext - 1)
        self._late, self._new = [], []

    def _groups(self, uids: Sequence[int]) -> Iterator[dict[int, int]]:
        """UID → size, in groups that fit a page; on Gmail without the mails that are known under another label."""
        gmail = self._mailbox.is_gmail
        for start in range(0, len(uids), SIZES_PER_CALL):
            chunk = uids[start : start + SIZES_PER_CALL]
            facts = self._trying(
                lambda chunk=chunk: self._session.sizes(chunk, with_gmail_ids=gmail),  # type: ignore[misc]
                self._state,
            )
            group: dict[int, int] = {}
            for uid in chunk:
                mail = facts.get(uid, MailFacts(uid))
                if mail.gmail_message in self._seen.keys(self._container):
                    continue
                size = mail.size or 0
                is_full = len(group) >= self._limits.page_mails
                if group and (is_full or sum(group.values()) + size > self._limits.page_bytes):
                    yield group
                    group = {}
                group[uid] = size
            if group:
                yield group

    def _fetch(self, group: Mapping[int, int]) -> tuple[dict[int, MailFacts], dict[int, str]]:
        """Mails by UID, and why the others could not be had; those that are gone are in neither."""
        if len(group) == 1 and max(group.values()) > self._limits.page_bytes:
            mails: dict[int, MailFacts] = {}
        else:
            try:
                mails = dict(self._trying(lambda: self._asked([*group]), self._state))
            except (FetchRefusedError, ConnectionLostError):
                mails = {}
        mails = {uid: mail for uid, mail in mails.items() if mail.body or not group.get(uid)}
        missing = [uid for uid in group if uid not in mails]
        problems: dict[int, str] = {}
        if missing:
            # This needs a server that answers: one that is down raises here and nothing is given up.
            there = self._trying(lambda: self._session.present(missing), self._state)
            for uid in sorted(there):
                mail, problem = self._fetch_one(uid, group[uid])
                if mail is not None:
                    mails[uid] = mail
                elif problem:
                    problems[uid] = problem
        return mails, problems

    def _asked(self, uids: Sequence[int]) -> dict[int, MailFacts]:
        return self._session.fetch(uids, with_gmail_ids=self._mailbox.is_gmail)

    def _fetch_one(self, uid: int, size: int) -> tuple[MailFacts | None, str]:
        problem = "the server gives no body"
        mail = None
        if size > LARGEST_MAIL_BYTES:
            return None, f"a mail of {size} bytes; the limit is {LARGEST_MAIL_BYTES}"
        try:
            if size > self._limits.page_bytes:
                mail = self._in_parts(uid)
            else:
                mail = self._trying(lambda: self._asked([uid]), self._state).get(uid)
        except (FetchRefusedError, ConnectionLostError) as error:
            problem = str(error)
        if mail is not None and (mail.body or not size):
            return mail, ""
        is_there = self._trying(lambda: self._session.present([uid]), self._state)
        return None, problem if is_there else ""

    def _in_parts(self, uid: int) -> MailFacts | None:
        """A large mail, part by part: a line that is cut costs one part, and the server's silence stays short."""
        length = self._limits.part_bytes
        body = bytearray()
        first: MailFacts | None = None
        while len(body) <= LARGEST_MAIL_BYTES:
            offset = len(body)
            part = self._trying(
                lambda offset=offset: self._session.fetch_part(  # type: ignore[misc]
                    uid, offset, length, with_gmail_ids=self._mailbox.is_gmail
                ),
                self._state,
            )
            if part is None:
                return None
            first = first or replace(part, body=None)
            body += part.body or b""
            # RFC822.SIZE is a guess on some servers: the end is where less comes than was asked for. More comes
            # from a server that knows no parts and gives the whole.
            if len(part.body or b"") != length:
                return replace(first, body=bytes(body))
        return None

    def _forget_moved(self, mails: Collection[MailFacts]) -> None:
        """Looks whether known mails with the same bytes still lie where they were, before a number is given.

        A mail that was moved here since its folder was opened would otherwise count as a second one.
        """
        if self._mailbox.is_gmail:
            return
        digests = [sha256(mail.body or b"").digest() for mail in mails]
        holders: dict[str, list[int]] = {}
        for folder, uid in self._seen.holders(d for d in digests if self._seen.count(d)):
            holders.setdefault(folder, []).append(uid)
        for folder, uids in holders.items():
            self._seen.drop(folder, set(uids) - self._still_there(folder, uids))

    def _still_there(self, folder: str, uids: Collection[int]) -> set[int]:
        if folder == self.folder:
            return self._trying(lambda: self._session.present(uids), self._state)
        place = self._mailbox.folders.get(folder)

        def look() -> set[int]:
            state = self._session.examine(folder)
            if place is None or state.uidvalidity != place.uidvalidity:
                return set()  # its UIDs are void: it is listed again, and then these count again
            return self._session.present(uids)

        return self._trying(look, None)

    def _records(
        self, uid: int, mail: MailFacts | None, problem: str | None
    ) -> Iterator[RawRecord]:
        place = self._place
        location: dict[str, Any] = {
            "folder": self.folder,
            "uidvalidity": place.uidvalidity,
            "uid": uid,
        }
        stand_in_id = unfetched_id(self.folder, place.uidvalidity, uid)
        if problem:
            if uid not in place.owed:
                place.owed.append(uid)
            location["problem"] = problem
            yield RawRecord(STREAM, stand_in_id, b"", MEDIA_TYPE, location=location)
            return
        if uid in place.owed:
            place.owed.remove(uid)
            yield tombstone(stand_in_id, location)
        if mail is None or self._key(mail) in self._seen.keys(self._container):
            return
        location |= _told(mail)
        yield mail_record(
            mail.body or b"", self._container, self._key(mail), self._seen, location, mail.marks
        )

    def _key(self, mail: MailFacts) -> int:
        """Under which key a mail is remembered."""
        return mail.gmail_message or mail.uid if self._mailbox.is_gmail else mail.uid

    def trying(self, action: Callable[[], _T]) -> _T:
        """Does something that needs no open folder, and does it again where the line was lost."""
        return self._trying(action, None)

    def _trying(self, action: Callable[[], _T], state: FolderState | None) -> _T:
        """Does it, and does it again on a new connection where the line was lost.

        Raises:
            _RenumberedError: the folder came back with another UIDVALIDITY.
            ConnectionLostError: the line was lost each time.
        """
        for attempt in range(TRIES):
            try:
                # Also after a look at this folder for another one's sake: it may have been renumbered by then.
                wanted = (self.folder, state.uidvalidity) if state is not None else None
                if state is not None and self._session.opened != wanted:
                    now = self._session.examine(self.folder)
                    if now.uidvalidity != state.uidvalidity:
                        raise _RenumberedError
                return action()
            except UnavailableError:
                if attempt == TRIES - 1:
                    raise
                self._sleep(FIRST_PAUSE_SECONDS * 2**attempt)
        raise AssertionError("unreachable")


def _told(mail: MailFacts) -> dict[str, Any]:
    """What the server says beside the bytes, as it stood when the mail was fetched."""
    told: dict[str, Any] = {}
    if mail.internal_date is not None:
        told["internal_date"] = mail.internal_date.isoformat()
    flags = sorted(flag for flag in mail.flags or () if flag.casefold() != "\\recent")
    if flags:
        told["flags"] = flags
    if mail.labels:
        told["labels"] = list(mail.labels)
    if mail.gmail_message is not None:
        told["gmail_message_id"] = f"{mail.gmail_message:x}"
    if mail.gmail_thread is not None:
        told["gmail_thread_id"] = f"{mail.gmail_thread:x}"
    return told


def _is_renumbered(place: FolderPlace, state: FolderState) -> bool:
    """Whether UIDs are void: another UIDVALIDITY, or a UIDNEXT that went back (a folder restored from a copy)."""
    return state.uidvalidity != place.uidvalidity or (
        state.uidnext is not None and state.uidnext <= place.last_uid
    )


def _inside(uids: Iterable[int], ranges: Sequence[range]) -> list[int]:
    """Those of the UIDs that lie in one of the ranges."""
    ordered = sorted(ranges, key=lambda each: each.start)
    starts = [each.start for each in ordered]
    found = []
    for uid in uids:
        index = bisect_right(starts, uid) - 1
        if index >= 0 and uid in ordered[index]:
            found.append(uid)
    return found

"""An IMAP mailbox as a source: several folders, resumed by UID, never changed.

Belongs here: which mails are fetched next, and what to do when the server drops, renumbers or loses some. Does
not belong here: the protocol (`imap_session`), what mails say (`transforms.mail`).

A folder's place is (UIDVALIDITY, last UID). When UIDVALIDITY changed, all UIDs are void: the folder is listed
again, and since a mail's identity is its bytes, mails that were there before come under the same ids and change
nothing. Mails that vanish from the server are no tombstones: what was said stays said.

A mail that exists but that the server cannot hand over does not stop the others: it is given as an empty record
with the server's words (it will be quarantined), asked for again at each pull, and withdrawn once it comes.

Source: RFC 3501 §2.3.1.1 (UIDVALIDITY), §6.4.8 (UID ranges), §7.4.1 (EXPUNGE).
"""

import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

from connectors.contract import CheckResult, Cursor, Page
from connectors.errors import ConfigurationError, ConnectorError, UnavailableError
from connectors.mailbox.imap_session import (
    ConnectionLostError,
    FetchedMail,
    FetchRefusedError,
    FolderState,
    ImapSession,
)
from connectors.mailbox.pages import (
    MEDIA_TYPE,
    PAGE_BYTES,
    PAGE_MAILS,
    STREAM,
    mail_record,
    tombstone,
)
from connectors.mailbox.seen import SeenMails
from transforms.model import RawRecord

TRIES = 4
"""How often a request is tried before the server counts as down."""

FIRST_PAUSE_SECONDS = 1.0
"""Pause before the second try; doubles with each further one."""

SIZES_PER_CALL = 1_000

_T = TypeVar("_T")


class _RenumberedError(Exception):
    """The folder's UIDVALIDITY changed while it was being read."""


@dataclass(slots=True)
class _FolderPlace:
    """How far a folder was read; `owed` are UIDs that the server could not hand over yet."""

    uidvalidity: int
    last_uid: int = 0
    owed: list[int] = field(default_factory=list)


class ImapSource:
    """Mails of one mailbox, folder by folder, by ascending UID."""

    streams: Sequence[str] = (STREAM,)
    volatile_fields: Mapping[str, Sequence[str]] = {}

    def __init__(
        self,
        host: str,
        username: str,
        password: str = "",
        *,
        port: int | None = None,
        folders: Sequence[str] = ("INBOX",),
        use_tls: bool = True,
        use_starttls: bool = False,
        access_token: Callable[[], str] | None = None,
        ssl_context: ssl.SSLContext | None = None,
        connect_seconds: float = 15.0,
        read_seconds: float = 60.0,
        page_mails: int = PAGE_MAILS,
        page_bytes: int = PAGE_BYTES,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Keeps the settings; the line is opened by `pull` and `check`.

        Args:
            host: the server's name.
            username: the log-in name.
            password: its password; unused where `access_token` is given.
            port: None takes 993 with TLS, 143 without.
            folders: names as people see them, e.g. `INBOX`, `Sent`, `[Gmail]/Sent Mail`.
            use_tls: TLS from the first byte.
            use_starttls: TLS after STARTTLS, on a connection that begins without.
            access_token: gives a fresh OAuth 2 token (XOAUTH2), for providers without passwords.
            ssl_context: None verifies against the machine's authorities.
            connect_seconds: how long to wait for a connection.
            read_seconds: how long the server may stay silent.
            page_mails: most mails in a page.
            page_bytes: most bytes in a page, a single larger mail apart.
            sleep: pauses between tries.

        Raises:
            ConfigurationError: no folder is named, or one twice.
        """
        if not folders or len(set(folders)) != len(folders):
            raise ConfigurationError(f"IMAP {host}: folders must be named, each once: {folders!r}")
        port = port or (993 if use_tls and not use_starttls else 143)
        self._folders = tuple(folders)
        self._name = f"IMAP {username} on {host}:{port}"
        self._page_mails, self._page_bytes = page_mails, page_bytes
        self._sleep = sleep
        self._session_settings: dict[str, Any] = {
            "host": host,
            "port": port,
            "username": username,
            "password": password,
            "use_tls": use_tls and not use_starttls,
            "use_starttls": use_starttls,
            "access_token": access_token,
            "ssl_context": ssl_context,
            "connect_seconds": connect_seconds,
            "read_seconds": read_seconds,
        }

    def check(self) -> CheckResult:
        """Logs in and opens each folder; says how many mails they hold."""
        session = ImapSession(**self._session_settings)
        try:
            counts = [f"{name}: {session.examine(name).exists}" for name in self._folders]
        except ConnectorError as error:
            return CheckResult(self._name, False, str(error))
        finally:
            session.close()
        return CheckResult(self._name, True, f"mails in {', '.join(counts)}")

    def pull(self, stream: str, cursor: Cursor | None) -> Iterator[Page]:
        """Pages of mails; see `connectors.contract.Source`.

        Raises:
            AuthError: the log-in is refused.
            ConfigurationError: a folder does not exist, or the port speaks no TLS.
            UnavailableError: no connection after several tries; pages given before stay valid.
            RateLimitedError: the provider's bandwidth limit is reached.
        """
        seen = SeenMails((cursor or {}).get("seen"))
        places = {
            name: _FolderPlace(**place)
            for name, place in (cursor or {}).get("folders", {}).items()
            if name in self._folders
        }
        seen.keep_only(places)
        session = ImapSession(**self._session_settings)
        try:
            # All folders first: a mail that was moved must be forgotten where it lay before it is met again.
            for folder in self._folders:
                _Reading(self, session, folder, places, seen).forget_vanished()
            for folder in self._folders:
                yield from _Reading(self, session, folder, places, seen).pages()
            yield Page([], _cursor(places, seen), complete=True, calls=0)
        finally:
            session.close()


class _Reading:
    """One folder being read."""

    def __init__(
        self,
        source: ImapSource,
        session: ImapSession,
        folder: str,
        places: dict[str, _FolderPlace],
        seen: SeenMails,
    ) -> None:
        self._source = source
        self._session = session
        self._folder = folder
        self._places = places
        self._seen = seen

    def pages(self) -> Iterator[Page]:
        for _ in range(TRIES):
            try:
                yield from self._pages_of_one_numbering()
                return
            except _RenumberedError:
                continue
        raise UnavailableError(
            f"{self._session.address}: folder {self._folder!r} was renumbered {TRIES} times while it was read"
        )

    def forget_vanished(self) -> None:
        """Forgets mails that are no longer in the folder, so that one that was moved keeps its id."""
        place = self._places.get(self._folder)
        if place is None:
            return
        state = self._trying(lambda: self._session.examine(self._folder), None)
        known = set(self._seen.keys(self._folder))
        if place.uidvalidity != state.uidvalidity or not known:
            return
        try:
            new = self._trying(lambda: self._session.uids_after(place.last_uid, state), state)
            if state.exists - len(new) >= len(known) + len(place.owed):
                return
            found = self._trying(lambda: self._session.uids_after(0, state), state)
        except _RenumberedError:
            return
        self._seen.drop(self._folder, known - set(found))
        place.owed = [uid for uid in place.owed if uid in set(found)]

    def _pages_of_one_numbering(self) -> Iterator[Page]:
        state = self._trying(lambda: self._session.examine(self._folder), None)
        place = self._places.get(self._folder)
        if place is None or place.uidvalidity != state.uidvalidity:
            self._seen.forget(self._folder)
            place = self._places[self._folder] = _FolderPlace(state.uidvalidity)
        uids = self._trying(lambda: self._session.uids_after(place.last_uid, state), state)
        for group in self._groups([*place.owed, *uids], state):
            calls = self._session.calls
            mails, problems = self._fetch(group, state)
            records: list[RawRecord] = []
            for uid in group:
                records += self._records(uid, mails.get(uid), problems.get(uid), place)
                place.last_uid = max(place.last_uid, uid)
            yield Page(
                records,
                _cursor(self._places, self._seen),
                complete=False,
                calls=self._session.calls - calls,
            )

    def _groups(self, uids: Sequence[int], state: FolderState) -> Iterator[list[int]]:
        """UIDs in groups that fit a page, by the sizes that the server tells."""
        for start in range(0, len(uids), SIZES_PER_CALL):
            chunk = uids[start : start + SIZES_PER_CALL]
            sizes = self._trying(lambda chunk=chunk: self._session.sizes(chunk), state)  # type: ignore[misc]
            group: list[int] = []
            size = 0
            for uid in chunk:
                mail_size = sizes.get(uid, 0)
                is_full = len(group) >= self._source._page_mails
                if group and (is_full or size + mail_size > self._source._page_bytes):
                    yield group
                    group, size = [], 0
                group.append(uid)
                size += mail_size
            if group:
                yield group

    def _fetch(
        self, uids: Sequence[int], state: FolderState
    ) -> tuple[dict[int, FetchedMail], dict[int, str]]:
        """Mails by UID, and why the others could not be had; those that are gone are in neither."""
        try:
            mails = dict(self._trying(lambda: self._session.fetch(uids), state))
        except (FetchRefusedError, ConnectionLostError):
            mails = {}
        problems: dict[int, str] = {}
        for uid in uids:
            if uid in mails:
                continue
            mail, problem = self._fetch_one(uid, state)
            if mail is not None:
                mails[uid] = mail
            elif problem:
                problems[uid] = problem
        return mails, problems

    def _fetch_one(self, uid: int, state: FolderState) -> tuple[FetchedMail | None, str]:
        problem = "the server gives no body"
        try:
            mail = self._trying(lambda: self._session.fetch([uid]), state).get(uid)
        except (FetchRefusedError, ConnectionLostError) as error:
            mail, problem = None, str(error)
        if mail is not None:
            return mail, ""
        # This needs a server that answers: one that is down raises here and nothing is given up.
        is_there = self._trying(lambda: self._session.is_there(uid), state)
        return None, problem if is_there else ""

    def _records(
        self,
        uid: int,
        mail: FetchedMail | None,
        problem: str | None,
        place: _FolderPlace,
    ) -> Iterator[RawRecord]:
        location: dict[str, Any] = {
            "folder": self._folder,
            "uidvalidity": place.uidvalidity,
            "uid": uid,
        }
        stand_in_id = f"unfetched:{self._folder}:{place.uidvalidity}:{uid}"
        if problem:
            if uid not in place.owed:
                place.owed.append(uid)
            location["problem"] = problem
            yield RawRecord(STREAM, stand_in_id, b"", MEDIA_TYPE, location=location)
            return
        if uid in place.owed:
            place.owed.remove(uid)
            yield tombstone(stand_in_id, location)
        if mail is not None:
            if mail.internal_date is not None:
                location["internal_date"] = mail.internal_date.isoformat()
            yield mail_record(mail.payload, self._folder, uid, self._seen, location)

    def _trying(self, action: Callable[[], _T], state: FolderState | None) -> _T:
        """Does it, and does it again on a new connection where the line was lost.

        Raises:
            _RenumberedError: the folder came back with another UIDVALIDITY.
            ConnectionLostError: the line was lost each time.
        """
        for attempt in range(TRIES):
            try:
                if state is not None and self._session.open_folder != self._folder:
                    now = self._session.examine(self._folder)
                    if now.uidvalidity != state.uidvalidity:
                        raise _RenumberedError
                return action()
            except UnavailableError:
                if attempt == TRIES - 1:
                    raise
                self._source._sleep(FIRST_PAUSE_SECONDS * 2**attempt)
        raise AssertionError("unreachable")


def _cursor(places: Mapping[str, _FolderPlace], seen: SeenMails) -> dict[str, Any]:
    return {
        "folders": {name: asdict(place) for name, place in places.items()},
        "seen": seen.packed(),
    }
